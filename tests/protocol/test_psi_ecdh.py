import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.channel import Channel
from services.errors import PeerLost, PeerProtocolError
from services.progress import Silent
from services.psi import ecdh
from services.psi.messages import Blinded, Matches, Reblinded
from services.transport.loopback import pair
from tests.conversation import (
    Recorded,
    ToyGroup,
    both,
    converse,
    ends,
    keys_of,
    real_group,
)
from tests.doubles import Seeded, Watched

word_sets = st.lists(st.binary(max_size=4), min_size=1, max_size=30, unique=True)


@given(ours=word_sets, theirs=word_sets)
def test_receiver_learns_exactly_the_rows_that_match(
    ours: list[bytes], theirs: list[bytes]
) -> None:
    found, learned, _, _ = converse(ours, theirs)

    assert found == [row for row, word in enumerate(ours) if word in theirs]
    assert learned == []


@given(ours=word_sets, theirs=word_sets)
def test_both_learn_their_own_rows_that_match_if_that_is_shared(
    ours: list[bytes], theirs: list[bytes]
) -> None:
    found, learned, _, _ = converse(ours, theirs, is_shared=True)

    assert found == [row for row, word in enumerate(ours) if word in theirs]
    assert learned == [row for row, word in enumerate(theirs) if word in ours]


def test_the_intersection_is_found_in_the_real_group() -> None:
    ours = [b"%d" % i for i in range(0, 90, 2)]
    theirs = [b"%d" % i for i in range(0, 90, 3)]

    found, learned, _, _ = converse(ours, theirs, group=real_group(), is_shared=True)

    assert [ours[row] for row in found] == [theirs[row] for row in learned]
    assert found == list(range(0, 45, 3))


@pytest.mark.parametrize(("our_count", "their_count"), [(20_000, 3), (3, 20_000), (8192, 16_384)])
def test_sets_of_many_chunks_and_unlike_sizes_are_intersected(
    our_count: int, their_count: int
) -> None:
    ours = [b"%d" % i for i in range(our_count)]
    theirs = [b"%d" % i for i in range(1, their_count + 1)]

    found, learned, left, right = converse(ours, theirs, is_shared=True)

    assert len(found) == len(learned) == min(our_count - 1, their_count)
    assert max(map(len, left.sent + right.sent)) < 2**19


def test_progress_reaches_its_total_at_both_sides() -> None:
    left, right = ends()
    watched = Watched(), Watched()
    for one in watched:
        one.stage("match", 18_500)
    words = [b"%d" % i for i in range(10_000)]
    ours, theirs = keys_of(words[:9000]), keys_of(words[500:])

    both(
        ecdh.receiver(Channel(left), ours, 9500, ToyGroup(), Seeded(1), watched[0], is_shared=True),
        ecdh.sender(
            Channel(right), theirs, 9000, ToyGroup(), Seeded(2), watched[1], is_shared=True
        ),
    )

    for stages in (watched[0].stages, watched[1].stages):
        assert stages == [("match", 18_500, 18_500)]


def test_a_lone_receiver_says_no_more_than_its_blinded_set() -> None:
    _, _, left, _ = converse([b"a", b"b"], [b"b", b"c"], is_shared=False)

    assert len(left.sent) == 1


def test_sizes_and_counts_of_messages_do_not_depend_on_the_keys() -> None:
    def shape(ours: list[bytes], theirs: list[bytes], seed: int) -> Any:
        _, _, left, right = converse(ours, theirs, group=real_group(), is_shared=True, seed=seed)
        return [len(data) for data in left.sent], [len(data) for data in right.sent]

    disjoint = shape([b"a", b"b", b"c"], [b"x", b"y"], seed=1)
    alike = shape([b"a", b"b", b"c" * 500], [b"b", b"a"], seed=2)

    assert disjoint == alike


def test_the_sender_hides_the_order_of_its_keys() -> None:
    words = [b"%d" % i for i in range(50)]
    group = ToyGroup()

    _, _, _, first = converse(words, words, group=group, seed=1)
    _, _, _, turned = converse(words, words[::-1], group=group, seed=1)

    # Under one seed the order is one secret permutation: the sets sent are equal, their order not.
    assert first.sent[0] != turned.sent[0]
    assert sorted(_rows_of(first)) == sorted(_rows_of(turned))


