"""What all cases of this benchmark share: how they are asked, and the peers' runs beside ours."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.demo.nodes import free_ports
from bench.asked import Asked
from bench.bars import Findings
from bench.parties import Measured, measure
from bench.peers import OPENMINED, SPU, Peer
from bench.psi.tables import common_of, write_csv

MILLION_KEYS: Final = 1 << 20
REPEATS: Final = 3


class WrongResult(RuntimeError):
    """A run of ours gave another result than it should; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a case is run. peers: those that can be had here."""

    asked: Asked
    peers: tuple[Peer, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether sizes are those of the bars."""
        return not self.asked.is_quick

    @property
    def has_spu(self) -> bool:
        """Whether SPU is to run beside ours."""
        return SPU in self.peers

    @property
    def has_openmined(self) -> bool:
        """Whether OpenMined's PSI is to run beside ours."""
        return OPENMINED in self.peers

    @property
    def repeats(self) -> int:
        """How often to run what takes seconds."""
        return REPEATS if self.is_full else 1

    def keys(self, full: int, quick: int) -> int:
        """Return the size to measure at."""
        return full if self.is_full else quick


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the table of bars."""

    name: str
    title: str
    run: Callable[[Setting], Findings]
    is_huge: bool = False


def require_right(measured: Measured) -> Measured:
    """Return a run of ours if it found as many rows as are common."""
    due = common_of(measured.keys)
    if measured.result_rows != due:
        raise WrongResult(f"{measured.system}: {measured.result_rows} rows instead of {due}")
    return measured


def run_spu(protocol: str, keys: int) -> Measured:
    """Run SPU from CSV to CSV."""
    ports = ",".join(map(str, free_ports(2)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = [
            SPU.command(
                *(rank, protocol, ports),
                *(write_csv(folder / f"{rank}.csv", rank, keys), folder / f"{rank}-out.csv"),
            )
            for rank in (0, 1)
        ]
        return measure(f"spu 0.9.5, {protocol}, CSV to CSV", keys, commands)


def run_openmined(keys: int) -> Measured:
    """Run OpenMined's PSI, keys in memory to how many match."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory() as name:
        commands = [
            OPENMINED.command(rank, port, write_csv(Path(name) / f"{rank}.csv", rank, keys))
            for rank in (0, 1)
        ]
        return measure("openmined-psi 2.0.6, ECDH, GCS at 1e-9", keys, commands)
