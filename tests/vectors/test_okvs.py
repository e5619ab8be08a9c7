"""An item's row, against published ChaCha8; and the shapes that all machines must agree on."""

import pytest

from services.kernels.okvs_shape import Shape
from services.kernels.reference.okvs import chacha8


def test_chacha8_of_a_key_of_128_bits() -> None:
    # draft-strombergson-chacha-test-vectors-01, TC1: 128-bit key, 8 rounds, all zero.
    block = chacha8(bytes(16), bytes(16))

    assert block.hex() == (
        "e28a5fa4a67f8c5defed3e6fb7303486aa8427d31419a729572d777953491120"
        "b64ab8e72b8deb85cd6aea7cb6089a101824beeb08814a428aab1fa2c816081b"
    )


@pytest.mark.parametrize(
    ("items", "bins", "sparse", "dense"),
    [
        (0, 1, 142, 5),
        (64, 1, 142, 5),
        (65, 1, 144, 5),
        (1000, 1, 1439, 3),
        (8192, 1, 10568, 3),
        (49_151, 1, 61329, 2),
        (49_152, 2, 31439, 2),
        (1 << 20, 32, 42150, 2),
        (10_000_000, 305, 42268, 3),
        (100_000_000, 3052, 42315, 3),
        (1 << 30, 32768, 42392, 3),
    ],
)
def test_shapes_are_the_same_on_every_machine(
    items: int, bins: int, sparse: int, dense: int
) -> None:
    assert Shape.of(items) == Shape(bins=bins, sparse=sparse, dense=dense)
    assert Shape.of(items).rows == bins * (sparse + dense)


def test_the_table_of_a_million_items_is_small_enough() -> None:
    assert Shape.of(1 << 20).rows <= 1.30 * (1 << 20)
