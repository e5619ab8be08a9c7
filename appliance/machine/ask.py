"""Asks the machine's helper, by its socket: one connection, one order, one answer.

Only members of the group coffer-machine reach the socket: the agent and the console.
"""

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from pydantic import BaseModel, JsonValue

from appliance.machine.errors import HelperLost, OrderRefused, OutsideAppliance
from appliance.machine.orders import write_order

SOCKET: Final = Path("/run/coffer-machine.socket")
MOST_LINE_BYTES: Final = 4 << 20
ANSWER_SECONDS: Final = 600.0

Facts = Mapping[str, JsonValue]


class Helper(Protocol):
    """Gives an order and returns what was done, as :func:`ask` does."""

    def __call__(self, order: BaseModel, *, tell: Callable[[Facts], None] = ...) -> Facts:
        """Call ``tell`` with each word of progress until then."""


def _ignore(progress: Facts) -> None:
    """Tell nobody."""


def ask(
    order: BaseModel,
    *,
    path: Path = SOCKET,
    tell: Callable[[Facts], None] = _ignore,
    answer_seconds: float = ANSWER_SECONDS,
) -> Facts:
    """Give the helper an order and return what it says when it has done it.

    tell:           called with each word of progress until then.
    answer_seconds: the longest silence.
    Raises: OutsideAppliance, OrderRefused with the helper's own words, HelperLost.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(answer_seconds)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            raise OutsideAppliance from None
        except PermissionError:
            raise OrderRefused(
                "this user may not change the machine",
                remedy='ask the agent: "coffer machine --help" lists what it orders',
            ) from None
        try:
            connection.sendall(write_order(order))
            return _answer(connection, tell)
        except TimeoutError:
            raise HelperLost("the machine's helper does not answer", remedy=_SEE_LOG) from None
        except OSError:
            raise HelperLost("the machine's helper went away", remedy=_SEE_LOG) from None


_SEE_LOG: Final = 'its journal says why: "coffer machine logs --unit coffer-machine"'


def _answer(connection: socket.socket, tell: Callable[[Facts], None]) -> Facts:
    with connection.makefile("rb") as lines:
        while line := lines.readline(MOST_LINE_BYTES + 1):
            is_whole = line.endswith(b"\n") and len(line) <= MOST_LINE_BYTES
            kind, facts = _parsed(line) if is_whole else ("", {})
            if kind == "progress":
                tell(facts)
            elif kind == "done":
                return facts
            elif kind == "error":
                raise OrderRefused(str(facts.get("what")), remedy=str(facts.get("remedy", "")))
            else:
                raise HelperLost("the machine's helper is not understood", remedy=_SEE_LOG)
    raise HelperLost("the machine's helper ended without an answer", remedy=_SEE_LOG)


def _parsed(line: bytes) -> tuple[str, Facts]:
    """Return the one word of an answer and what it carries; an empty word for any other line."""
    try:
        read = json.loads(line)
    except ValueError:
        return "", {}
    if not isinstance(read, dict) or len(read) != 1:
        return "", {}
    kind, facts = next(iter(read.items()))
    return (kind, facts) if isinstance(facts, dict) else ("", {})
