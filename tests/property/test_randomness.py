from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.randomness import System, permutation
from tests.doubles import Seeded


@given(count=st.integers(0, 200), seed=st.integers(0, 2**32))
def test_a_permutation_holds_each_number_once(count: int, seed: int) -> None:
    assert sorted(permutation(Seeded(seed), count)) == list(range(count))


def test_all_orders_of_four_come_equally_often() -> None:
    rng = Seeded(1)

    seen = Counter(tuple(permutation(rng, 4).tolist()) for _ in range(24_000))

    # 1000 of each are expected; the standard deviation is 31.
    assert len(seen) == 24
    assert all(850 < times < 1150 for times in seen.values())


class Repeating:
    """Gives words that repeat at first, as a generator may by chance."""

    def __init__(self) -> None:
        self.draws = 0

    def draw(self, count: int) -> bytes:
        self.draws += 1
        return (
            bytes(count) if self.draws < 3 else np.arange(count // 8, dtype="<u8")[::-1].tobytes()
        )


def test_a_draw_with_repeated_words_is_thrown_away() -> None:
    rng = Repeating()

    order = permutation(rng, 3)

    assert order.tolist() == [2, 1, 0]
    assert rng.draws == 3


def test_the_system_never_draws_the_same_twice() -> None:
    assert System().draw(32) != System().draw(32)
    assert len(System().draw(5)) == 5
