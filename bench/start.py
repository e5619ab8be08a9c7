"""How long an agent takes from its start until it serves, and how much CPU time that costs.

A first start makes the key and the database, a second one finds them.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.asked import Asked
from bench.parties import ROOT
from bench.processes import held_mib

RUNS: Final = 5
READY_SECONDS: Final = 120.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What one start took until READY, of the agent's own process."""

    wall_seconds: float
    cpu_seconds: float
    held_mib: float


def run(asked: Asked) -> dict[str, Any]:
    """Start new nodes, each twice, and return the medians."""
    pairs = [_start_twice() for _ in range(1 if asked.is_quick else RUNS)]
    named = zip(("first, of a new node", "second"), zip(*pairs, strict=True), strict=True)
    starts = [{"start": name, **_medians(same)} for name, same in named]
    return {"starts": starts, "runs": len(pairs)}


def _medians(same: tuple[Started, ...]) -> dict[str, Any]:
    return {
        "wall_seconds": round(statistics.median(one.wall_seconds for one in same), 2),
        "cpu_seconds": round(statistics.median(one.cpu_seconds for one in same), 2),
        "held_mib": round(statistics.median(one.held_mib for one in same)),
    }


def _start_twice() -> tuple[Started, Started]:
    with tempfile.TemporaryDirectory(prefix="start-") as folder:
        return _start(Path(folder)), _start(Path(folder))


def _start(folder: Path) -> Started:
    """Start an agent as systemd does, which it tells that it is ready; and stop it then."""
    told = folder / "notify"
    told.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(told))
        systemd.settimeout(READY_SECONDS)
        began = time.perf_counter()
        with subprocess.Popen(
            [
                *(sys.executable, "-m", "appliance.agent", "--state", folder / "node"),
                *("--listen", f"127.0.0.1:{free_port()}"),
            ],
            cwd=ROOT,
            env={**os.environ, "NOTIFY_SOCKET": str(told)},
            stderr=subprocess.DEVNULL,
        ) as agent:
            try:
                while b"READY=1" not in systemd.recv(4096):
                    pass
                return Started(
                    wall_seconds=time.perf_counter() - began,
                    cpu_seconds=_own_cpu_seconds(agent.pid),
                    held_mib=held_mib(agent.pid),
                )
            finally:
                agent.terminate()


def _own_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICKS


def free_port() -> int:
    """Return a port of the loopback that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
