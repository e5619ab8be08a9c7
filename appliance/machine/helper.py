"""The program ``coffer-machine``: does one order as root, or what a unit starts it for.

systemd starts it for each connection to its socket, in a unit of its own with few capabilities.
It reads one line, an order; it writes lines of JSON: any number of progress, then done or error.
"""

import json
import os
import pwd
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.machine.ask import Facts
from appliance.machine.doing.clock import restore_time_servers
from appliance.machine.doing.network import restore_network, undo_network
from appliance.machine.doing.table import DOING
from appliance.machine.errors import OrderRefused
from appliance.machine.orders import MOST_ORDER_BYTES, parse_order
from appliance.machine.tasks import do_task, heed_no_stop, log
from appliance.machine.tools import Run, Tools, run_program
from services.errors import ServiceError

ORDER_SECONDS: Final = 10.0
TRUSTED: Final = frozenset({"root", "coffer"})
"""Users whose orders are all done: the agent knows who may give them. The console gives some."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a unit starts the program for; ``alone`` as of an order's way."""

    do: Callable[[Tools], None]
    alone: str


TASKS: Final[Mapping[str, Task]] = {
    "restore-network": Task(restore_network, alone="network"),
    "restore-clock": Task(restore_time_servers, alone="clock"),
    "undo-network": Task(undo_network, alone="network"),
}


def main(words: Sequence[str] | None = None) -> int:
    """Do the one task named, or without a word the order of the connection that is stdin."""
    given = sys.argv[1:] if words is None else words
    if not given:
        heed_no_stop()
        with socket.socket(fileno=os.dup(0)) as connection:
            return serve(connection)
    if len(given) != 1 or given[0] not in TASKS:
        log(f"error: coffer-machine knows {', '.join(TASKS)}, or an order on its socket")
        return 2
    task = TASKS[given[0]]
    return do_task(task.do, alone=task.alone)


def serve(
    connection: socket.socket,
    *,
    root: Path = Path("/"),
    run: Run = run_program,
    trusted: frozenset[str] = TRUSTED,
) -> int:
    """Do the order that comes in, and answer; return the exit code."""

    def say(kind: str, facts: Facts) -> None:
        with suppress(OSError):  # who asked has gone; what was begun is done all the same
            connection.sendall(json.dumps({kind: facts}).encode() + b"\n")

    try:
        order = parse_order(_line(connection))
        uid = _uid(connection)
        log(f"uid {uid} orders {order.kind}")
        way = DOING[type(order)]
        if _name(uid) not in trusted and not way.by_console(order):
            raise OrderRefused("only the agent may order this", remedy="ask the agent for it")
        tools = Tools(run=run, tell=lambda facts: say("progress", facts), root=root)
        with tools.alone(way.alone) if way.alone else nullcontext():
            done = way.do(order, tools)
    except ServiceError as error:
        log(f"refused: {error.what}")
        say("error", {"what": error.what, "remedy": error.remedy})
        return 0
    except OSError as error:
        what = f"{error.filename or 'the machine'}: {error.strerror}"
        log(f"failed: {what}")
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


def _name(uid: int) -> str:
    """Return a user's name; nothing for one that has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
