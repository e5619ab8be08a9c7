"""psi.intersect: the service alone between two processes, whole nodes, and others beside it.

Keys are 16 digits, as many on both sides, half of them common. The service alone and the peers give
the result to one side; the nodes, to both. Every result's size is checked, and how long the nodes
take from the last approval to the first byte.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Final

from appliance.demo.nodes import free_ports
from bench import psi_nodes
from bench.parties import Measured, measure
from bench.peers import OPENMINED, SPU, NotToBeHad
from bench.psi_party import starts

FULL_ITEMS: Final = 1 << 20
QUICK_ITEMS: Final = 1 << 15
# OpenMined takes 85 µs for each point, and SPU's ECDH 350 µs where the CPU lacks the instructions
# that it is written for: they are compared at a size at which they end in a minute or two.
FULL_SLOWER_ITEMS: Final = 1 << 16
QUICK_SLOWER_ITEMS: Final = 1 << 12
HAS_IFMA: Final = "avx512ifma" in Path("/proc/cpuinfo").read_text(encoding="utf-8")


def run(*, quick: bool, peers: bool) -> dict[str, Any]:
    """Measure ours, and with ``peers`` others beside it."""
    items = QUICK_ITEMS if quick else FULL_ITEMS
    common = items // 2
    ours = _service(items)
    with tempfile.TemporaryDirectory() as folder:
        through_nodes, first_byte = psi_nodes.run(Path(folder), items, common)
    runs = [ours.as_dict(), *through_nodes]
    figures: dict[str, Any] = {"runs": runs, "approval_to_first_byte": first_byte}
    if peers:
        figures |= _beside(ours, quick, runs)
    wrong = [one for one in runs if one["result_rows"] not in (0, one["items"] // 2)]
    is_right = not wrong and runs[0]["result_rows"] == common
    figures["passed"] = is_right and first_byte["passed"]
    return figures


def _service(items: int) -> Measured:
    (port,) = free_ports(1)
    commands = [
        [sys.executable, "-m", "bench.psi_party", *map(str, (rank, port, items, items // 2))]
        for rank in (0, 1)
    ]
    return measure("coffer, the service alone", items, commands)


def _beside(ours: Measured, quick: bool, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Run the peers, add them to ``runs``, and return ours / theirs, or why there is none.

    Each is compared with ours at the same size. SPU's RR22 is another protocol: what is to come.
    """
    slower = QUICK_SLOWER_ITEMS if quick else FULL_SLOWER_ITEMS
    spu_items = ours.items if HAS_IFMA else slower
    ratios: dict[str, Any] = {} if HAS_IFMA else {"spu_ecdh_note": "this CPU has no AVX-512 IFMA"}
    known = {ours.items: ours}
    for peer, items, run_theirs in (
        ("spu_ecdh", spu_items, partial(_spu, "ECDH")),
        ("spu_rr22", ours.items, partial(_spu, "RR22")),
        ("openmined", slower, _openmined),
    ):
        try:
            theirs = run_theirs(items)
        except NotToBeHad as error:
            ratios[peer] = str(error)
            continue
        if items not in known:
            known[items] = _service(items)
            runs.append(known[items].as_dict())
        runs.append(theirs.as_dict())
        same = known[items]
        ratios[f"{peer}_items"] = items
        ratios[f"{peer}_wall_ours_to_theirs"] = round(same.wall_seconds / theirs.wall_seconds, 2)
        ratios[f"{peer}_cpu_ours_to_theirs"] = round(same.cpu_seconds / theirs.cpu_seconds, 2)
        ratios[f"{peer}_traffic_ours_to_theirs"] = round(same.traffic_mib / theirs.traffic_mib, 2)
    return {"ratios": ratios}


def _spu(protocol: str, items: int) -> Measured:
    ports = ",".join(map(str, free_ports(2)))
    with tempfile.TemporaryDirectory() as folder:
        commands = []
        for rank, start in enumerate(starts(items, items // 2)):
            source, target = Path(folder) / f"{rank}.csv", Path(folder) / f"{rank}-out.csv"
            lines = (f"{number:016d}" for number in range(start, start + items))
            source.write_text("\n".join(["id", *lines, ""]))
            commands.append(SPU.command(rank, protocol, ports, source, target))
        return measure(f"spu 0.9.5, {protocol}, CSV to CSV", items, commands)


def _openmined(items: int) -> Measured:
    (port,) = free_ports(1)
    commands = [
        OPENMINED.command(rank, port, items, start)
        for rank, start in enumerate(starts(items, items // 2))
    ]
    return measure("openmined-psi 2.0.6, ECDH, GCS at 1e-9", items, commands)
