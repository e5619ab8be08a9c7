"""How long the appliance takes from power-on until its API answers, and its memory at rest.

On the same virtual machine, by turns, a plain Debian starts (:mod:`bench.boot.plain_debian`), from
power-on until its multi-user target is reached. The first start of either makes what later ones
find, so those are judged. Processors are emulated, as a build machine may have no KVM: there
encryption, hashing, unpacking and page-table isolation, which the appliance has and Debian has not,
cost far more than on a real machine. Each ends with a power cut, when its files have long been
written.
"""

import re
import shutil
import socket
import ssl
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.asked import Asked
from bench.bars import Bar
from bench.boot import plain_debian
from bench.start import free_port
from image import pipeline, places, status_page, vm
from image.hardware import Hardware, Router
from image.vm import Machine

TURNS: Final = 3
MOST_OF_DEBIAN: Final = 1.5
MOST_MIB: Final = 400
MOST_SECONDS: Final = 1800.0
REST_SECONDS: Final = 60.0
OPERATORS_PORT: Final = 7445
ANSWER_SECONDS: Final = 2.0
_RUNNING: Final = ("coffer", "prometheus", "exporter")
_CLOUD_INIT_ENDS: Final = re.compile(r"Cloud-init v\. .* finished at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start.

    seconds:  from power-on until the machine could be used
    used_mib: what was not available to programs, once nothing was left to start
    """

    seconds: float
    used_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One of the two, on a machine of its own.

    can_be_used: told what its console has said, whether it is as far as is measured
    is_at_rest:  likewise, whether nothing is left to start
    """

    name: str
    machine: Machine
    can_be_used: Callable[[str], bool]
    is_at_rest: Callable[[str], bool]

    def start(self) -> Start:
        """Switch it on, and when it has rested cut its power.

        Raises: MachineError if it does not come so far.
        """
        began = time.monotonic()
        with self.machine as machine:
            machine.wait_for(self.can_be_used, f"{self.name} that can be used", MOST_SECONDS)
            seconds = time.monotonic() - began
            machine.wait_for(self.is_at_rest, f"{self.name} at rest", MOST_SECONDS)
            time.sleep(REST_SECONDS)
            return Start(seconds=seconds, used_mib=machine.read_used_bytes() / 2**20)


def run(asked: Asked) -> dict[str, Any]:
    """Start the image that was built last and a plain Debian, each once and then by turns.

    Raises: ImageError if no image was built, this is not root, or either does not start.
    """
    pipeline.require_root()
    tools, disk = vm.find_tools(), vm.find_disk()
    port = free_port()
    hardware = Hardware(networks=(Router(forwards={port: OPERATORS_PORT}),))
    # What the consoles have said stays there if a machine fails.
    folder = places.cache() / "boot"
    shutil.rmtree(folder, ignore_errors=True)
    ours = System(
        name="coffer",
        machine=Machine(tools, disk, folder / "coffer", hardware),
        can_be_used=lambda _: answers(port),
        is_at_rest=is_coffer_at_rest,
    )
    theirs = System(
        name="plain Debian",
        machine=Machine(tools, plain_debian.prepare(tools), folder / "debian", hardware),
        can_be_used=is_multi_user,
        is_at_rest=is_debian_at_rest,
    )
    systems = (ours, theirs)
    firsts = {system.name: system.start() for system in systems}
    later: dict[str, list[Start]] = {system.name: [] for system in systems}
    for _ in range(1 if asked.is_quick else TURNS):
        for system in systems:
            later[system.name].append(system.start())
    shutil.rmtree(folder)
    bars = judge(later[ours.name], later[theirs.name], is_judged=not asked.is_quick)
    return {
        "starts": [
            *(_row(name, "first", [start]) for name, start in firsts.items()),
            *(_row(name, "later", starts) for name, starts in later.items()),
        ],
        "bars": [bar.as_dict() for bar in bars],
        "version": disk.stem.removeprefix("coffer_"),
        "passed": not any(bar.is_missed for bar in bars),
    }


def judge(ours: Sequence[Start], theirs: Sequence[Start], *, is_judged: bool) -> list[Bar]:
    """Return what is asked of later starts, by their medians."""
    return [
        Bar(
            what="power-on to API, to plain Debian's to multi-user",
            figure=_seconds(ours) / _seconds(theirs),
            limit=MOST_OF_DEBIAN,
            is_judged=is_judged,
        ),
        Bar(
            what="memory in use at rest with agent and Prometheus, MiB",
            figure=_used_mib(ours),
            limit=MOST_MIB,
            is_judged=is_judged,
        ),
    ]


def _row(system: str, which: str, starts: Sequence[Start]) -> dict[str, Any]:
    return {
        "system": system,
        "start": which,
        "runs": len(starts),
        "wall_seconds": round(_seconds(starts), 1),
        "each_wall_seconds": [round(one.seconds, 1) for one in starts],
        "used_mib": round(_used_mib(starts)),
    }


def _seconds(starts: Sequence[Start]) -> float:
    return statistics.median(one.seconds for one in starts)


def _used_mib(starts: Sequence[Start]) -> float:
    return statistics.median(one.used_mib for one in starts)


def answers(port: int) -> bool:
    """Tell whether a TLS server answers at a port of this host's loopback, whoever it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as wire,
            context.wrap_socket(wire),
        ):
            return True
    except OSError:
        return False


def is_coffer_at_rest(console: str) -> bool:
    """Tell whether agent, Prometheus and its exporter run, by the status page."""
    return all(status_page.find(console, name) == "active" for name in _RUNNING)


def is_multi_user(console: str) -> bool:
    """Tell whether systemd has reached its multi-user target."""
    return "Multi-User System" in console


def is_debian_at_rest(console: str) -> bool:
    """Tell whether cloud-init, which goes on after the multi-user target, has ended."""
    return _CLOUD_INIT_ENDS.search(console) is not None
