from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.channel import Channel
from services.errors import PeerProtocolError
from services.primitives import base_ot
from services.primitives.base_ot import Choices, Offer
from services.transport.loopback import pair
from tests.conversation import both, ends
from tests.doubles import Seeded

DOMAIN = b"a test's own domain"


def converse(
    choices: list[int], seed: int = 1, *, domains: tuple[bytes, bytes] = (DOMAIN, DOMAIN)
) -> Any:
    left, right = ends()
    taken, keys = both(
        base_ot.receiver(Channel(left), np.array(choices, np.uint8), domains[0], Seeded(seed)),
        base_ot.sender(Channel(right), len(choices), domains[1], Seeded(seed + 1)),
    )
    return taken, keys, left, right


@settings(max_examples=10)
@given(choices=st.lists(st.integers(0, 1), min_size=1, max_size=20), seed=st.integers(0, 99))
def test_the_receiver_gets_the_keys_that_it_chose_and_no_others(
    choices: list[int], seed: int
) -> None:
    taken, keys, _, _ = converse(choices, seed)

    each = np.arange(len(choices))
    assert np.array_equal(taken.keys, keys.keys[each, choices])
    assert taken.said == keys.said
    assert len({bytes(key) for key in keys.keys.reshape(-1, 2)}) == 2 * len(choices)


def test_what_is_sent_has_one_size_whatever_is_chosen() -> None:
    _, _, left, right = converse([0, 0, 0, 0])
    _, _, turned, other = converse([1, 0, 1, 1], seed=9)

    assert [len(data) for data in left.sent] == [len(data) for data in turned.sent]
    assert [len(data) for data in right.sent] == [len(data) for data in other.sent]


def test_another_domain_gives_other_keys() -> None:
    taken, keys, _, _ = converse([0, 1], domains=(b"one", b"other"))

    assert not np.array_equal(taken.keys, keys.keys[[0, 1], [0, 1]])


Misbehaviour = Callable[[Channel], Coroutine[Any, Any, None]]
IDENTITY = np.zeros((1, 32), np.uint8)
BAD = np.full((1, 32), 255, np.uint8)


async def offers_the_identity(channel: Channel) -> None:
    await channel.send(Offer(IDENTITY))


async def offers_no_element(channel: Channel) -> None:
    await channel.send(Offer(BAD))


async def offers_none(channel: Channel) -> None:
    await channel.send(Offer(BAD[:0]))


@pytest.mark.parametrize(
    ("misbehaves", "blame"),
    [
        (offers_the_identity, "party 1: its offer is not in the group"),
        (offers_no_element, "party 1: its offer is not in the group"),
        (offers_none, "party 1: its offer is not one element"),
    ],
)
def test_receiver_blames_a_sender_that(misbehaves: Misbehaviour, blame: str) -> None:
    left, right = pair()
    role = base_ot.receiver(Channel(left), np.array([0, 1], np.uint8), DOMAIN, Seeded(1))

    with pytest.raises(PeerProtocolError, match=blame):
        both(role, misbehaves(Channel(right)))


async def chooses_too_few(channel: Channel) -> None:
    await channel.send(Choices(np.zeros((3, 32), np.uint8)))


async def chooses_too_many(channel: Channel) -> None:
    await channel.send(Choices(np.zeros((5, 32), np.uint8)))


async def chooses_no_elements(channel: Channel) -> None:
    await channel.send(Choices(np.repeat(BAD, 4, axis=0)))


@pytest.mark.parametrize(
    ("misbehaves", "blame"),
    [
        (chooses_too_few, "party 1: its choices are not as many as agreed"),
        (chooses_too_many, "party 1: .* due"),
        (chooses_no_elements, "party 1: element 0 is not in the group"),
    ],
)
def test_sender_blames_a_receiver_that(misbehaves: Misbehaviour, blame: str) -> None:
    left, right = pair()
    role = base_ot.sender(Channel(left), 2, DOMAIN, Seeded(1))

    with pytest.raises(PeerProtocolError, match=blame):
        both(role, misbehaves(Channel(right)))
