"""Runs the two parties of anything, each a process of its own, and measures them from outside.

A party prints ``ready`` once it has loaded all that it needs, begins when it reads a line, and ends
by printing ``done COUNT``, the size of the result; then it waits for its input's end, so that it
can be looked at. What comes before the beginning is not counted.
"""

import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil

ROOT: Final = Path(__file__).parents[1]
_MIB: Final = 1 << 20


class PartyFailed(RuntimeError):
    """A party of a benchmark ended early; the text is the end of what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run. CPU is that of all processes of both parties, traffic all that crossed loopback."""

    system: str
    items: int
    wall_seconds: float
    cpu_seconds: float
    traffic_mib: float
    peak_mib: tuple[float, ...]
    result_rows: int
    items_per_second: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, rounded to what they are worth."""
        rounded = {
            key: round(value, 2) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }
        return rounded | {"peak_mib": [round(one) for one in self.peak_mib]}


def loopback_bytes() -> int:
    """Return how much has crossed the loopback interface, headers and all."""
    return int(psutil.net_io_counters(pernic=True)["lo"].bytes_sent)


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of a process and of those of its children that have ended."""
    spent = process.cpu_times()
    return float(spent.user + spent.system + spent.children_user + spent.children_system)


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has taken since it was started."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(
        int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")
    )


def measure(system: str, items: int, commands: Sequence[Sequence[str]]) -> Measured:
    """Run a command for each party; the first one's result is the result."""
    with tempfile.TemporaryFile() as log:
        parties = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            for command in commands
        ]
        try:
            return _watch(system, items, parties)
        except PartyFailed as error:
            log.seek(0)
            said = log.read().decode(errors="replace").strip()[-2000:]
            raise PartyFailed(f"{error}: {said}") from None
        finally:
            for party in parties:
                party.kill()
                party.wait()


def _watch(system: str, items: int, parties: Sequence[subprocess.Popen[str]]) -> Measured:
    for party in parties:
        _hear(party, "ready")
    spent_before = [cpu_seconds(psutil.Process(party.pid)) for party in parties]
    crossed_before = loopback_bytes()
    began = time.perf_counter()
    for party in parties:
        if party.stdin is not None:
            party.stdin.write("go\n")
            party.stdin.flush()
    counts = [int(_hear(party, "done")) for party in parties]
    wall_seconds = time.perf_counter() - began
    crossed = loopback_bytes() - crossed_before
    spent = [cpu_seconds(psutil.Process(party.pid)) for party in parties]
    return Measured(
        system=system,
        items=items,
        wall_seconds=wall_seconds,
        cpu_seconds=sum(spent) - sum(spent_before),
        traffic_mib=crossed / _MIB,
        peak_mib=tuple(peak_mib(party.pid) for party in parties),
        result_rows=counts[0],
        items_per_second=items / wall_seconds,
    )


def _hear(party: subprocess.Popen[str], word: str) -> str:
    """Return what follows ``word`` in the line that the party prints with it."""
    if party.stdout is not None:
        for line in party.stdout:
            if line.startswith(word):
                return line.removeprefix(word).strip()
    raise PartyFailed(f"{party.args!r} ended before it was {word}")
