"""The program ``coffer-health``: decides, after an update, whether this start was a good one.

It runs only in the first starts of a new version. While it has not ended well, the boot loader
counts the start as failed; when it ends badly the machine restarts, and after three tries the
version before runs again. What it found wrong is kept for whoever asks why.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.api.client import Client
from appliance.updates.fate import Verdict
from appliance.updates.program import VERDICT
from appliance.updates.running import read_here
from services.errors import ServiceError

STATE: Final = Path("/var/lib/coffer")
LINKED: Final = Path("updates/linked.json")
"""Below the state folder: name and address of each peer that was linked when the update began."""
PROMETHEUS: Final = "http://127.0.0.1:9090/-/ready"
MOST_SECONDS: Final = 900.0
"""What the agent's unit is given to start, and what Prometheus, which starts after it, may need."""
SURE_SECONDS: Final = 60.0
"""For how long one and the same unit must have failed before waiting longer is pointless."""
MOST_RESTARTS: Final = 2
"""How often the agent may end and be started again before that counts as failed."""
PAUSE_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 20.0

Check = Callable[[], list[str]]
"""Returns what is wrong, nothing if all is well."""


@dataclass(slots=True, kw_only=True)
class Gate:
    """Asks all checks again and again until all are content, or it is no use.

    hopeless: of all that is wrong, what does not mend by waiting.
    """

    checks: Sequence[Check]
    hopeless: Callable[[str], bool]
    most_seconds: float = MOST_SECONDS
    sure_seconds: float = SURE_SECONDS
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    _since: dict[str, float] = field(default_factory=dict)

    def verdict(self) -> tuple[str, ...]:
        """Return what is still wrong at the end; nothing as soon as all is well."""
        began = self.clock()
        while True:
            wrong = tuple(reason for check in self.checks for reason in check())
            now = self.clock()
            if not wrong or now - began >= self.most_seconds or self._is_sure(wrong, now):
                return wrong
            self.pause(PAUSE_SECONDS)

    def _is_sure(self, wrong: Iterable[str], now: float) -> bool:
        self._since = {
            reason: self._since.get(reason, now) for reason in wrong if self.hopeless(reason)
        }
        return any(now - since >= self.sure_seconds for since in self._since.values())


def agent_answers(state: Path) -> list[str]:
    """Ask the agent who it is: it answers once its database is open and of its own revision."""
    try:
        with Client(state, answer_seconds=_ANSWER_SECONDS) as client:
            client.show_node()
    except ServiceError as error:
        return [f"the agent does not answer: {error.what}"]
    return []


def prometheus_answers(url: str = PROMETHEUS) -> list[str]:
    """Ask Prometheus whether it is ready."""
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS):  # noqa: S310 - our own constant
            return []
    except OSError as error:
        return [f"prometheus does not answer ({type(error).__name__})"]


FAILED: Final = "the unit "
AGENT: Final = "coffer.service"
Ask = Callable[..., str | None]
"""Gives systemctl words; returns what it says, None if it fails."""


def ask_systemd(*words: str) -> str | None:
    """Return what systemctl says, None if it fails."""
    command = ("systemctl", *words)
    asked = subprocess.run(  # noqa: S603 - constants
        command, capture_output=True, text=True, timeout=_ANSWER_SECONDS * 3
    )
    return asked.stdout if asked.returncode == 0 else None


def units_run(ask: Ask = ask_systemd) -> list[str]:
    """Ask systemd which units have failed."""
    said = ask("list-units", "--state=failed", "--plain", "--no-legend", "--no-pager")
    if said is None:
        return ["systemd does not say which units have failed"]
    names = [line.split()[0] for line in said.splitlines() if line.split()]
    return [f"{FAILED}{name} has failed" for name in names]


def agent_stays(ask: Ask = ask_systemd) -> list[str]:
    """Ask systemd whether the agent ends whenever it is started, which is no failed unit yet."""
    said = ask("show", "--property=ActiveState,NRestarts", AGENT) or ""
    facts = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    restarts = int(facts.get("NRestarts", "0"))
    if facts.get("ActiveState") == "active" or restarts <= MOST_RESTARTS:
        return []
    return [f"{FAILED}{AGENT} ends whenever it is started"]


def peers_link(state: Path) -> list[str]:
    """See that each peer that was linked before the update is so again, or does not answer at all.

    A peer whose port takes no connection is down, which is no fault of the update.
    """
    try:
        linked = json.loads((state / LINKED).read_text(encoding="utf-8"))
        with Client(state, answer_seconds=_ANSWER_SECONDS) as client:
            now = {peer.node_id for peer in client.list_peers() if peer.reachable}
    except FileNotFoundError:
        return []
    except (OSError, ValueError, ServiceError) as error:
        return [f"the peers cannot be listed ({type(error).__name__})"]
    missing = [one for one in linked if one["node_id"] not in now]
    return [
        f"the peer {one['name']} answers, but cannot be linked to"
        for one in missing
        if _takes_connections(one["address"])
    ]


def _takes_connections(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def main() -> int:
    """Wait until all is well or it is no use, keep what was wrong, and return 0 or 1."""
    version = read_here().version
    gate = Gate(
        checks=(
            lambda: agent_answers(STATE),
            prometheus_answers,
            units_run,
            agent_stays,
            lambda: peers_link(STATE),
        ),
        hopeless=lambda reason: reason.startswith(FAILED),
    )
    wrong = gate.verdict()
    verdict = Verdict(version=version, reasons=tuple(one[:400] for one in wrong[:16]))
    place = Path("/") / VERDICT
    beside = place.with_suffix(".new")
    beside.write_text(verdict.model_dump_json() + "\n", encoding="utf-8")
    beside.chmod(0o644)
    beside.replace(place)
    print("healthy" if not wrong else f"unhealthy: {'; '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
