"""A machine for tests of its helper: a folder as its root, programs that only note their words."""

import json
import os
import pty
import pwd
import select
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from appliance.machine.errors import ProgramFailed
from appliance.machine.helper import serve
from appliance.machine.tools import PROGRAM_SECONDS, Tools

LINKS = ({"Name": "lo", "Type": "loopback"}, {"Name": "enp1s0", "Type": "ether"})


class Programs:
    """Stands in for the operating system's programs: ``ran`` has their words, in order.

    says:  what a program prints, by its first word, or by as many as are needed to tell it apart.
    fails: programs that do, likewise.
    """

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.says: dict[tuple[str, ...], str] = {("busctl",): described(*LINKS)}
        self.fails: set[tuple[str, ...]] = set()

    def __call__(self, *words: str, seconds: float = PROGRAM_SECONDS) -> str:
        self.ran.append(words)
        if any(words[: len(one)] == one for one in self.fails):
            raise ProgramFailed(f"{words[0]} failed")
        told = [said for one, said in self.says.items() if words[: len(one)] == one]
        return told[-1] if told else ""


def described(*links: dict[str, Any]) -> str:
    """Return what busctl prints of networkd's description of its links."""
    return json.dumps({"type": "s", "data": [json.dumps({"Interfaces": links})]})


def root_below(folder: Path) -> Path:
    """Make the folders that systemd-tmpfiles makes, and the image's own files."""
    for place in ("var/lib/coffer-machine", "run/coffer-machine", "run/systemd/network"):
        (folder / place).mkdir(parents=True)
    (folder / "usr/share/factory/etc").mkdir(parents=True)
    (folder / "usr/share/factory/etc/hostname").write_text("coffer\n")
    return folder


def tools(root: Path, programs: Programs, tell: Callable[[Any], None] = lambda _: None) -> Tools:
    return Tools(run=programs, tell=tell, root=root)


@contextmanager
def helper(root: Path, programs: Programs, *, is_trusted: bool = True) -> Iterator[Path]:
    """Serve orders at a socket as systemd and the helper do, each connection alone.

    is_trusted: whether whoever runs the tests is as the agent; else as the console
    """
    trusted = frozenset({pwd.getpwuid(os.getuid()).pw_name} if is_trusted else ())
    path = root / "machine.socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    serve(connection, root=root, run=programs, trusted=trusted)

        served = threading.Thread(target=accept)
        served.start()
        try:
            yield path
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            served.join()


@contextmanager
def device_of_tpm(path: Path, answer: Callable[[bytes], bytes]) -> Iterator[None]:
    """Have a device, which a terminal stands in for, that answers the commands written to it."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    path.symlink_to(os.ttyname(theirs))
    ended = threading.Event()

    def serve_tpm() -> None:
        while not ended.is_set():
            if select.select([ours], [], [], 0.05)[0]:
                os.write(ours, answer(os.read(ours, 4096)))

    served = threading.Thread(target=serve_tpm)
    served.start()
    try:
        yield
    finally:
        ended.set()
        served.join()
        path.unlink()
        os.close(ours)
        os.close(theirs)
