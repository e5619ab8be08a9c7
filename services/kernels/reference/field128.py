"""GF(2^128), bit by bit: elements are integers whose bit k stands at x^k."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from services.kernels.blocks import Blocks

MODULUS: Final = 1 << 128 | 0x87


def multiply(a: int, b: int) -> int:
    """Return a · b modulo x^128 + x^7 + x^2 + x + 1, bit by bit."""
    product = 0
    for bit in range(128):
        product ^= a << bit if b >> bit & 1 else 0
    for bit in range(254, 127, -1):
        product ^= MODULUS << bit - 128 if product >> bit & 1 else 0
    return product


def invert(a: int) -> int:
    """Return a^(2^128 - 2)."""
    power, inverse = a, 1
    for _ in range(127):
        power = multiply(power, power)
        inverse = multiply(inverse, power)
    return inverse


def linear_hash(row: Sequence[int], point: int) -> int:
    """Do as :func:`services.kernels.correlation.linear_hash`, for one row."""
    found = 0
    for block in reversed(row):
        found = multiply(found, point) ^ block
    return found


def to_ints(blocks: Blocks) -> list[int]:
    """Return blocks as integers, in one list."""
    return [int(low) | int(high) << 64 for low, high in blocks.reshape(-1, 2)]


def to_blocks(numbers: Sequence[int]) -> Blocks:
    """Return integers as blocks."""
    data = b"".join(number.to_bytes(16, "little") for number in numbers)
    return np.frombuffer(data, "<u8").reshape(-1, 2).astype(np.uint64)
