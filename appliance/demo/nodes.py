"""Two nodes as ordinary processes, which never outlive the demonstration."""

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from appliance.api.client import Client
from appliance.api.ways import Unreachable
from services.errors import ServiceError

PATIENCE_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.03
_STOP_SECONDS: Final = 10.0
_LOG_LINES: Final = 15
_PR_SET_PDEATHSIG: Final = 1

T = TypeVar("T")


class DemoFailed(ServiceError):
    """A step of the demonstration did not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of the demonstration: its process, and the client that asks its agent."""

    name: str
    state: Path
    log: Path
    process: subprocess.Popen[bytes]
    client: Client

    def require_alive(self) -> None:
        """Raise DemoFailed with the end of its log if the node has died."""
        code = self.process.poll()
        if code is not None:
            told = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            raise DemoFailed(
                "\n".join(
                    [
                        f"the node {self.name} has ended ({_how(code)}); the end of its log:",
                        *(f"  {line}" for line in told[-_LOG_LINES:]),
                    ]
                ),
                remedy=f"mend what the log complains of; all of it is in {self.log}",
            )


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


@contextmanager
def running_nodes(
    folder: Path, *names: str, reached_by: Callable[[int], int] = int
) -> Iterator[list[Node]]:
    """Start a node for each name; stop them all at the end, whatever happens.

    reached_by: from the port that a node listens at to the one at which others reach it.
    """
    die_with_us = ctypes.CDLL(None).prctl
    processes: list[subprocess.Popen[bytes]] = []
    clients: list[Client] = []
    try:
        for name in names:
            prepare = partial(die_with_us, _PR_SET_PDEATHSIG, 15)
            processes.append(_start(folder, name, prepare, reached_by))
        clients += [Client(folder / name) for name in names]
        nodes = [
            Node(
                name=name,
                state=folder / name,
                log=folder / f"{name}.log",
                process=process,
                client=client,
            )
            for name, process, client in zip(names, processes, clients, strict=True)
        ]
        yield nodes
    finally:
        for client in clients:
            client.close()
        _stop(processes)


def _start(
    folder: Path, name: str, prepare: Callable[[], object], reached_by: Callable[[int], int]
) -> subprocess.Popen[bytes]:
    port, pairing_port = free_ports(2)
    here, there = f"127.0.0.1:{port}", f"127.0.0.1:{reached_by(port)}"
    command = [
        *(sys.executable, "-m", "appliance.cli", "--state", str(folder / name)),
        *("up", "--name", name, "--listen", here, "--advertise", there),
        *("--pairing-port", str(pairing_port)),
    ]
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us; we stop the nodes in order
            preexec_fn=prepare,
        )


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody uses just now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for_answers(nodes: Sequence[Node]) -> None:
    """Wait until all nodes serve their local API."""
    for node in nodes:
        wait_until(f"the node {node.name} answers", partial(_answers, node), nodes)


def _answers(node: Node) -> bool:
    with suppress(Unreachable):
        node.client.show_node()
        return True
    return False


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End the processes kindly, and after a while for good."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        if process.poll() is None:
            process.kill()
            process.wait()
    signal.signal(signal.SIGINT, interrupted)


def wait_until(what: str, find: Callable[[], T | None], nodes: Sequence[Node]) -> T:
    """Return the first true answer of ``find``.

    Raises: DemoFailed if a node dies meanwhile, or if ``what`` is not true in time.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := find()):
        for node in nodes:
            node.require_alive()
        if time.monotonic() > deadline:
            logs = " and ".join(str(node.log) for node in nodes)
            raise DemoFailed(
                f"after {PATIENCE_SECONDS:.0f} s it is still not so that {what}",
                remedy=f"the nodes' logs say what they did: {logs}",
            )
        time.sleep(_POLL_SECONDS)
    return found
