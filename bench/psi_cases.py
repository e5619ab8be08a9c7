"""The cases of the PSI benchmark: what each runs, and the bars that its figures are held to."""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from appliance.demo.nodes import free_ports
from bench import psi_nodes
from bench.parties import Measured, measure
from bench.peers import OPENMINED, SPU
from bench.psi_party import starts

HAS_IFMA: Final = "avx512ifma" in Path("/proc/cpuinfo").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many keys each party has. slower: for what takes 100 µs a key."""

    usual: int
    slower: int
    large: int
    huge: int


FULL: Final = Sizes(usual=1 << 20, slower=1 << 16, large=10**7, huge=10**8)
QUICK: Final = Sizes(usual=1 << 15, slower=1 << 12, large=1 << 18, huge=1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A figure and what it may be at the most."""

    what: str
    measured: float
    most: float

    def as_dict(self) -> dict[str, Any]:
        """Return it for people."""
        return {
            "bar": self.what,
            "measured": round(self.measured, 3),
            "most": round(self.most, 3),
            "met": self.measured <= self.most,
        }


@dataclass(slots=True)
class Found:
    """What a case found."""

    runs: list[Measured] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)

    def hold(self, what: str, measured: float, most: float) -> None:
        """Hold a figure to a bar."""
        self.bars.append(Bar(what=what, measured=measured, most=most))


@cache
def alone(items: int, service: str = "psi.intersect", **parameters: Any) -> Measured:
    """Run a service between two processes over a loopback socket, keys in memory to matches."""
    (port,) = free_ports(1)
    given = json.dumps(parameters)
    commands = [
        [sys.executable, "-m", "bench.psi_party", *map(str, (rank, port, items)), service, given]
        for rank in (0, 1)
    ]
    shown = " ".join([service, *(f"{key}={value}" for key, value in parameters.items())])
    return measure(f"coffer, {shown}", items, commands)


@cache
def nodes(items: int, link: psi_nodes.Link = "direct") -> Measured:
    """Run a whole job through two nodes, from Parquet to Parquet."""
    with tempfile.TemporaryDirectory() as folder:
        return psi_nodes.run(Path(folder), items, link=link)


@cache
def spu(items: int, protocol: str) -> Measured:
    """Run SPU from CSV to CSV: it offers nothing else."""
    ports = ",".join(map(str, free_ports(2)))
    with tempfile.TemporaryDirectory() as folder:
        commands = []
        for rank, start in enumerate(starts(items)):
            source, target = Path(folder) / f"{rank}.csv", Path(folder) / f"{rank}-out.csv"
            lines = (f"{number:016d}" for number in range(start, start + items))
            source.write_text("\n".join(["id", *lines, ""]))
            commands.append(SPU.command(rank, protocol, ports, source, target))
        return measure(f"spu 0.9.5, {protocol}, CSV to CSV", items, commands)


@cache
def openmined(items: int) -> Measured:
    """Run OpenMined's PSI."""
    (port,) = free_ports(1)
    commands = [
        OPENMINED.command(rank, port, items, start) for rank, start in enumerate(starts(items))
    ]
    return measure("openmined-psi 2.0.6, ECDH, GCS at 1e-9", items, commands)


def protocol_only(sizes: Sizes, *, peers: bool) -> Found:
    """Run RR22 from keys in memory to matches."""
    ours = alone(sizes.usual, protocol="rr22")
    found = Found([ours])
    found.hold("rr22, wall seconds", ours.wall_seconds, 0.7)
    if peers:
        theirs = spu(sizes.usual, "RR22")
        found.runs.append(theirs)
        found.hold("rr22, CPU of spu's whole run", ours.cpu_seconds / theirs.cpu_seconds, 1 / 6)
        found.hold("rr22, bytes of spu's", ours.traffic_mib / theirs.traffic_mib, 1)
    return found


