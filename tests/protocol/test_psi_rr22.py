"""The protocol rr22: exact, of even sizes, and with peers that do not keep to it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.channel import Channel
from services.errors import PeerLost, PeerProtocolError
from services.kernels.okvs import Shape
from services.primitives import silent_vole
from services.progress import Silent
from services.psi import rr22
from services.psi.messages import Images, Masked, Matches, Seed
from services.service import Adversary
from services.transport.loopback import pair
from tests.conversation import Recorded, both, keys_of
from tests.doubles import Seeded, Watched

DOMAIN = b"a test's own domain"

word_sets = st.lists(st.binary(max_size=4), min_size=1, max_size=30, unique=True)


def converse(
    ours: list[bytes], theirs: list[bytes], *, is_shared: bool = True, seed: int = 1
) -> tuple[list[int], list[int], Recorded, Recorded]:
    """Run both roles; return what each learned, and what each said."""
    left, right = (Recorded(end) for end in pair())
    found, learned = both(
        rr22.receiver(
            *(Channel(left), keys_of(ours), len(theirs), DOMAIN, Seeded(seed), Silent()),
            is_shared=is_shared,
        ),
        rr22.sender(
            *(Channel(right), keys_of(theirs), len(ours), DOMAIN, Seeded(seed + 1), Silent()),
            is_shared=is_shared,
        ),
    )
    return found.tolist(), learned.tolist(), left, right


@settings(max_examples=15)
@given(ours=word_sets, theirs=word_sets)
def test_each_learns_exactly_its_own_rows_that_match(
    ours: list[bytes], theirs: list[bytes]
) -> None:
    found, learned, _, _ = converse(ours, theirs)

    assert found == [row for row, word in enumerate(ours) if word in theirs]
    assert learned == [row for row, word in enumerate(theirs) if word in ours]


def test_a_sender_that_gets_nothing_learns_no_row() -> None:
    _, learned, _, _ = converse([b"a", b"b"], [b"b", b"c"], is_shared=False)

    assert learned == []


@pytest.mark.parametrize(("our_count", "their_count"), [(70_000, 3), (3, 70_000), (40_000, 80_000)])
def test_sets_of_many_chunks_and_unlike_sizes_are_intersected(
    our_count: int, their_count: int
) -> None:
    ours = [b"%d" % i for i in range(our_count)]
    theirs = [b"%d" % i for i in range(1, their_count + 1)]

    found, learned, _, _ = converse(ours, theirs)

    common = min(our_count - 1, their_count)
    assert found == list(range(1, common + 1))
    assert learned == list(range(common))


def test_sizes_and_counts_of_messages_do_not_depend_on_the_keys() -> None:
    def shape(ours: list[bytes], theirs: list[bytes], seed: int) -> Any:
        _, _, left, right = converse(ours, theirs, seed=seed)
        return [len(data) for data in left.sent], [len(data) for data in right.sent]

    assert shape([b"a", b"b", b"c"], [b"x", b"y"], 1) == shape(
        [b"a", b"b", b"c" * 500], [b"b", b"a"], 7
    )


def test_progress_reaches_its_total_at_both_sides() -> None:
    left, right = pair()
    watched = Watched(), Watched()
    words = keys_of([b"%d" % i for i in range(2000)])

    both(
        rr22.receiver(Channel(left), words, 2000, DOMAIN, Seeded(1), watched[0], is_shared=True),
        rr22.sender(Channel(right), words, 2000, DOMAIN, Seeded(2), watched[1], is_shared=True),
    )

    for stages in (watched[0].stages, watched[1].stages):
        assert [name for name, _, _ in stages] == ["exchange", "compare"]
        assert all(done == total > 0 for _, total, done in stages)


async def take_part(channel: Channel, our_count: int) -> None:
    """Play the sender of rr22 up to its images."""
    rows = Shape.of(our_count).rows
    await silent_vole.sender(channel, rows, DOMAIN, Seeded(2), adversary=Adversary.SEMI_HONEST)
    await channel.receive(Seed)
    await rr22.receive_masked(channel, slice(0, rows))


@pytest.mark.parametrize("count", [0, 2])
def test_receiver_blames_a_sender_of_too_few_images(count: int) -> None:
    async def sends_few(channel: Channel) -> None:
        await take_part(channel, 4)
        await channel.send(Images(np.zeros((count, rr22.IMAGE_BYTES), np.uint8)))

    left, right = pair()
    role = rr22.receiver(
        *(Channel(left), keys_of([b"a", b"b", b"c", b"d"]), 3, DOMAIN, Seeded(1), Silent()),
        is_shared=False,
    )

    with pytest.raises(PeerProtocolError, match="its set changed size"):
        both(role, sends_few(Channel(right)))


def test_receiver_blames_a_sender_that_holds_a_key_twice() -> None:
    with pytest.raises(PeerProtocolError, match="its set holds a key twice"):
        converse([b"a", b"b"], [b"b", b"c", b"b"])


@pytest.mark.parametrize("lacks", [1, 140])
def test_sender_blames_a_receiver_whose_table_has_another_size(lacks: int) -> None:
    rows = Shape.of(4).rows

    async def sends_less(channel: Channel) -> None:
        await silent_vole.receiver(
            channel, rows, DOMAIN, Seeded(2), adversary=Adversary.SEMI_HONEST
        )
        await channel.send(Seed(bytes(16)))
        await channel.send(Masked(np.zeros((rows - lacks, 16), np.uint8)))

    left, right = pair()
    role = rr22.sender(
        *(Channel(right), keys_of([b"a"]), 4, DOMAIN, Seeded(1), Silent()), is_shared=False
    )

    with pytest.raises(PeerProtocolError, match="its table changed size"):
        both(sends_less(Channel(left)), role)


def test_sender_blames_a_receiver_that_claims_more_matches_than_it_has_keys() -> None:
    rows = Shape.of(1).rows

    async def claims_all(channel: Channel) -> None:
        await silent_vole.receiver(
            channel, rows, DOMAIN, Seeded(2), adversary=Adversary.SEMI_HONEST
        )
        await channel.send(Seed(bytes(16)))
        await channel.send(Masked(np.zeros((rows, 16), np.uint8)))
        await rr22.receive_images(channel, slice(0, 2))
        await channel.send(Matches(np.ones(2, np.bool_)))

    left, right = pair()
    role = rr22.sender(
        *(Channel(right), keys_of([b"a", b"b"]), 1, DOMAIN, Seeded(1), Silent()), is_shared=True
    )

    with pytest.raises(PeerProtocolError, match="more matches than it has keys"):
        both(claims_all(Channel(left)), role)


def test_receiver_loses_a_sender_that_hangs_up() -> None:
    left, right = pair()
    role = rr22.receiver(
        *(Channel(left), keys_of([b"a"]), 3, DOMAIN, Seeded(1), Silent()), is_shared=False
    )

    with pytest.raises(PeerLost, match="party 1"):
        both(role, right.close())
