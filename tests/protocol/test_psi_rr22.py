"""The protocol rr22: exact, of even sizes, and with peers that do not keep to it."""

import hashlib
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.channel import Channel
from services.errors import CheatingDetected, PeerLost, PeerProtocolError
from services.kernels import blocks
from services.kernels.blocks import Blocks
from services.kernels.okvs_shape import Shape
from services.primitives import oprf, silent_vole
from services.primitives.oprf import Coin, Commitment, Masked, Seed
from services.progress import Silent
from services.psi import rr22
from services.psi.messages import Images, Labels, Matches
from services.service import Adversary
from services.transport.loopback import pair
from tests.conversation import Recorded, both
from tests.doubles import Seeded, Watched

DOMAIN = b"a test's own domain"

VARIANT = rr22.Variant(image_bytes=10, is_shared=True)

word_sets = st.lists(st.binary(max_size=4), min_size=1, max_size=30, unique=True)
variants = st.builds(
    rr22.Variant,
    adversary=st.sampled_from(Adversary),
    image_bytes=st.integers(8, 16),
    is_shared=st.booleans(),
    label_bytes=st.sampled_from([0, 16, 48]),
)


def items_of(words: list[bytes]) -> Blocks:
    digests = [hashlib.blake2b(word, digest_size=16).digest() for word in words]
    return blocks.from_bytes(b"".join(digests))


def converse(
    ours: list[bytes], theirs: list[bytes], *, variant: rr22.Variant = VARIANT, seed: int = 1
) -> tuple[list[int], list[int], Recorded, Recorded]:
    """Run both roles; return what each learned, in order, and what each said."""
    left, right = (Recorded(end) for end in pair())
    labels = labels_of(theirs, variant)
    found, learned = both(
        receive(Channel(left), ours, len(theirs), variant, seed),
        rr22.sender(
            *(Channel(right), items_of(theirs), len(ours), labels),
            *(DOMAIN, Seeded(seed + 1), Silent()),
            variant=variant,
        ),
    )
    if variant.label_bytes:
        expected = labels_of([ours[place] for place in found.places], variant)
        assert np.array_equal(found.labels, expected)
    return sorted(found.places.tolist()), sorted(learned.tolist()), left, right


def receive(
    channel: Channel, ours: list[bytes], their_count: int, variant: rr22.Variant, seed: int = 1
) -> Coroutine[Any, Any, rr22.Found]:
    return rr22.receiver(
        *(channel, items_of(ours), their_count, DOMAIN, Seeded(seed), Silent()), variant=variant
    )


def send(
    channel: Channel, ours: list[bytes], their_count: int, variant: rr22.Variant
) -> Coroutine[Any, Any, Any]:
    labels = labels_of(ours, variant)
    return rr22.sender(
        *(channel, items_of(ours), their_count, labels, DOMAIN, Seeded(1), Silent()),
        variant=variant,
    )


def labels_of(words: list[bytes], variant: rr22.Variant) -> NDArray[np.uint8]:
    """Return for each word bytes that only its holder can know."""
    made = [hashlib.shake_256(b"label" + word).digest(variant.label_bytes) for word in words]
    return np.frombuffer(b"".join(made), np.uint8).reshape(len(words), variant.label_bytes)


@settings(max_examples=25)
@given(ours=word_sets, theirs=word_sets, variant=variants)
def test_each_learns_exactly_its_own_items_that_match(
    ours: list[bytes], theirs: list[bytes], variant: rr22.Variant
) -> None:
    found, learned, _, _ = converse(ours, theirs, variant=variant)

    assert found == [row for row, word in enumerate(ours) if word in theirs]
    known = [row for row, word in enumerate(theirs) if word in ours]
    assert learned == (known if variant.is_shared else [])


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


@pytest.mark.parametrize("adversary", Adversary)
def test_sizes_and_counts_of_messages_do_not_depend_on_the_items(adversary: Adversary) -> None:
    variant = rr22.Variant(adversary=adversary, image_bytes=10, is_shared=True, label_bytes=16)

    def shape(ours: list[bytes], theirs: list[bytes], seed: int) -> Any:
        _, _, left, right = converse(ours, theirs, variant=variant, seed=seed)
        return [len(data) for data in left.sent], [len(data) for data in right.sent]

    assert shape([b"a", b"b", b"c"], [b"x", b"y"], 1) == shape(
        [b"a", b"b", b"c" * 500], [b"b", b"a"], 7
    )


def test_progress_counts_the_table_and_the_images_at_both_sides() -> None:
    left, right = pair()
    watched = Watched(), Watched()
    total = Shape.of(2000).rows + 2000
    for one in watched:
        one.stage("match", total)
    items = items_of([b"%d" % i for i in range(2000)])
    labels = np.empty((2000, 0), np.uint8)

    both(
        rr22.receiver(
            *(Channel(left), items, 2000, DOMAIN, Seeded(1), watched[0]), variant=VARIANT
        ),
        rr22.sender(
            *(Channel(right), items, 2000, labels, DOMAIN, Seeded(2), watched[1]), variant=VARIANT
        ),
    )

    assert [one.stages for one in watched] == [[("match", total, total)]] * 2


