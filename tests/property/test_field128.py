from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernels import field128
from services.kernels.reference import field128 as reference
from tests.kernel_levels import LEVELS, taking

# Elements of few bits, of many, and any.
numbers = st.one_of(
    st.integers(0, 2**128 - 1),
    st.integers(0, 127).map(lambda bit: 1 << bit),
    st.sampled_from([0, 1, 2**128 - 1, 2**64 - 1, 0x87]),
)
columns = st.integers(1, 9).flatmap(
    lambda count: st.tuples(*[st.lists(numbers, min_size=count, max_size=count)] * 3)
)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=60)
@given(drawn=columns)
def test_native_products_equal_the_reference(
    level: str, drawn: tuple[list[int], list[int], list[int]]
) -> None:
    a, b, sums = (reference.to_blocks(each) for each in drawn)
    products = [reference.multiply(x, y) for x, y in zip(drawn[0], drawn[1], strict=True)]
    by_one = [reference.multiply(x, drawn[1][0]) for x in drawn[0]]
    total = sums.copy()

    with taking(level):
        assert reference.to_ints(field128.multiply(a, b)) == products
        assert reference.to_ints(field128.multiply(a, b[0])) == by_one
        field128.add_product(total, a, b)
        inner = field128.inner_product(a, b)

    assert np.array_equal(total, sums ^ reference.to_blocks(products))
    assert np.array_equal(inner, np.bitwise_xor.reduce(reference.to_blocks(products), axis=0))


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=30)
@given(a=numbers, b=numbers, c=numbers)
def test_multiplication_is_that_of_a_field(level: str, a: int, b: int, c: int) -> None:
    def times(x: int, y: int) -> int:
        left, right = reference.to_blocks([x]), reference.to_blocks([y])
        return reference.to_ints(field128.multiply(left, right))[0]

    with taking(level):
        assert times(a, b) == times(b, a)
        assert times(times(a, b), c) == times(a, times(b, c))
        assert times(a, b ^ c) == times(a, b) ^ times(a, c)
        assert times(a, reference.invert(a)) == (1 if a else 0)


@pytest.mark.parametrize("level", LEVELS)
def test_columns_at_odd_addresses_are_multiplied_too(level: str) -> None:
    backing = np.arange(16 * 20 + 3, dtype=np.uint8)
    odd = backing[3:].view(np.uint64).reshape(-1, 2)
    even = odd.copy()

    with taking(level):
        assert np.array_equal(field128.multiply(odd, odd), field128.multiply(even, even))


def test_no_elements_have_no_products_and_the_sum_zero() -> None:
    none = np.empty((0, 2), np.uint64)

    assert field128.multiply(none, none).shape == (0, 2)
    assert not field128.inner_product(none, none).any()


def test_columns_of_other_shapes_are_refused() -> None:
    column = np.zeros((4, 2), np.uint64)

    others: list[Any] = [column[:3], column[:, :1], column.view(np.int64), column[:1]]
    for other in others:
        with pytest.raises(ValueError, match=r"columns|no blocks"):
            field128.multiply(column, other)
        with pytest.raises(ValueError, match=r"columns|no blocks"):
            field128.inner_product(column, other)
    with pytest.raises(ValueError, match=r"columns|no blocks"):
        field128.add_product(column[:2], column, column)
    with pytest.raises(ValueError, match="no blocks"):
        field128.add_product(np.zeros((8, 2), np.uint64)[::2], column, column)