def whole_job(sizes: Sizes, *, peers: bool) -> Found:
    """Run the same from Parquet files to result files, through two nodes."""
    ours = nodes(sizes.usual)
    found = Found([ours])
    if peers:
        theirs = spu(sizes.usual, "RR22")
        found.hold("whole job, CPU of spu's", ours.cpu_seconds / theirs.cpu_seconds, 1 / 3)
        found.hold("whole job, wall of spu's", ours.wall_seconds / theirs.wall_seconds, 1 / 3)
    return found


def large(sizes: Sizes, *, peers: bool) -> Found:
    """Run a whole job of ten million keys a side."""
    del peers
    ours = nodes(sizes.large)
    found = Found([ours])
    found.hold("10^7, wall seconds", ours.wall_seconds, 30)
    found.hold("10^7, peak MiB of a party", max(ours.peak_mib), 2048)
    return found


def huge(sizes: Sizes, *, peers: bool) -> Found:
    """Run a whole job of a hundred million keys a side."""
    del peers
    ours, tenth = nodes(sizes.huge), nodes(sizes.large)
    found = Found([ours])
    found.hold("10^8, peak MiB of a party", max(ours.peak_mib), 4096)
    found.hold("10^8, wall of 10^7's", ours.wall_seconds / tenth.wall_seconds, 12)
    return found


def malicious(sizes: Sizes, *, peers: bool) -> Found:
    """Run RR22 for parties that do not keep to it."""
    del peers
    plain = alone(sizes.usual, protocol="rr22")
    ours = alone(sizes.usual, protocol="rr22", security="malicious")
    found = Found([ours])
    found.hold("malicious, CPU of semi-honest", ours.cpu_seconds / plain.cpu_seconds, 1.5)
    found.hold("malicious, wall of semi-honest", ours.wall_seconds / plain.wall_seconds, 1.5)
    return found


def ecdh(sizes: Sizes, *, peers: bool) -> Found:
    """Run ECDH over Curve25519; spu's is slow where the processor has no AVX-512 IFMA."""
    ours = alone(sizes.slower, protocol="ecdh")
    found = Found([ours])
    if peers:
        theirs, others = spu(sizes.slower, "ECDH"), openmined(sizes.slower)
        found.runs += [theirs, others]
        found.hold("ecdh, CPU of spu's", ours.cpu_seconds / theirs.cpu_seconds, 0.8)
        found.hold("ecdh, CPU of openmined's", ours.cpu_seconds / others.cpu_seconds, 1 / 6)
    if HAS_IFMA:
        found.runs.append(alone(sizes.usual, protocol="ecdh"))
    return found


def wan(sizes: Sizes, *, peers: bool) -> Found:
    """Run a whole job of ten million keys a side over a slow, far link."""
    del peers
    ours = nodes(sizes.large, "100 Mbit/s and 10 ms")
    found = Found([ours])
    found.hold("10^7 over a WAN, wall seconds", ours.wall_seconds, 44)
    return found


def exact(sizes: Sizes, *, peers: bool) -> Found:
    """Run sizes and partition counts in which not one match may be lost or made up."""
    del peers
    found = Found()
    tops = [sizes.slower, sizes.usual, 4 * sizes.usual]
    for items in (1, 100, 10_000, *tops):
        for partitions in (1, 4, 64) if items < sizes.usual else (1, 4):
            for security in ("semi-honest", "malicious"):
                ours = alone(items, protocol="rr22", partitions=partitions, security=security)
                wrong = abs(ours.result_rows - items // 2)
                found.hold(f"wrong of {items}, {partitions} partitions, {security}", wrong, 0)
    return found


Case = Callable[..., Found]

CASES: Final[dict[str, Case]] = {
    "rr22": protocol_only,
    "nodes": whole_job,
    "malicious": malicious,
    "ecdh": ecdh,
    "exact": exact,
    "large": large,
    "wan": wan,
    "huge": huge,
}
"""In order of what they take; huge takes minutes and 20 GB of disk."""
