"""psi.intersect: the service alone between two processes, whole nodes, and others beside it.

Keys are 16 digits, as many on both sides, half of them common. The service alone and the peers give
the result to one side; the nodes, to both. Every result's size is checked.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from bench import psi_nodes
from bench.parties import Measured, free_ports, measure
from bench.peers import OPENMINED, SPU, NotToBeHad
from bench.psi_party import starts

FULL_ITEMS: Final = 1 << 20
QUICK_ITEMS: Final = 1 << 15
# OpenMined's takes 85 µs for each point and core: it is compared where it ends in a minute.
OPENMINED_FULL_ITEMS: Final = 1 << 16
OPENMINED_QUICK_ITEMS: Final = 1 << 13


def run(*, quick: bool, peers: bool) -> dict[str, Any]:
    """Measure ours; with ``peers`` SPU at the same size, OpenMined and ours at a smaller one."""
    items = QUICK_ITEMS if quick else FULL_ITEMS
    common = items // 2
    ours = _service(items)
    with tempfile.TemporaryDirectory() as folder:
        runs = [ours.as_dict(), *psi_nodes.run(Path(folder), items, common)]
    figures: dict[str, Any] = {"runs": runs}
    if peers:
        figures |= _beside(ours, OPENMINED_QUICK_ITEMS if quick else OPENMINED_FULL_ITEMS, runs)
    wrong = [one for one in runs if one["result_rows"] not in (0, one["items"] // 2)]
    figures["passed"] = not wrong and runs[0]["result_rows"] == common
    return figures


def _service(items: int) -> Measured:
    (port,) = free_ports(1)
    commands = [
        [sys.executable, "-m", "bench.psi_party", *map(str, (rank, port, items, items // 2))]
        for rank in (0, 1)
    ]
    return measure("coffer, the service alone", items, commands)


def _beside(ours: Measured, smaller: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Run the peers, add them to ``runs``, and return ours / theirs, or why there is none."""
    ratios: dict[str, Any] = {}
    for peer, items, theirs_of in (
        ("spu", ours.items, _spu),
        ("openmined", smaller, _openmined),
    ):
        try:
            theirs = theirs_of(items)
        except NotToBeHad as error:
            ratios[peer] = str(error)
            continue
        same = ours if items == ours.items else _service(items)
        runs += [theirs.as_dict()] if same is ours else [same.as_dict(), theirs.as_dict()]
        ratios[f"{peer}_items"] = items
        ratios[f"{peer}_wall_ours_to_theirs"] = round(same.wall_seconds / theirs.wall_seconds, 2)
        ratios[f"{peer}_cpu_ours_to_theirs"] = round(same.cpu_seconds / theirs.cpu_seconds, 2)
        ratios[f"{peer}_traffic_ours_to_theirs"] = round(same.traffic_mib / theirs.traffic_mib, 2)
    return {"ratios": ratios}


def _spu(items: int) -> Measured:
    ports = ",".join(map(str, free_ports(2)))
    with tempfile.TemporaryDirectory() as folder:
        commands = []
        for rank, start in enumerate(starts(items, items // 2)):
            source = Path(folder) / f"{rank}.csv"
            lines = (f"{number:016d}" for number in range(start, start + items))
            source.write_text("\n".join(["id", *lines, ""]))
            commands.append(SPU.command(rank, ports, source, Path(folder) / f"{rank}-out.csv"))
        return measure("spu 0.9.5, ECDH over Curve25519, CSV to CSV", items, commands)


def _openmined(items: int) -> Measured:
    (port,) = free_ports(1)
    commands = [
        OPENMINED.command(rank, port, items, start)
        for rank, start in enumerate(starts(items, items // 2))
    ]
    return measure("openmined-psi 2.0.6, ECDH, GCS at 1e-9", items, commands)
