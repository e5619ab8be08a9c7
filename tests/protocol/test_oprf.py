"""The oblivious PRF: values agree, unsolvable tables are tried again, cheats are caught."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.channel import Channel
from services.errors import CheatingDetected
from services.kernels import blocks, okvs
from services.kernels.blocks import Blocks
from services.kernels.okvs import OkvsUnsolvable
from services.kernels.okvs_shape import Shape
from services.primitives import oprf
from services.progress import Silent
from services.randomness import Rng
from services.service import Adversary
from services.transport.loopback import pair
from tests.conversation import both
from tests.doubles import Seeded

DOMAIN = b"a test's own domain"


def items_of(count: int, start: int = 0) -> Blocks:
    digests = [hashlib.blake2b(b"%d" % (start + n), digest_size=16).digest() for n in range(count)]
    return blocks.from_bytes(b"".join(digests))


def converse(items: Blocks, adversary: Adversary, seed: int = 1) -> tuple[oprf.Function, Blocks]:
    left, right = pair()
    function, values = both(
        oprf.sender(
            Channel(left), len(items), DOMAIN, Seeded(seed + 1), Silent(), adversary=adversary
        ),
        oprf.receiver(Channel(right), items, DOMAIN, Seeded(seed), Silent(), adversary=adversary),
    )
    assert isinstance(function, oprf.Function)
    return function, values


@settings(max_examples=10)
@given(count=st.integers(1, 300), adversary=st.sampled_from(Adversary), seed=st.integers(0, 99))
def test_both_get_the_same_values_of_the_receivers_items(
    count: int, adversary: Adversary, seed: int
) -> None:
    items = items_of(count)

    function, values = converse(items, adversary, seed)

    assert np.array_equal(function.evaluate(items), values)


def test_values_of_other_items_are_unlike_what_the_receiver_can_decode() -> None:
    function, values = converse(items_of(100), Adversary.SEMI_HONEST)

    others = function.evaluate(items_of(100, start=100))

    known = {value.tobytes() for value in values}
    assert len(known | {value.tobytes() for value in others}) == 200


@pytest.mark.parametrize("failures", [1, 3, oprf.MOST_SEEDS - 1])
def test_a_table_that_cannot_be_solved_is_tried_with_another_seed(
    failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[bytes] = []
    encode = okvs.encode

    def failing(shape: Shape, seed: bytes, x: Blocks, y: Blocks, rng: Rng) -> Blocks:
        seeds.append(seed)
        if len(seeds) <= failures:
            raise OkvsUnsolvable("no table")
        return encode(shape, seed, x, y, rng)

    monkeypatch.setattr(okvs, "encode", failing)
    items = items_of(50)

    function, values = converse(items, Adversary.SEMI_HONEST)

    assert np.array_equal(function.evaluate(items), values)
    assert len(set(seeds)) == failures + 1


def test_a_table_that_no_seed_solves_is_an_error_not_a_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[bytes] = []

    def failing(shape: Shape, seed: bytes, x: Blocks, y: Blocks, rng: Rng) -> Blocks:
        tried.append(seed)
        raise OkvsUnsolvable("no table")

    monkeypatch.setattr(okvs, "encode", failing)

    with pytest.raises(OkvsUnsolvable):
        converse(items_of(5), Adversary.SEMI_HONEST)
    assert len(tried) == oprf.MOST_SEEDS


def test_the_receiver_catches_a_share_that_was_not_committed_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit = oprf.commit
    made: list[bytes] = []

    def once(domain: bytes, share: bytes) -> bytes:
        made.append(share)  # the first call is the sender's
        return commit(domain, bytes(16) if len(made) == 1 else share)

    monkeypatch.setattr(oprf, "commit", once)

    with pytest.raises(CheatingDetected, match="its share of the coin"):
        converse(items_of(5), Adversary.MALICIOUS)
