import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.kernels import keyhash
from services.kernels.blocks import empty, from_bytes
from services.kernels.reference import keyhash as reference
from tests.conversation import keys_of
from tests.kernel_levels import LEVELS, taking

# Lengths around those of one, two and three blocks; keys of one column differ much in them.
lengths = st.one_of(st.integers(0, 200), st.sampled_from([63, 64, 65, 127, 128, 129, 5000]))
words = st.lists(
    st.tuples(lengths, st.integers(0, 255)).map(lambda of: bytes([of[1]]) * of[0]),
    min_size=1,
    max_size=40,
)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=60)
@example(keys=[b""], salt=bytes(16), data=None)
@given(keys=words, salt=st.binary(min_size=16, max_size=16), data=st.data())
def test_native_hash_equals_the_reference(
    level: str, keys: list[bytes], salt: bytes, data: st.DataObject | None
) -> None:
    held = keys_of(keys)
    picks = st.lists(st.integers(0, len(keys) - 1), max_size=40)
    chosen = np.array(data.draw(picks) if data else [0], np.int64)

    with taking(level):
        native = keyhash.hash_keys(held.offsets, held.data, chosen, salt=salt)

    twin = reference.hash_keys(held.offsets, held.data, chosen, salt=salt)
    assert np.array_equal(native, twin)


@pytest.mark.parametrize("level", LEVELS)
def test_many_keys_of_mixed_lengths_are_each_hashed_in_their_place(level: str) -> None:
    keys = [b"%d" % i * (i % 37) for i in range(5000)]
    keys[777] = bytes(1 << 20)
    held, rows = keys_of(keys), np.arange(5000)[::-1].copy()

    with taking(level):
        native = keyhash.hash_keys(held.offsets, held.data, rows, salt=bytes(range(16)))

    twin = reference.hash_keys(held.offsets, held.data, rows, salt=bytes(range(16)))
    assert np.array_equal(native, twin)


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=40)
@given(
    drawn=st.integers(0, 40).flatmap(
        lambda count: st.binary(min_size=32 * count, max_size=32 * count)
    ),
    salt=st.binary(min_size=16, max_size=16),
    width=st.integers(1, 16),
)
def test_pairs_are_hashed_as_in_the_reference(
    level: str, drawn: bytes, salt: bytes, width: int
) -> None:
    left, right = from_bytes(drawn).reshape(2, -1, 2)

    with taking(level):
        native = keyhash.hash_pairs(left, right, salt=salt, width=width)

    twin = reference.hash_pairs(left, right, salt=salt, width=width)
    assert np.array_equal(native, twin)


@pytest.mark.parametrize(("count", "width"), [(3, 16), (4, 0), (4, 17)])
def test_pairs_that_do_not_fit_are_refused(count: int, width: int) -> None:
    with pytest.raises(ValueError, match="blocks"):
        keyhash.hash_pairs(empty(4), empty(count), salt=bytes(16), width=width)


def test_no_keys_have_no_hashes() -> None:
    none = np.empty(0, np.int64)

    hashes = keyhash.hash_keys(np.zeros(1, np.int64), np.empty(0, np.uint8), none, salt=bytes(16))

    assert hashes.shape == (0, 2)


@pytest.mark.parametrize(
    ("offsets", "row"), [([0, 5], 0), ([0, 3, 2], 1), ([-1, 2], 0), ([0, 2], 1), ([0, 2], -1)]
)
def test_keys_that_do_not_lie_within_their_buffer_are_refused(offsets: list[int], row: int) -> None:
    with pytest.raises(ValueError, match=r"offsets|rows"):
        keyhash.hash_keys(
            np.array(offsets, np.int64),
            np.zeros(3, np.uint8),
            np.array([row], np.int64),
            salt=bytes(16),
        )


@pytest.mark.parametrize("salt", [b"", bytes(15), bytes(17)])
def test_a_salt_of_another_length_is_refused(salt: bytes) -> None:
    held = keys_of([b"key"])

    with pytest.raises(ValueError, match="salt"):
        keyhash.hash_keys(held.offsets, held.data, np.array([0]), salt=salt)
