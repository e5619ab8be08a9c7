"""psi.intersect and its family: the protocols alone, whole jobs at two nodes, and others beside.

Keys are 16 digits, as many on both sides, half of them common. The protocols alone and the peers
give the result to one side; the nodes, to both. A result that is wrong fails its case.
"""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

from bench.asked import Asked
from bench.peers import OPENMINED, SPU, NotToBeHad, Peer
from bench.psi import exactness, jobs, protocols, sums
from bench.psi.setting import Case, Setting
from services.errors import ServiceError

CASES: Final = (
    Case(name="rr22", title="RR22, 2^20, keys to matches", run=protocols.rr22),
    Case(name="job", title="the same from Parquet to results", run=jobs.job),
    Case(name="ten-million", title="10^7, whole job", run=jobs.ten_million),
    Case(name="hundred-million", title="10^8, whole job", run=jobs.hundred_million, is_huge=True),
    Case(name="malicious", title="RR22, 2^20, malicious parties", run=protocols.malicious),
    Case(name="ecdh", title="ECDH, 2^20, keys to matches", run=protocols.ecdh),
    Case(name="sum", title="psi.sum, 2^20, whole job", run=sums.total),
    Case(name="wan", title="10^7, whole job over a slow link", run=jobs.wan),
    Case(name="exactness", title="wrong rows", run=exactness.exactness),
    Case(name="first-byte", title="approval to first byte", run=jobs.first),
)


def run(asked: Asked) -> dict[str, Any]:
    """Run the cases that are asked for; one that fails is told and does not stop the others."""
    runs: list[dict[str, Any]] = []
    bars: list[dict[str, Any]] = []
    setting = Setting(asked=asked, peers=peers_to_be_had() if asked.has_peers else ())
    for case in chosen(asked):
        print(f"bench: {case.name}: {case.title}", file=sys.stderr)
        try:
            found = case.run(setting)
        except (RuntimeError, OSError, ServiceError, subprocess.SubprocessError) as error:
            failed = {"what": f"failed: {error}", "figure": None, "at_most": None, "met": "no"}
            bars.append({"case": case.name} | failed)
            continue
        runs += [{"case": case.name} | one.as_dict() for one in found.runs]
        bars += [{"case": case.name} | one.as_dict() for one in found.bars]
    return {"runs": runs, "bars": bars, "passed": all(one["met"] != "no" for one in bars)}


def chosen(asked: Asked) -> Sequence[Case]:
    """Return the cases to run: those named, or all but the huge unless these are asked for."""
    if asked.cases:
        return [case for case in CASES if case.name in asked.cases]
    return [case for case in CASES if asked.is_huge or not case.is_huge]


def peers_to_be_had() -> tuple[Peer, ...]:
    """Return the peers that can be installed here, installed."""
    found = []
    for peer in (SPU, OPENMINED):
        try:
            peer.python()
        except NotToBeHad as error:
            print(f"bench: {error}", file=sys.stderr)
            continue
        found.append(peer)
    return tuple(found)