async def take_part(channel: Channel, our_count: int) -> None:
    """Play the sender of rr22 up to its images."""
    rows = Shape.of(our_count).rows
    await silent_vole.sender(channel, rows, DOMAIN, Seeded(2), adversary=Adversary.SEMI_HONEST)
    await channel.receive(Seed)
    await oprf.receive_masked(channel, slice(0, rows))


@pytest.mark.parametrize("count", [0, 2])
def test_receiver_blames_a_sender_of_too_few_images(count: int) -> None:
    async def sends_few(channel: Channel) -> None:
        await take_part(channel, 4)
        await channel.send(Images(np.zeros(10 * count, np.uint8)))

    left, right = pair()
    role = receive(Channel(left), [b"a", b"b", b"c", b"d"], 3, VARIANT)

    with pytest.raises(PeerProtocolError, match="its set changed size"):
        both(role, sends_few(Channel(right)))


def test_receiver_blames_a_sender_of_too_few_labels() -> None:
    variant = rr22.Variant(image_bytes=10, is_shared=False, label_bytes=32)

    async def sends_few(channel: Channel) -> None:
        await take_part(channel, 4)
        await channel.send(Images(np.zeros(30, np.uint8)))
        await channel.send(Labels(np.zeros((5, 2), np.uint64)))

    left, right = pair()
    role = receive(Channel(left), [b"a", b"b", b"c", b"d"], 3, variant)

    with pytest.raises(PeerProtocolError, match="its labels are not as many as its items"):
        both(role, sends_few(Channel(right)))


def test_receiver_catches_a_sender_that_chooses_its_share_of_the_coin_late() -> None:
    variant = rr22.Variant(adversary=Adversary.MALICIOUS, image_bytes=16, is_shared=False)
    rows = Shape.of(2).rows

    async def changes_its_mind(channel: Channel) -> None:
        await channel.send(Commitment(oprf.commit(DOMAIN, bytes(16))))
        await silent_vole.sender(channel, rows, DOMAIN, Seeded(2), adversary=variant.adversary)
        await channel.receive(Seed)
        theirs = await channel.receive(Coin)
        await oprf.receive_masked(channel, slice(0, rows))
        await channel.send(Coin(theirs.share))

    left, right = pair()
    role = receive(Channel(left), [b"a", b"b"], 3, variant)

    with pytest.raises(CheatingDetected, match="its share of the coin"):
        both(role, changes_its_mind(Channel(right)))


def test_receiver_blames_a_sender_that_holds_an_item_twice() -> None:
    with pytest.raises(PeerProtocolError, match="its set holds an item twice"):
        converse([b"a", b"b"], [b"b", b"c", b"b"])


def test_a_liar_that_sends_an_item_twice_hears_nothing_of_whether_it_matches() -> None:
    variant = rr22.Variant(adversary=Adversary.MALICIOUS, image_bytes=16, is_shared=False)

    for doubled in (b"b", b"c"):
        found, _, _, _ = converse([b"a", b"b"], [b"b", b"c", doubled], variant=variant)
        assert found == [1]


@pytest.mark.parametrize("lacks", [1, 140])
def test_sender_blames_a_receiver_whose_table_has_another_size(lacks: int) -> None:
    rows = Shape.of(4).rows

    async def sends_less(channel: Channel) -> None:
        await silent_vole.receiver(
            channel, rows, DOMAIN, Seeded(2), adversary=Adversary.SEMI_HONEST
        )
        await channel.send(Seed(bytes(16)))
        await channel.send(Masked(np.zeros((rows - lacks, 2), np.uint64)))

    left, right = pair()
    role = send(Channel(right), [b"a"], 4, VARIANT)

    with pytest.raises(PeerProtocolError, match="its table changed size"):
        both(sends_less(Channel(left)), role)


def test_sender_blames_a_receiver_that_claims_more_matches_than_it_has_items() -> None:
    rows = Shape.of(1).rows

    async def claims_all(channel: Channel) -> None:
        await silent_vole.receiver(
            channel, rows, DOMAIN, Seeded(2), adversary=Adversary.SEMI_HONEST
        )
        await channel.send(Seed(bytes(16)))
        await channel.send(Masked(np.zeros((rows, 2), np.uint64)))
        await rr22.receive_images(channel, slice(0, 2), VARIANT)
        await channel.send(Matches(np.ones(2, np.bool_)))

    left, right = pair()
    role = send(Channel(right), [b"a", b"b"], 1, VARIANT)

    with pytest.raises(PeerProtocolError, match="more matches than it has items"):
        both(claims_all(Channel(left)), role)


def test_receiver_loses_a_sender_that_hangs_up() -> None:
    left, right = pair()
    role = receive(Channel(left), [b"a"], 3, VARIANT)

    with pytest.raises(PeerLost, match="party 1"):
        both(role, right.close())
