"""The count that names no key: its whole privacy is the two orders that the sender keeps secret."""

from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from services.channel import Channel
from services.errors import PeerProtocolError
from services.primitives.group import Group
from services.progress import Silent
from services.psi import ecdh, shuffled
from services.psi.messages import Blinded, Reblinded
from services.transport.loopback import pair
from tests.conversation import Recorded, ToyGroup, both, ends, keys_of, real_group
from tests.doubles import Seeded

WORDS = [b"%d" % number for number in range(50)]
UNFIT = ["00" * 32, "ff" * 32, "01" + "00" * 31, "02" + "00" * 31, "ed" + "ff" * 30 + "7f"]
"""Zero, no number of the field, a point of small order, one on the twist, and p itself."""


def play(
    channel: Channel, role: Any, words: list[bytes], their_count: int, group: Group, seed: int
) -> Coroutine[Any, Any, Any]:
    made: Coroutine[Any, Any, Any] = role(
        channel, keys_of(words), their_count, group, Seeded(seed), Silent()
    )
    return made


def sent_by_sender(ours: list[bytes], theirs: list[bytes]) -> Recorded:
    left, right = ends()
    both(
        play(Channel(left), shuffled.receiver, ours, len(theirs), ToyGroup(), 1),
        play(Channel(right), shuffled.sender, theirs, len(ours), ToyGroup(), 2),
    )
    return right


def rows_of(message: bytes) -> list[bytes]:
    """Return the elements at the end of a message."""
    data = message[-32 * len(WORDS) :]
    return [data[start : start + 32] for start in range(0, len(data), 32)]


@pytest.mark.parametrize("message", [0, 1])
def test_the_sender_hides_the_order_of_its_keys_and_of_ours(message: int) -> None:
    """Under one seed the orders are two secret permutations: turned lists give equal sets."""
    turned = (WORDS, WORDS[::-1]) if message == 0 else (WORDS[::-1], WORDS)

    first = rows_of(sent_by_sender(WORDS, WORDS).sent[message])
    second = rows_of(sent_by_sender(*turned).sent[message])

    assert sorted(first) == sorted(second)
    assert first != second[::-1], "the order sent is that of the list"


def test_what_the_receiver_sees_match_is_spread_over_its_list() -> None:
    """Which of the places match is by the sender's order, not by the keys'."""
    left, right = ends()
    found, order = both(
        play(Channel(left), shuffled.receiver, WORDS[:25], 50, ToyGroup(), 1),
        play(Channel(right), shuffled.sender, WORDS, 25, ToyGroup(), 2),
    )

    assert sorted(order[found].tolist()) == list(range(25))
    assert np.flatnonzero(found).tolist() != list(range(25))


@pytest.mark.parametrize("encoding", UNFIT)
@pytest.mark.parametrize("role", [shuffled.receiver, shuffled.sender, ecdh.sender])
def test_elements_outside_the_real_group_are_blamed(role: Any, encoding: str) -> None:
    async def blinds_it(channel: Channel) -> None:
        bad = np.frombuffer(bytes.fromhex(encoding), np.uint8).reshape(1, 32)
        await channel.send(Blinded(bad))

    left, right = pair()
    options = {"is_shared": False} if role is ecdh.sender else {}
    honest = role(Channel(left), keys_of([b"a"]), 1, real_group(), Seeded(1), Silent(), **options)

    with pytest.raises(PeerProtocolError, match="party 1: element 0 is not in the group"):
        both(honest, blinds_it(Channel(right)))


def test_a_reblinded_set_that_comes_in_two_ways_is_blamed() -> None:
    async def reblinds_twice(channel: Channel) -> None:
        came = await channel.receive(Blinded, rows=2)
        await channel.send(Blinded(came.elements[:1]))
        await channel.send(Reblinded(came.elements[[0, 0]]))

    left, right = pair()
    honest = play(Channel(left), shuffled.receiver, [b"a", b"b"], 1, ToyGroup(), 1)

    with pytest.raises(PeerProtocolError, match="party 1: its set holds an element twice"):
        both(honest, reblinds_twice(Channel(right)))
