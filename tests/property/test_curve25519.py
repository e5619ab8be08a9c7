"""X25519 and hashing to its curve: at every level, against the twin and an independent library."""

from collections.abc import Iterator

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.kernels import cpu, curve25519
from services.kernels.reference import curve25519 as reference
from services.kernels.reference.ristretto import P
from tests.conversation import keys_of

# u-coordinates of the points of small order on the curve and on its twist.
SMALL_ORDER = [
    0,
    1,
    P - 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
]
near_p = st.integers(P - 40, 2**256 - 1).map(lambda u: u.to_bytes(32, "little"))
extremes = st.lists(st.sampled_from([0x00, 0x01, 0x7F, 0x80, 0xFF]), min_size=32, max_size=32)
encodings = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=31, max_size=31).map(lambda body: body + b"\x2a"),
    st.sampled_from(SMALL_ORDER).map(lambda u: u.to_bytes(32, "little")),
    st.integers(0, 30).map(lambda u: u.to_bytes(32, "little")),
    extremes.map(bytes),
    near_p,
)
scalars = st.one_of(st.binary(min_size=32, max_size=32), extremes.map(bytes))


@pytest.fixture(scope="module", params=cpu.levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    cpu.use_level(request.param)
    yield request.param
    cpu.use_level(cpu.levels()[-1])


def rows_of(encoded: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(encoded), np.uint8).reshape(-1, 32)


def from_number(u: int) -> NDArray[np.uint8]:
    return rows_of([u.to_bytes(32, "little")])


@pytest.mark.usefixtures("level")
@settings(max_examples=150)
@given(encoded=st.lists(encodings, max_size=9), scalar=scalars, checked=st.booleans())
def test_multiplication_equals_the_reference(
    encoded: list[bytes], scalar: bytes, checked: bool
) -> None:
    elements = rows_of(encoded)

    raised, unfit = curve25519.scalar_multiply(elements, scalar, checked=checked)

    twin, twin_unfit = reference.scalar_multiply(elements, scalar, checked=checked)
    assert np.array_equal(raised, twin)
    assert unfit == twin_unfit


@pytest.mark.usefixtures("level")
@settings(max_examples=60)
@given(drawn=st.integers(0, 2**32), scalar=st.binary(min_size=32, max_size=32))
def test_multiplication_equals_that_of_openssl(drawn: int, scalar: bytes) -> None:
    elements = np.random.default_rng(drawn).integers(0, 256, (150, 32), np.uint8)
    elements[:, 31] &= 0x7F
    ours = X25519PrivateKey.from_private_bytes(scalar)

    raised, _ = curve25519.scalar_multiply(elements, scalar, checked=False)

    for element, product in zip(elements, raised, strict=True):
        theirs = X25519PublicKey.from_public_bytes(element.tobytes())
        assert ours.exchange(theirs) == product.tobytes()


@pytest.mark.usefixtures("level")
@settings(max_examples=40)
@given(keys=st.lists(st.binary(max_size=300), min_size=1, max_size=5), data=st.data())
def test_hashing_equals_the_reference(keys: list[bytes], data: st.DataObject) -> None:
    held = keys_of(keys)
    dst = data.draw(st.binary(min_size=1, max_size=255))
    picked = data.draw(st.lists(st.integers(0, len(keys) - 1), max_size=11))
    chosen = np.array(picked, np.int64)

    native = curve25519.hash_to_curve(held.offsets, held.data, chosen, dst=dst)

    twin = reference.hash_to_curve(held.offsets, held.data, chosen, dst=dst)
    assert np.array_equal(native, twin)


@pytest.mark.usefixtures("level")
def test_hashed_keys_are_fit_and_scalars_commute() -> None:
    held = keys_of([str(i).encode() for i in range(1000)])
    first, second = bytes(range(32)), bytes(range(100, 132))

    hashed = curve25519.hash_to_curve(held.offsets, held.data, np.arange(1000), dst=b"d")
    by_first, unfit = curve25519.scalar_multiply(hashed, first)
    by_second, also_unfit = curve25519.scalar_multiply(hashed, second)

    assert (unfit, also_unfit) == (-1, -1)
    by_both, unfit = curve25519.scalar_multiply(by_first, second)
    assert unfit == -1
    assert np.array_equal(by_both, curve25519.scalar_multiply(by_second, first)[0])


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("u", [*SMALL_ORDER, P, P + 1, P + 9, 2**255 - 1, 2**255 + 9, 2**256 - 1])
@pytest.mark.parametrize("checked", [True, False])
def test_small_orders_and_numbers_too_large_are_unfit(u: int, checked: bool) -> None:
    raised, unfit = curve25519.scalar_multiply(from_number(u), bytes([7] * 32), checked=checked)

    assert unfit == 0
    assert not raised.any()


@pytest.mark.usefixtures("level")
def test_a_point_of_the_twist_is_unfit_when_checked() -> None:
    on_twist = next(u for u in range(2, 99) if not reference.is_on_curve(u))

    raised, unfit = curve25519.scalar_multiply(from_number(on_twist), bytes([7] * 32))
    ours, ours_unfit = curve25519.scalar_multiply(
        from_number(on_twist), bytes([7] * 32), checked=False
    )

    assert unfit == 0
    assert not raised.any()
    assert ours_unfit == -1
    assert ours.any()


@pytest.mark.usefixtures("level")
def test_the_first_unfit_element_is_found_among_many_and_spoils_no_other() -> None:
    elements = np.tile(from_number(9), (3000, 1))
    elements[[1999, 777, 778, 2500]] = 0

    raised, unfit = curve25519.scalar_multiply(elements, bytes([5] * 32))

    assert unfit == 777
    alone, _ = curve25519.scalar_multiply(from_number(9), bytes([5] * 32))
    fit = np.delete(raised, [1999, 777, 778, 2500], axis=0)
    assert np.array_equal(fit, np.tile(alone, (2996, 1)))


@pytest.mark.parametrize("shape", [(32,), (1, 31), (1, 33), (1, 1, 32)])
def test_elements_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="elements"):
        curve25519.scalar_multiply(np.zeros(shape, np.uint8), bytes(32))


@pytest.mark.parametrize("count", [0, 31, 33])
def test_scalars_of_another_length_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="scalar"):
        curve25519.scalar_multiply(from_number(9), bytes(count))


@pytest.mark.parametrize(
    ("offsets", "row"), [([0, 5], 0), ([0, 3, 2], 1), ([-1, 2], 0), ([0, 2], 1), ([0, 2], -1)]
)
def test_keys_that_do_not_lie_within_their_buffer_are_refused(offsets: list[int], row: int) -> None:
    with pytest.raises(ValueError, match=r"offsets|rows"):
        curve25519.hash_to_curve(
            np.array(offsets, np.int64), np.zeros(3, np.uint8), np.array([row], np.int64), dst=b"d"
        )


@pytest.mark.parametrize("dst", [b"", bytes(256)])
def test_a_dst_that_the_paper_does_not_allow_is_refused(dst: bytes) -> None:
    held = keys_of([b"key"])

    with pytest.raises(ValueError, match="dst"):
        curve25519.hash_to_curve(held.offsets, held.data, np.arange(1), dst=dst)
