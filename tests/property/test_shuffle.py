"""Random orders: those of the twin, and all equally likely."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.kernels.blocks import from_bytes
from services.kernels.reference import shuffle as twin
from services.kernels.shuffle import KEY_BYTES, permutation, take
from tests.doubles import Seeded


@given(count=st.integers(0, 200), seed=st.integers(0, 2**32))
@example(count=3000, seed=1)
def test_an_order_is_that_of_the_twin(count: int, seed: int) -> None:
    order = permutation(Seeded(seed), count)

    assert order.tolist() == twin.permutation(Seeded(seed).draw(KEY_BYTES), count)


def test_an_order_holds_each_number_once() -> None:
    order = permutation(Seeded(1), 100_000)

    assert np.array_equal(np.sort(order), np.arange(100_000))
    assert np.count_nonzero(order == np.arange(100_000)) < 10


def test_all_orders_of_four_come_equally_often() -> None:
    rng = Seeded(1)

    seen = Counter(tuple(permutation(rng, 4).tolist()) for _ in range(24_000))

    # 1000 of each are expected; the standard deviation is 31.
    assert len(seen) == 24
    assert all(850 < times < 1150 for times in seen.values())


@given(count=st.integers(1, 200), places=st.lists(st.integers(0, 199), max_size=200))
def test_blocks_are_taken_in_any_order(count: int, places: list[int]) -> None:
    column = from_bytes(Seeded(1).draw(16 * count))
    order = np.array(places, np.int64) % count

    assert np.array_equal(take(column, order), column[order])


@pytest.mark.parametrize("place", [-1, 4])
def test_places_beyond_the_column_are_refused(place: int) -> None:
    with pytest.raises(ValueError, match="range"):
        take(from_bytes(bytes(64)), np.array([place]))
