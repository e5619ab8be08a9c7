"""Cards that are plugged in while the machine runs: found by their ids, driven, and measured."""

import time
from collections.abc import Callable
from typing import Any, Final

from tests.vm.operators.operator import Box, Operator

_FOUND_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 5.0


def test_a_card_with_a_driver_is_measured_and_one_without_is_a_named_problem(
    box: Box,
) -> None:
    machine, operator = box.machine, box.operator
    before = cards_of(operator)

    # Stand-ins for cards: one that Debian's kernel has a driver for, and one that it has not.
    machine.monitor.ask("object-add", {"qom-type": "cryptodev-backend-builtin", "id": "engine"})
    crypto = {"driver": "virtio-crypto-pci", "cryptodev": "engine", "bus": "slot-1"}
    machine.monitor.ask("device_add", crypto)
    machine.monitor.ask("device_add", {"driver": "edu", "bus": "slot-2"})
    cards = wait_for(operator, lambda found: len(found) == 2 and found[0]["driver"] != "")

    assert before == []
    assert {card["title"]: (card["driver"], what_of(card)) for card in cards} == {
        "virtio 1.0 crypto": ("virtio-pci", []),
        "edu": ("", ["no driver is bound to edu; it needs uio_pci_generic"]),
    }
    for card in cards:
        (reading,) = card["readings"]
        assert reading["metric"] == "configuration_reads_failed"
        assert (reading.get("value", 0), reading["health"]) == (0, "well")


def what_of(card: dict[str, Any]) -> list[str]:
    """Return what is wrong with a card."""
    return [problem["what"] for problem in card.get("problems", [])]


def cards_of(operator: Operator) -> list[dict[str, Any]]:
    """Return the cards of the machine, by their address."""
    cards = operator.ask("box", "machine", "show").get("cards", [])
    assert isinstance(cards, list)
    return cards


def wait_for(
    operator: Operator, is_there: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """Return the machine's cards once they are as they should be."""
    end = time.monotonic() + _FOUND_SECONDS
    while not is_there(cards := cards_of(operator)):
        assert time.monotonic() < end, cards
        time.sleep(_POLL_SECONDS)
    return cards
