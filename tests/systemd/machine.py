"""A machine with systemd for tests: namespaces of its own over a throw-away copy of our files."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.fleet.nodes import Node, eventually
from tests.repository import tree

BOOT: Final = Path(__file__).with_name("boot.sh")
STATE: Final = "var/lib/coffer"
DATASETS: Final = "srv/coffer/datasets"


class Machine:
    """Processes below a systemd of their own. Commands run inside; ``files`` is its root folder."""

    def __init__(self, init: int) -> None:
        self._init = init
        self.files = Path(f"/proc/{init}/root")

    def run(self, *command: str) -> str:
        """Run a command inside as root and return what it prints; it must succeed."""
        enter = (
            "nsenter",
            f"--target={self._init}",
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--cgroup",
        )
        done = subprocess.run(
            [*enter, "--", *command],
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": "/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "SYSTEMD_PAGER": ""},
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    @contextmanager
    def network_card(self, name: str) -> Iterator[None]:
        """Plug in a card that leads nowhere, into a machine whose network is its own."""
        made = "import fcntl, os, struct, sys; tun = os.open('/dev/net/tun', os.O_RDWR)"
        made += "; fcntl.ioctl(tun, 0x400454CA, struct.pack('16sH', sys.argv[1].encode(), 0x1002))"
        made += "; print('plugged in', flush=True); sys.stdin.read()"
        enter = ("nsenter", f"--target={self._init}", "--net", "--")
        with subprocess.Popen(
            [*enter, sys.executable, "-c", made, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as card:
            assert card.stdout
            assert card.stdout.readline() == b"plugged in\n"
            yield
            assert card.stdin
            card.stdin.close()

    def addresses(self, card: str) -> set[str]:
        """Return a card's addresses, but for those of the link, in a network of its own."""
        enter = ("nsenter", f"--target={self._init}", "--net", "--")
        told = subprocess.run(
            [*enter, "ip", "-json", "addr", "show", "dev", card],
            capture_output=True,
            check=True,
        )
        (one,) = json.loads(told.stdout)
        return {
            f"{each['local']}/{each['prefixlen']}"
            for each in one["addr_info"]
            if each["scope"] == "global"
        }

    def property(self, unit: str, name: str) -> str:
        """Return what systemd says of a unit."""
        return self.run("systemctl", "show", unit, f"--property={name}", "--value")

    def send_signal(self, unit: str, signal: str) -> None:
        """Send a signal to a unit's main process."""
        self.run("systemctl", "kill", "--kill-whom=main", f"--signal={signal}", unit)

    def workers(self) -> list[str]:
        """Return the workers' units."""
        listed = self.run(
            "systemctl", "list-units", "coffer-worker@*", "--no-legend", "--plain", "--state=active"
        )
        return [line.split()[0] for line in listed.splitlines()]

    def journal(self, *options: str) -> str:
        """Return what the journal holds."""
        return self.run("journalctl", "--no-pager", "--quiet", *options)


class BoxedNode(Node):
    """The node that ``coffer.service`` runs in a machine."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        super().__init__(folder, "box", machine.files / STATE)
        self.machine = machine
        settings = f'name = "box"\nlisten = "127.0.0.1:{self.port}"\n'
        settings += 'operators_listen = "127.0.0.1:0"\nconsole_user = "coffer-console"\n'
        (self.state / "coffer.toml").write_text(settings)
        (self.state / "coffer.toml").chmod(0o644)

    def start(self, *options: str) -> "BoxedNode":
        self.machine.run("systemctl", "start", "coffer")  # returns once the agent says it is ready
        return self

    def close(self) -> None:
        """The machine ends it."""


@contextmanager
def machine(folder: Path, *options: str) -> Iterator[Machine]:
    """Boot a machine and leave nothing of it; options as of boot.sh."""
    assert os.geteuid() == 0, "a machine with systemd can be booted by root alone"
    with (folder / "boot.log").open("wb") as log:
        command = [str(BOOT), str(folder), str(tree.ROOT), *options]
        booted = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        made = Machine(eventually(lambda: _init_below(booted), seconds=30))
        eventually(lambda: _is_up(made), seconds=60)
        yield made
    finally:
        init = _init_below(booted)
        if init is not None:
            os.kill(init, signal.SIGKILL)  # and the kernel, all that runs below it
        booted.wait(timeout=30)


def _init_below(booted: "subprocess.Popen[bytes]") -> int | None:
    assert booted.poll() is None, "the machine ended; see boot.log"
    children = Path(f"/proc/{booted.pid}/task/{booted.pid}/children").read_text().split()
    for child in children:
        if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
            return int(child)
    return None


def _is_up(made: Machine) -> bool:
    try:
        return made.property("empty.target", "ActiveState") == "active"
    except AssertionError:
        return False
