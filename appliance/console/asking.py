"""Asks the agent and the machine's helper, in a process of its own that ends with the answer.

What that takes (gRPC, the orders' models) is as large as the console and slow to load, and is
needed for moments. One line of JSON in, lines out as the helper's: progress, then done or error.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from appliance.api.client import Client
from appliance.api.ways import Refused, Unreachable
from appliance.machine.ask import SOCKET
from appliance.machine.ask import ask as ask_helper
from appliance.machine.errors import OrderRefused
from appliance.machine.orders import parse_order
from services.errors import ServiceError

STATE: Final = Path("/var/lib/coffer")
MOST_QUESTION_BYTES: Final = 64 << 10

Facts = Mapping[str, Any]
Tell = Callable[[Facts], None]


def main() -> int:
    """Answer the question on standard input."""

    def say(kind: str, facts: Facts) -> None:
        print(json.dumps({kind: dict(facts)}), flush=True)

    try:
        question = json.loads(sys.stdin.buffer.readline(MOST_QUESTION_BYTES))
        done = answer(question["kind"], question["body"], lambda facts: say("progress", facts))
    except ServiceError as error:
        say("error", {"what": error.what, "remedy": error.remedy})
        return 0
    say("done", done)
    return 0


def answer(
    kind: str, body: Facts, tell: Tell, *, state: Path = STATE, socket: Path = SOCKET
) -> Facts:
    """Return what the agent or the helper says to a question; what is none of ours is an order.

    Raises: ServiceError, with their own words.
    """

    def order(given: Facts) -> Facts:
        return ask_helper(parse_order(json.dumps(given).encode()), path=socket, tell=tell)

    match kind:
        case "identity":
            return _identity(state)
        case "set-up-code":
            return _set_up_code(state)
        case "add-recovery-key":
            return _recovery_key(state)
        case "set-address":
            return _set_address(body, order)
        case "start-other-slot":
            return _start_other_slot(order)
        case _:
            return order({"kind": kind, **body})


def _identity(state: Path) -> Facts:
    """Return who the node is, and what is amiss with its machine, its cards and its updates."""
    with Client(state) as client:
        node, machine = client.show_node(), client.show_machine()
        updates = _update_problems(client) if machine.is_appliance else []
    problems = [*machine.problems, *(one for card in machine.cards for one in card.problems)]
    return {
        "name": node.name,
        "node_id": node.node_id,
        "operators_address": node.operators_address,
        "problems": [*([one.what, one.remedy] for one in problems), *updates],
    }


def _update_problems(client: Client) -> list[list[str]]:
    """Return why the last update did not stay, if it did not."""
    try:
        update = client.show_slots().update
    except Refused as refused:
        return [[f"the updates cannot be read: {refused.what}", refused.remedy]]
    if update.state not in ("failed", "fell_back"):
        return []
    what = "was given up after its start" if update.state == "fell_back" else "failed"
    return [
        [
            f"the update to {update.version or 'a new version'} {what}: {update.reason}",
            update.remedy,
        ]
    ]


def _set_up_code(state: Path) -> Facts:
    with Client(state) as client:
        code = client.show_set_up_code()
    return {"words": code.words, "address": code.address, "wrong_codes": code.wrong_codes}


def _recovery_key(state: Path) -> Facts:
    try:
        with Client(state) as client:
            return {"recovery_key": client.add_recovery_key().recovery_key}
    except Unreachable as error:
        raise OrderRefused(
            "the agent makes recovery keys, and it does not answer",
            remedy="where /var is not open, choose 5 and 2, type the recovery key that there is,"
            " and restart",
        ) from error


def _set_address(interface: Facts, order: Callable[[Facts], Facts]) -> Facts:
    """Set one interface and leave what was set of the others."""
    kept = order({"kind": "show-network"})["kept"]
    others = [one for one in kept["interfaces"] if one["name"] != interface["name"]]
    plan = {**kept, "interfaces": [*others, interface]}
    return order({"kind": "set-network", "plan": plan, "confirm_within_seconds": 0})


def _start_other_slot(order: Callable[[Facts], Facts]) -> Facts:
    """Have the other slot start next, and restart. Raises: OrderRefused if there is none to."""
    try:
        order({"kind": "change-slots", "verb": "other"})
    except OrderRefused as refused:
        raise OrderRefused(
            f"the other version cannot be started: {refused.what}",
            remedy='"coffer updates show" says what is in the other slot',
        ) from None
    return order({"kind": "restart"})


if __name__ == "__main__":
    sys.exit(main())
