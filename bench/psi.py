"""Private set intersection: the service alone between two processes, whole nodes, others beside it.

Keys are 16 digits, as many on both sides, half of them common. The service alone and the peers give
the result to one side; the nodes, to both. Every result's size is checked, and how long the nodes
take from the last approval to the first byte.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import psi_nodes
from bench.peers import NotToBeHad
from bench.psi_cases import CASES, FULL, QUICK, Found


def run(*, quick: bool, peers: bool, cases: Sequence[str] = ()) -> dict[str, Any]:
    """Measure the named cases, else all but the huge one; with ``peers`` others beside ours."""
    sizes = QUICK if quick else FULL
    figures: dict[str, Any] = {}
    every = Found()
    for name in cases or [name for name in CASES if name != "huge"]:
        print(f"bench: psi {name}", file=sys.stderr)
        try:
            found = CASES[name](sizes, peers=peers)
        except NotToBeHad as error:
            figures[name] = str(error)
            found = CASES[name](sizes, peers=False)
        every.runs += [one for one in found.runs if one not in every.runs]
        every.bars += found.bars
    wrong = [one.system for one in every.runs if one.result_rows != one.items // 2]
    figures["runs"] = [one.as_dict() for one in every.runs]
    figures["bars"] = [bar.as_dict() for bar in every.bars]
    if not cases:
        with tempfile.TemporaryDirectory() as folder:
            figures["approval_to_first_byte"] = psi_nodes.wait_for_first_byte(Path(folder))
    figures["wrong_results"] = wrong
    figures["passed"] = not wrong and (quick or all(bar["met"] for bar in figures["bars"]))
    return figures
