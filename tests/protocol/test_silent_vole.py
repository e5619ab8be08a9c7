from typing import Any

import numpy as np
import pytest

from services.channel import Channel
from services.errors import CheatingDetected, PeerProtocolError
from services.primitives import noise, silent_vole
from services.primitives.silent_vole import Answer, Challenge, Places, Trees
from services.service import Adversary
from tests.conversation import both, ends
from tests.doubles import Seeded
from tests.vole_conversation import (
    Change,
    Tampered,
    flipped,
    is_correlated,
    is_correlated_by_hash,
    replaced,
)

DOMAIN = b"a test's own domain"
NOTHING: Change = lambda message: message  # noqa: E731


def converse(
    count: int,
    *,
    adversary: Adversary = Adversary.MALICIOUS,
    seed: int = 1,
    tampered: type[Any] = Places,
    change: Change = NOTHING,
) -> Any:
    left, right = ends()
    ours, theirs = both(
        silent_vole.receiver(
            Tampered(left, tampered, change), count, DOMAIN, Seeded(seed), adversary=adversary
        ),
        silent_vole.sender(
            Tampered(right, tampered, change), count, DOMAIN, Seeded(seed + 1), adversary=adversary
        ),
    )
    return ours, theirs, left, right


@pytest.mark.parametrize("adversary", list(Adversary))
@pytest.mark.parametrize("count", [1, 2, 155, 156, 157])
def test_the_vectors_are_correlated_entry_by_entry(count: int, adversary: Adversary) -> None:
    ours, theirs, _, _ = converse(count, adversary=adversary, seed=count)

    assert ours.a.shape == ours.c.shape == theirs.b.shape == (count, 2)
    assert is_correlated(ours, theirs)


@pytest.mark.parametrize("adversary", list(Adversary))
@pytest.mark.parametrize("count", [2495, 2496, 2497, 4992, 10_000, 39_936, 39_937, 65_536])
def test_longer_vectors_are_correlated(count: int, adversary: Adversary) -> None:
    ours, theirs, _, _ = converse(count, adversary=adversary, seed=count)

    assert len(ours.a) == len(ours.c) == len(theirs.b) == count
    assert is_correlated_by_hash(ours, theirs)
    assert len({bytes(entry) for entry in ours.a}) == count


def test_vectors_of_more_than_a_million_are_correlated_in_few_bytes() -> None:
    ours, theirs, left, right = converse(1_360_000)

    assert is_correlated_by_hash(ours, theirs)
    assert sum(map(len, left.sent + right.sent)) < 300 * 2**10


@pytest.mark.parametrize("adversary", list(Adversary))
def test_sizes_and_counts_of_messages_depend_on_the_count_alone(adversary: Adversary) -> None:
    def sizes(count: int, seed: int) -> Any:
        _, _, left, right = converse(count, adversary=adversary, seed=seed)
        return [[len(data) for data in end.sent] for end in (left, right)]

    assert sizes(3000, 1) == sizes(3000, 5)
    assert sizes(3000, 1) != sizes(30_000, 1)


def test_secrets_are_not_shown() -> None:
    ours, theirs, _, _ = converse(1)

    assert repr(ours) == "ReceiverVole()"
    assert repr(theirs) == "SenderVole()"


def every_sum_flipped(column: Any) -> Any:
    return column ^ np.uint64(1)


@pytest.mark.parametrize(
    ("tampered", "changes"),
    [
        (Trees, {"rests": flipped(0)}),
        (Trees, {"rests": flipped(311)}),
        (Trees, {"siblings": every_sum_flipped}),
        (Answer, {"digest": lambda digest: bytes(32)}),
    ],
)
def test_a_sender_that_cheats_is_caught(tampered: type[Any], changes: dict[str, Change]) -> None:
    with pytest.raises(CheatingDetected, match="party 1: its trees are inconsistent") as caught:
        converse(1, tampered=tampered, change=lambda message: replaced(message, **changes))

    assert caught.value.rank == 1


def test_a_wrong_sum_is_caught_if_the_receiver_reads_it() -> None:
    # Whether it does is what a cheat may learn of one place, at the risk of being caught.
    outcomes = []
    for place in (0, 1):
        try:
            converse(
                1,
                tampered=Trees,
                change=lambda message: replaced(message, siblings=flipped(place)),  # noqa: B023
            )
            outcomes.append("unseen")
        except CheatingDetected:
            outcomes.append("caught")

    assert sorted(outcomes) == ["caught", "unseen"]


def test_a_receiver_whose_mask_is_wrong_fools_itself_alone() -> None:
    with pytest.raises(CheatingDetected, match="party 1"):
        converse(
            1,
            tampered=Challenge,
            change=lambda message: replaced(message, mask=lambda mask: bytes(16)),
        )


@pytest.mark.parametrize(
    ("tampered", "name", "blame"),
    [
        (Places, "differences", "party 0: its places are not as many as agreed"),
        (Trees, "siblings", "party 1: its trees have another size"),
        (Trees, "rests", "party 1: its rests are not as many as agreed"),
    ],
)
def test_a_peer_that_sends_less_is_blamed(tampered: type[Any], name: str, blame: str) -> None:
    with pytest.raises(PeerProtocolError, match=blame):
        converse(
            1,
            tampered=tampered,
            change=lambda message: replaced(message, **{name: lambda column: column[1:]}),
        )


@pytest.mark.parametrize(
    ("tampered", "name"), [(Places, "differences"), (Trees, "siblings"), (Trees, "rests")]
)
def test_a_peer_that_sends_more_is_blamed(tampered: type[Any], name: str) -> None:
    longer: Change = lambda column: np.tile(column, (40, 1))  # noqa: E731

    with pytest.raises(PeerProtocolError, match=r"due|most"):
        converse(1, tampered=tampered, change=lambda message: replaced(message, **{name: longer}))


def test_a_peer_that_expects_another_count_is_blamed() -> None:
    left, right = ends()
    roles = (
        silent_vole.receiver(
            Channel(left), 5000, DOMAIN, Seeded(1), adversary=Adversary.SEMI_HONEST
        ),
        silent_vole.sender(
            Channel(right), 500_000, DOMAIN, Seeded(2), adversary=Adversary.SEMI_HONEST
        ),
    )

    with pytest.raises(PeerProtocolError, match="as many as agreed"):
        both(*roles)


def test_the_noise_is_heavy_enough_for_its_security() -> None:
    assert noise.linear_test_bits() >= noise.SECURITY_BITS
    assert noise.WEIGHT >= 2 * noise.SECURITY_BITS  # what guesses of information sets need, twice


@pytest.mark.parametrize("count", [1, 2496, 2497, 1_360_000, 10**8])
def test_the_noise_has_room_for_what_is_asked(count: int) -> None:
    shape = noise.for_outputs(count)

    assert noise.WEIGHT * shape.places >= 2 * count
    assert shape.places >= noise.SMALLEST_PART
    assert 2 ** (shape.depth - 1) < shape.places <= 2**shape.depth
    assert noise.WEIGHT * shape.places % 2 == 0


def test_no_output_is_no_question() -> None:
    with pytest.raises(ValueError, match="0 outputs"):
        noise.for_outputs(0)
