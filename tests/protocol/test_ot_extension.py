from typing import Any

import numpy as np
import pytest

from services.channel import Channel
from services.errors import CheatingDetected, PeerProtocolError
from services.kernels import blocks, correlation, ggm
from services.kernels.reference import field128 as twin
from services.primitives import base_ot, ot_extension
from services.primitives.ot_extension import Extension
from tests.conversation import both, ends
from tests.doubles import Seeded
from tests.vole_conversation import Change, Tampered, flipped, multiply, replaced

DOMAIN = b"a test's own domain"
NOTHING: Change = lambda message: message  # noqa: E731


def converse(length: int, seed: int = 1, change: Change = NOTHING) -> Any:
    left, right = ends()
    ours, theirs = both(
        ot_extension.receiver(Tampered(left, Extension, change), length, DOMAIN, Seeded(seed)),
        ot_extension.sender(Channel(right), length, DOMAIN, Seeded(seed + 1)),
    )
    return ours, theirs, left, right


@pytest.mark.parametrize("length", [1, 2, 7, 9, 33])
def test_each_bit_is_correlated_with_the_difference(length: int) -> None:
    ours, theirs, _, _ = converse(length, seed=length)

    t, q = correlation.transpose(ours.rows), correlation.transpose(theirs.rows)
    bits = np.unpackbits(ours.choices.view(np.uint8), bitorder="little").astype(bool)
    assert np.array_equal(t[~bits], q[~bits])
    assert np.array_equal(t[bits], q[bits] ^ theirs.delta)
    assert 0 < np.count_nonzero(bits) < len(bits)


def test_bits_combine_to_products_with_the_difference() -> None:
    ours, theirs, _, _ = converse(5)

    shares = correlation.combine(ours.rows), correlation.combine(theirs.rows)
    assert twin.to_ints(shares[0] ^ shares[1]) == multiply(ours.choices, theirs.delta)


def test_sizes_depend_on_the_length_alone() -> None:
    def sizes(length: int, seed: int) -> Any:
        _, _, left, right = converse(length, seed)
        return [[len(data) for data in end.sent] for end in (left, right)]

    assert sizes(4, 1) == sizes(4, 5)
    assert sizes(4, 1) != sizes(5, 1)


def test_secrets_are_not_shown() -> None:
    ours, theirs, _, _ = converse(1)

    assert repr(ours) == "ReceiverRows()"
    assert repr(theirs) == "SenderRows()"


LENGTH = 4
TOTAL = LENGTH + ot_extension.HASHES


async def cheat(channel: Channel, seed: int, change: Change) -> None:
    """Do as the receiver, but change what is sent before it is proven."""
    rng = Seeded(seed)
    based = await base_ot.sender(channel, 128, DOMAIN, rng)
    leaves, sums, _ = ggm.expand(blocks.from_bytes(rng.draw(16 * 16)), 256)
    totals, rows = correlation.fold(leaves, TOTAL)
    drafted = change(ot_extension.draft(based.keys, sums, leaves, totals))
    points = ot_extension.challenge_of(DOMAIN, based.said, drafted)
    await channel.send(ot_extension.prove(drafted, totals, rows, points))


def is_caught(changes: dict[str, Change], blame: str, seed: int = 1) -> bool:
    left, right = ends()
    sender = ot_extension.sender(Channel(right), LENGTH, DOMAIN, Seeded(2))
    try:
        both(cheat(Channel(left), seed, lambda drafted: replaced(drafted, **changes)), sender)
    except CheatingDetected as caught:
        assert str(caught) == f"party 0: {blame}"
        assert caught.rank == 0
        return True
    return False


def every_sum_flipped(column: Any) -> Any:
    return column ^ np.uint64(1)


@pytest.mark.parametrize(
    ("changes", "blame"),
    [
        ({}, ""),
        ({"siblings": every_sum_flipped}, "its trees are inconsistent"),
        ({"tags": flipped(5)}, "its trees are inconsistent"),
        ({"digests": flipped(9)}, "its trees are inconsistent"),
        ({"corrections": flipped(0)}, "its corrections are inconsistent"),
        ({"corrections": flipped(3 * TOTAL + 2)}, "its corrections are inconsistent"),
        ({"corrections": flipped(15 * TOTAL - 1)}, "its corrections are inconsistent"),
    ],
)
def test_a_receiver_that_cheats_is_caught(changes: dict[str, Change], blame: str) -> None:
    assert is_caught(changes, blame) == bool(changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"choices": flipped(0)},
        {"choices": flipped(1)},
        {"proof": lambda proof: bytes(32)},
        {"siblings": every_sum_flipped},
        {"corrections": flipped(0)},
    ],
)
def test_a_message_that_was_changed_after_its_proof_is_refused(changes: dict[str, Change]) -> None:
    with pytest.raises(CheatingDetected, match="party 0"):
        converse(LENGTH, change=lambda message: replaced(message, **changes))


def test_a_wrong_sum_is_caught_by_a_sender_that_needs_it() -> None:
    # Of two sums the sender's way needs one, by a bit of Δ. That is what a cheat may learn at the
    # risk of being caught; it cannot change what the sender ends with.
    for pair in range(4):
        seen = [
            is_caught({"siblings": flipped(2 * pair + side)}, "its trees are inconsistent")
            for side in (0, 1)
        ]
        assert sorted(seen) == [False, True]


@pytest.mark.parametrize("name", ["siblings", "tags", "digests", "corrections", "choices"])
def test_a_receiver_that_sends_less_is_blamed(name: str) -> None:
    with pytest.raises(PeerProtocolError, match=f"party 0: its {name} are not as many as agreed"):
        converse(
            LENGTH, change=lambda message: replaced(message, **{name: lambda column: column[1:]})
        )


def test_a_receiver_that_sends_more_is_blamed() -> None:
    doubled: Change = lambda column: np.concatenate([column, column])  # noqa: E731

    with pytest.raises(PeerProtocolError, match=r"party 0: .* due"):
        converse(LENGTH, change=lambda message: replaced(message, siblings=doubled))
