import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernels import ristretto, rows
from services.kernels.reference import ristretto as reference
from services.kernels.reference import rows as rows_reference
from tests.conversation import keys_of

words = st.lists(st.binary(max_size=200), min_size=1, max_size=5)
encodings = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=64, max_size=64).map(
        lambda uniform: reference.encode(reference.from_uniform(uniform))
    ),
)
wide = st.binary(min_size=64, max_size=64)
exponents = wide.filter(lambda drawn: any(reference.reduce_scalar(drawn)))


@settings(max_examples=60)
@given(keys=words, dst=st.binary(min_size=1, max_size=255), data=st.data())
def test_native_hash_equals_the_reference(
    keys: list[bytes], dst: bytes, data: st.DataObject
) -> None:
    held = keys_of(keys)
    picked = data.draw(st.lists(st.integers(0, len(keys) - 1), max_size=4))
    chosen = np.array(picked, np.int64)

    native = ristretto.hash_to_group(held.offsets, held.data, chosen, dst=dst)

    twin = reference.hash_to_group(held.offsets, held.data, chosen, dst=dst)
    assert np.array_equal(native, twin)


@settings(max_examples=60)
@given(encoded=st.lists(encodings, min_size=1, max_size=4), exponent=exponents)
def test_native_multiplication_equals_the_reference(encoded: list[bytes], exponent: bytes) -> None:
    elements = np.frombuffer(b"".join(encoded), np.uint8).reshape(-1, 32)
    scalar = ristretto.reduce_scalar(exponent)

    raised, unfit = ristretto.scalar_multiply(elements, scalar)

    twin, twin_unfit = reference.scalar_multiply(elements, scalar)
    assert np.array_equal(raised, twin)
    assert unfit == twin_unfit


@given(exponent=wide)
def test_native_reduction_equals_the_reference(exponent: bytes) -> None:
    assert ristretto.reduce_scalar(exponent) == reference.reduce_scalar(exponent)


@given(first=exponents, second=exponents)
def test_exponents_commute(first: bytes, second: bytes) -> None:
    element = np.frombuffer(reference.encode(reference.from_uniform(bytes(range(64)))), np.uint8)
    a, b = ristretto.reduce_scalar(first), ristretto.reduce_scalar(second)

    by_a, _ = ristretto.scalar_multiply(element.reshape(1, 32), a)
    by_b, _ = ristretto.scalar_multiply(element.reshape(1, 32), b)

    assert np.array_equal(
        ristretto.scalar_multiply(by_a, b)[0], ristretto.scalar_multiply(by_b, a)[0]
    )


def test_an_encoding_with_its_top_bit_set_is_unfit() -> None:
    # libsodium 1.0.18, which Debian 12 has, takes it for the same element without the bit.
    encoded = bytearray(reference.encode(reference.from_uniform(bytes(range(64)))))
    encoded[31] |= 0x80

    _, unfit = ristretto.scalar_multiply(rows_of([bytes(encoded)]), bytes([7] * 32))

    assert unfit == 0


def test_a_scalar_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="zero"):
        ristretto.scalar_multiply(np.zeros((1, 32), np.uint8), bytes(32))


@pytest.mark.parametrize(
    ("offsets", "row"), [([0, 5], 0), ([0, 3, 2], 1), ([-1, 2], 0), ([0, 2], 1), ([0, 2], -1)]
)
def test_keys_that_do_not_lie_within_their_buffer_are_refused(offsets: list[int], row: int) -> None:
    with pytest.raises(ValueError, match=r"offsets|rows"):
        ristretto.hash_to_group(
            np.array(offsets, np.int64), np.zeros(3, np.uint8), np.array([row], np.int64), dst=b"d"
        )


def test_an_order_that_is_not_of_these_rows_is_refused() -> None:
    column = rows_of([bytes(32), bytes([1] * 32)])

    for order in ([0], [0, 2], [-1, 0]):
        with pytest.raises(ValueError, match="order"):
            rows.has_repeat(column, np.array(order, np.int64))


def test_the_first_unfit_element_is_found_among_many() -> None:
    generator = reference.encode(reference.from_uniform(bytes(range(64))))
    elements = np.tile(np.frombuffer(generator, np.uint8), (3000, 1))
    elements[[1999, 777, 2500]] = 0

    _, unfit = ristretto.scalar_multiply(elements, ristretto.reduce_scalar(bytes([5] * 64)))

    assert unfit == 777


# Few values, so that rows share long beginnings and repeat.
close_rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3)).map(
        lambda ends: bytes([ends[0]]) + bytes(30) + bytes([ends[1]])
    ),
    max_size=30,
)


def rows_of(encoded: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(encoded), np.uint8).reshape(-1, 32)


@given(encoded=close_rows)
def test_rows_are_sorted_as_in_the_reference(encoded: list[bytes]) -> None:
    column = rows_of(encoded)

    order = rows.sort_rows(column)

    assert np.array_equal(column[order], column[rows_reference.sort_rows(column)])
    assert sorted(order) == list(range(len(encoded)))


@given(encoded=close_rows)
def test_a_repeat_is_found_if_and_only_if_there_is_one(encoded: list[bytes]) -> None:
    column = rows_of(encoded)

    assert rows.has_repeat(column, rows.sort_rows(column)) == (len(set(encoded)) < len(encoded))


@given(left=close_rows, right=close_rows)
def test_rows_match_as_in_the_reference(left: list[bytes], right: list[bytes]) -> None:
    ours, theirs = rows_of(list(dict.fromkeys(left))), rows_of(list(dict.fromkeys(right)))

    found = rows.match_rows(ours, rows.sort_rows(ours), theirs, rows.sort_rows(theirs))

    assert np.array_equal(found, rows_reference.match_rows(ours, theirs))
