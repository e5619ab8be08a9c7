"""Finds out how the machine is: from the kernel's files, from systemd, and from the agent.

All but the agent's part works while nothing else does. Nothing here raises: what cannot be found
out is shown as unknown.
"""

import socket
import subprocess
from pathlib import Path
from typing import Final

from appliance.console.status import Health, Identity, Seen
from appliance.machine.load import read_addresses
from appliance.machine.posture import read_posture

UNITS: Final = {
    "coffer": "coffer.service",
    "orders": "coffer-machine.socket",
    "prometheus": "prometheus.service",
    "exporter": "prometheus-node-exporter.service",
    "nftables": "nftables.service",
    "chrony": "chrony.service",
}
"""What the status shows by name; any other unit shows up once it fails."""
_ASK_SYSTEMD: Final = (
    "/usr/bin/systemctl",
    "list-units",
    "--all",
    "--full",
    "--plain",
    "--no-legend",
    "--no-pager",
)
_SYSTEMD_SECONDS: Final = 20.0
_LAST_OF_A: Final = 4
"""The disk as shipped holds the ESP and copy A, as in image/definition/mkosi.repart."""


def look(identity: Identity, root: Path = Path("/")) -> Seen:
    """Return what is to be seen now; ``identity`` is what the agent said last."""
    return Seen(
        host=socket.gethostname(),
        up_seconds=_up_seconds(root),
        addresses=read_addresses(),
        slot=_slot(root),
        var_is_open=(root / "var").is_mount(),
        posture=read_posture(root),
        health=read_health(_ask_systemd()),
        identity=identity,
    )


def interfaces(root: Path = Path("/")) -> tuple[str, ...]:
    """Return the names of the network cards: what has a device behind it."""
    return tuple(sorted(card.parent.name for card in (root / "sys/class/net").glob("*/device")))


def read_health(listed: str) -> Health:
    """Return the states of the shown units and which units failed, of systemctl's list."""
    states = {}
    failed = []
    for line in listed.splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        unit, active = words[0], words[2]
        states[unit] = active
        if active == "failed":
            failed.append(unit)
    shown = tuple((name, states.get(unit, "unknown")) for name, unit in UNITS.items())
    return Health(units=shown, failed=tuple(failed))


def _slot(root: Path) -> str:
    """Return which copy of /usr runs, by the number of the partition below it; empty if unknown."""
    for mapped in (root / "sys/block").glob("dm-*"):
        if _line(mapped / "dm/name") != "usr":
            continue
        numbers = [_line(below / "partition") for below in (mapped / "slaves").glob("*")]
        if numbers and all(one.isdecimal() for one in numbers):
            return "A" if max(map(int, numbers)) <= _LAST_OF_A else "B"
    return ""


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _ask_systemd() -> str:
    try:
        asked = subprocess.run(  # noqa: S603 - our own words, and no shell reads them
            _ASK_SYSTEMD,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SYSTEMD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.decode("utf-8", "replace")


def _up_seconds(root: Path) -> float:
    try:
        return float(_line(root / "proc/uptime").split()[0])
    except (ValueError, IndexError):
        return 0.0
