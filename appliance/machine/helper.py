"""The program ``coffer-machine``: does one order as root, or what a unit starts it for.

systemd starts it for each connection to its socket, in a unit of its own with few capabilities.
It reads one line, an order; it writes lines of JSON: any number of progress, then done or error.
"""

import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.machine.ask import Facts
from appliance.machine.doing import DOING
from appliance.machine.doing.clock import restore_time_servers
from appliance.machine.doing.network import restore_network, undo_network
from appliance.machine.doing.sealing import seal_identity
from appliance.machine.errors import OrderRefused
from appliance.machine.orders import MOST_ORDER_BYTES, parse_order
from appliance.machine.tools import Run, Tools, run_program
from services.errors import ServiceError

ORDER_SECONDS: Final = 10.0
ALONE_SECONDS: Final = 5.0
LOCKS: Final = "run/coffer-machine"


@dataclass(frozen=True, slots=True)
class Task:
    """What a unit starts the program for; ``alone`` as of an order's way."""

    do: Callable[[Tools], None]
    alone: str


TASKS: Final[Mapping[str, Task]] = {
    "restore-network": Task(restore_network, alone="network"),
    "restore-clock": Task(restore_time_servers, alone="clock"),
    "undo-network": Task(undo_network, alone="network"),
    "seal-identity": Task(seal_identity, alone="disk"),
}


def main(words: Sequence[str] | None = None) -> int:
    """Do the one task named, or without a word the order of the connection that is stdin."""
    given = sys.argv[1:] if words is None else words
    # A machine that stops waits for what was begun, up to the unit's own limit.
    signal.signal(signal.SIGTERM, lambda *_: None)
    if not given:
        with socket.socket(fileno=os.dup(0)) as connection:
            return serve(connection)
    if len(given) != 1 or given[0] not in TASKS:
        _log(f"error: coffer-machine knows {', '.join(TASKS)}, or an order on its socket")
        return 2
    task, tools = TASKS[given[0]], Tools(run=run_program, tell=_untold)
    try:
        with _alone(task.alone, tools.root):
            task.do(tools)
    except ServiceError as error:
        _log(f"error: {error.what}\nhint: {error.remedy}")
        return 1
    return 0


def serve(connection: socket.socket, *, root: Path = Path("/"), run: Run = run_program) -> int:
    """Do the order that comes in, and answer; return the exit code."""

    def say(kind: str, facts: Facts) -> None:
        with suppress(OSError):  # who asked has gone; what was begun is done all the same
            connection.sendall(json.dumps({kind: facts}).encode() + b"\n")

    try:
        order = parse_order(_line(connection))
        _log(f"uid {_uid(connection)} orders {order.kind}")
        way = DOING[type(order)]
        with _alone(way.alone, root):
            tools = Tools(run=run, tell=lambda facts: say("progress", facts), root=root)
            done = way.do(order, tools)
    except ServiceError as error:
        _log(f"refused: {error.what}")
        say("error", {"what": error.what, "remedy": error.remedy})
        return 0
    except OSError as error:
        what = f"{error.filename or 'the machine'}: {error.strerror}"
        _log(f"failed: {what}")
        say("error", {"what": what, "remedy": "is the disk full, or this no appliance?"})
        return 0
    say("done", done)
    return 0


def _line(connection: socket.socket) -> bytes:
    """Return the order's line, of which one that is too long comes cut. Raises: OrderRefused."""
    deadline, read = time.monotonic() + ORDER_SECONDS, b""
    while not read.endswith(b"\n") and len(read) <= MOST_ORDER_BYTES:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            more = connection.recv(MOST_ORDER_BYTES)
        except TimeoutError:
            raise OrderRefused("no order came in time", remedy="send it at once") from None
        if not more:
            raise OrderRefused("the order is cut off", remedy="end it with a line feed")
        read += more
    connection.settimeout(ORDER_SECONDS)
    return read


def _uid(connection: socket.socket) -> int:
    """Return who is at the other end, as the kernel knows it."""
    asked = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", asked)[1])


@contextmanager
def _alone(name: str | None, root: Path) -> Iterator[None]:
    """Let nobody else do what goes by the same name meanwhile. Raises: OrderRefused."""
    if name is None:
        yield
        return
    with (root / LOCKS / f"{name}.lock").open("w") as lock:
        deadline = time.monotonic() + ALONE_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OrderRefused(
                        f"another order is at the {name}", remedy="ask again when it has ended"
                    ) from None
                time.sleep(0.1)
        yield


def _untold(facts: Facts) -> None:
    """Tell nobody: a task has no connection."""


def _log(text: str) -> None:
    """Write to the journal, where standard error goes."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