def _rows_of(recorded: Recorded) -> list[bytes]:
    data = recorded.sent[0][-50 * 32 :]
    return [data[start : start + 32] for start in range(0, len(data), 32)]


def test_keys_of_another_domain_never_compare() -> None:
    left, right = ends()
    keys = keys_of([b"a", b"b"])
    here = ecdh.receiver(Channel(left), keys, 2, real_group(), Seeded(1), Silent(), is_shared=False)
    there = ecdh.sender(
        Channel(right), keys, 2, type(real_group())(b"else"), Seeded(2), Silent(), is_shared=False
    )

    found, _ = both(here, there)

    assert found.tolist() == []


# What a peer in the sender's place may do wrong, to a receiver of four keys that expects three.

Elements = Any
Misbehaviour = Callable[[Channel], Coroutine[Any, Any, None]]


def elements(count: int) -> Elements:
    column = np.zeros((count, 32), np.uint8)
    column[:, 0] = np.arange(1, 1 + 2 * count, 2)
    return column


async def blinds_too_few(channel: Channel) -> None:
    await channel.send(Blinded(elements(2)))


async def blinds_too_many(channel: Channel) -> None:
    await channel.send(Blinded(elements(4)))


async def blinds_one_twice(channel: Channel) -> None:
    await channel.send(Blinded(elements(3)[[0, 1, 0]]))
    await channel.send(Reblinded((await channel.receive(Blinded, rows=4)).elements))


async def blinds_the_identity(channel: Channel) -> None:
    await channel.send(Blinded(np.zeros((3, 32), np.uint8)))


async def reblinds_too_few(channel: Channel) -> None:
    await channel.send(Blinded(elements(3)))
    await channel.send(Reblinded((await channel.receive(Blinded, rows=4)).elements[1:]))


async def reblinds_too_many(channel: Channel) -> None:
    await channel.send(Blinded(elements(3)))
    await channel.send(Reblinded(elements(5)))


async def reblinds_to_one_element(channel: Channel) -> None:
    await channel.send(Blinded(elements(3)))
    await channel.send(Reblinded(elements(4)[[0, 0, 0, 0]]))


async def reblinds_first(channel: Channel) -> None:
    await channel.send(Reblinded(elements(1)))


async def blinds_twice(channel: Channel) -> None:
    await channel.send(Blinded(elements(3)))
    await channel.send(Blinded(elements(3)))


@pytest.mark.parametrize(
    ("misbehaves", "blame"),
    [
        (blinds_too_few, "party 1: its blinded set is not as large as agreed"),
        (blinds_too_many, "party 1: .* due"),
        (blinds_one_twice, "party 1: its set holds an element twice"),
        (blinds_the_identity, "party 1: .*not in the group"),
        (reblinds_too_few, "party 1: a reblinded set changed size"),
        (reblinds_too_many, "party 1: .* due"),
        (reblinds_to_one_element, "party 1: its set holds an element twice"),
        (reblinds_first, "party 1: message psi.ecdh/blinded: another"),
        (blinds_twice, "party 1: message psi.ecdh/reblinded: another"),
    ],
)
def test_receiver_blames_a_sender_that(misbehaves: Misbehaviour, blame: str) -> None:
    left, right = pair()
    role = ecdh.receiver(
        Channel(left),
        keys_of([b"a", b"b", b"c", b"d"]),
        3,
        ToyGroup(),
        Seeded(1),
        Silent(),
        is_shared=False,
    )

    with pytest.raises(PeerProtocolError, match=blame):
        both(role, misbehaves(Channel(right)))


@pytest.mark.parametrize(
    "encoding", ["00" * 32, "ff" * 32, "01" + "00" * 31, "ed" + "ff" * 30 + "7f"]
)
def test_receiver_blames_a_sender_for_an_element_outside_the_real_group(encoding: str) -> None:
    async def blinds_it(channel: Channel) -> None:
        bad = np.frombuffer(bytes.fromhex(encoding), np.uint8).reshape(1, 32)
        await channel.send(Blinded(bad))

    left, right = pair()
    role = ecdh.receiver(
        Channel(left), keys_of([b"a"]), 1, real_group(), Seeded(1), Silent(), is_shared=False
    )

    with pytest.raises(PeerProtocolError, match="party 1: element 0 is not in the group"):
        both(role, blinds_it(Channel(right)))


