"""Runs the two parties of anything, each a process of its own, and measures them from outside.

A party prints ``ready`` once it has loaded all that it needs, begins when it reads a line, and ends
by printing ``done COUNT``, the size of the result; then it waits for its input's end, with its
connections open, so that it can be looked at. What comes before the beginning is not counted.
"""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bench.processes import cpu_seconds, peak_mib, sent_mib

ROOT: Final = Path(__file__).parents[1]


class PartyFailed(RuntimeError):
    """A party of a benchmark ended early; the text is the end of what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run, or the medians of several alike.

    keys:        of each party.
    cpu_seconds: of all processes of both parties.
    sent_mib:    what each party sent over TCP, headers apart.
    peak_mib:    the most memory that one process of each party took.
    held_mib:    the most that all processes of each party took together.
    result_rows: of the party that gets the result; None if it was no run of a protocol.
    said:        what the first party printed, line by line.
    """

    system: str
    keys: int
    runs: int = 1
    wall_seconds: float
    cpu_seconds: float
    sent_mib: tuple[float, ...]
    peak_mib: tuple[float, ...]
    held_mib: tuple[float, ...]
    result_rows: int | None
    said: tuple[str, ...] = field(default=(), repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return a line of a table, each figure rounded to what it is worth."""
        line = asdict(self)
        del line["said"]
        return line | {
            "wall_seconds": round(self.wall_seconds, 2),
            "cpu_seconds": round(self.cpu_seconds, 2),
            "sent_mib": [round(one, 2) for one in self.sent_mib],
            "peak_mib": [round(one) for one in self.peak_mib],
            "held_mib": [round(one) for one in self.held_mib],
        }


def medians(measured: Sequence[Measured]) -> Measured:
    """Return runs of the same as one; what was said is of the one whose wall is in the middle."""
    by_wall = sorted(measured, key=lambda one: one.wall_seconds)
    middle = by_wall[(len(by_wall) - 1) // 2]
    return replace(
        middle,
        runs=len(measured),
        wall_seconds=statistics.median(one.wall_seconds for one in measured),
        cpu_seconds=statistics.median(one.cpu_seconds for one in measured),
    )


def by_turns(repeats: int, *runs: Callable[[], Measured]) -> list[Measured]:
    """Run several things by turns, each as often, and return the medians of each."""
    rounds = [[run() for run in runs] for _ in range(repeats)]
    return [medians(same) for same in zip(*rounds, strict=True)]


def measure(system: str, keys: int, commands: Sequence[Sequence[str]]) -> Measured:
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
            return _watch(system, keys, parties)
        except PartyFailed as error:
            log.seek(0)
            said = log.read().decode(errors="replace").strip()[-2000:]
            raise PartyFailed(f"{error}: {said}") from None
        finally:
            for party in parties:
                party.kill()
                party.wait()


def _watch(system: str, keys: int, parties: Sequence[subprocess.Popen[str]]) -> Measured:
    for party in parties:
        _hear(party, "ready")
    spent_before = [cpu_seconds(party.pid) for party in parties]
    began = time.perf_counter()
    for party in parties:
        if party.stdin is not None:
            party.stdin.write("go\n")
            party.stdin.flush()
    heard = [_hear(party, "done") for party in parties]
    wall_seconds = time.perf_counter() - began
    peaks = tuple(peak_mib(party.pid) for party in parties)
    return Measured(
        system=system,
        keys=keys,
        wall_seconds=wall_seconds,
        cpu_seconds=sum(cpu_seconds(party.pid) for party in parties) - sum(spent_before),
        sent_mib=tuple(sent_mib(party.pid) for party in parties),
        peak_mib=peaks,
        held_mib=peaks,
        result_rows=int(heard[0][-1].removeprefix("done")),
        said=tuple(heard[0][:-1]),
    )


def _hear(party: subprocess.Popen[str], word: str) -> list[str]:
    """Return what the party prints, up to the line that begins with ``word``."""
    said = []
    if party.stdout is not None:
        for line in party.stdout:
            said.append(line.rstrip("\n"))
            if line.startswith(word):
                return said
    raise PartyFailed(f"{party.args!r} ended before it was {word}")