def test_receiver_loses_a_sender_that_hangs_up() -> None:
    left, right = pair()
    role = ecdh.receiver(
        Channel(left), keys_of([b"a"]), 3, ToyGroup(), Seeded(1), Silent(), is_shared=False
    )

    with pytest.raises(PeerLost, match="party 1"):
        both(role, right.close())


# What a peer in the receiver's place may do wrong, to a sender of three keys that expects four.


async def offers_too_few(channel: Channel) -> None:
    await channel.send(Blinded(elements(3)))


async def offers_too_many(channel: Channel) -> None:
    await channel.send(Blinded(elements(5)))


async def offers_one_twice(channel: Channel) -> None:
    await channel.send(Blinded(elements(4)[[0, 1, 2, 0]]))
    await _takes_all(channel)


async def offers_the_identity(channel: Channel) -> None:
    await channel.send(Blinded(np.zeros((4, 32), np.uint8)))


async def claims_matches_of_other_size(channel: Channel) -> None:
    await channel.send(Blinded(elements(4)))
    await channel.send(Matches(np.zeros(2, np.bool_)))
    await _takes_all(channel)


async def claims_too_many_matches(channel: Channel) -> None:
    await channel.send(Blinded(elements(4)))
    await channel.send(Matches(np.ones(4, np.bool_)))
    await _takes_all(channel)


async def answers_out_of_turn(channel: Channel) -> None:
    await channel.send(Matches(np.zeros(3, np.bool_)))


async def _takes_all(channel: Channel) -> None:
    await channel.receive(Blinded, rows=3)
    await channel.receive(Reblinded, rows=4)


@pytest.mark.parametrize(
    ("misbehaves", "blame"),
    [
        (offers_too_few, "party 0: its blinded set is not as large as agreed"),
        (offers_too_many, "party 0: .* due"),
        (offers_one_twice, "party 0: its set holds an element twice"),
        (offers_the_identity, "party 0: .*not in the group"),
        (claims_matches_of_other_size, "party 0: its matches are not of our elements"),
        (claims_too_many_matches, "party 0: .* due"),
        (answers_out_of_turn, "party 0: message psi.ecdh/blinded: another"),
    ],
)
def test_sender_blames_a_receiver_that(misbehaves: Misbehaviour, blame: str) -> None:
    left, right = pair()
    role = ecdh.sender(
        Channel(right),
        keys_of([b"a", b"b", b"c"]),
        4,
        ToyGroup(),
        Seeded(1),
        Silent(),
        is_shared=True,
    )

    with pytest.raises(PeerProtocolError, match=blame):
        both(misbehaves(Channel(left)), role)


def test_sender_blames_a_receiver_that_claims_more_matches_than_it_has_keys() -> None:
    async def claims_all(channel: Channel) -> None:
        await channel.send(Blinded(elements(1)))
        await channel.send(Matches(np.ones(3, np.bool_)))
        await channel.receive(Blinded, rows=3)
        await channel.receive(Reblinded, rows=1)

    left, right = pair()
    keys = keys_of([b"a", b"b", b"c"])
    role = ecdh.sender(Channel(right), keys, 1, ToyGroup(), Seeded(1), Silent(), is_shared=True)

    with pytest.raises(PeerProtocolError, match="party 0: more matches than it has keys"):
        both(claims_all(Channel(left)), role)


def test_sender_loses_a_receiver_that_hangs_up() -> None:
    left, right = pair()
    keys = keys_of([b"a"])
    role = ecdh.sender(Channel(right), keys, 3, ToyGroup(), Seeded(1), Silent(), is_shared=False)

    async def takes_one_and_goes() -> None:
        await Channel(left).receive(Blinded, rows=1)
        await left.close()

    with pytest.raises(PeerLost, match="party 0"):
        both(takes_one_and_goes(), role)


def test_a_cancelled_role_leaves_no_part_of_it_running() -> None:
    async def run() -> set[str]:
        left, _ = pair()
        role = ecdh.receiver(
            Channel(left), keys_of([b"a"]), 1, ToyGroup(), Seeded(1), Silent(), is_shared=False
        )
        task = asyncio.create_task(role)
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        return {other.get_name() for other in asyncio.all_tasks() if not other.done()}

    assert len(asyncio.run(run())) == 1
