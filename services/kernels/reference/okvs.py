"""The oblivious key-value store, from the text of [RR22] and by Gaussian elimination throughout."""

import numpy as np

from services.kernels.blocks import Blocks
from services.kernels.okvs_shape import Shape
from services.kernels.reference.field128 import invert, multiply, to_blocks, to_ints


def chacha8(key: bytes, counter_and_nonce: bytes) -> bytes:
    """Return a block of ChaCha with 8 rounds and a key of 16 bytes [Ber08]."""
    block = b"expand 16-byte k" + key + key + counter_and_nonce
    x = [int(word) for word in np.frombuffer(block, "<u4")]
    state = x.copy()
    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for a, b, c, d in (columns + diagonals) * 4:
        for to, by, into, left in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[to] = (x[to] + x[by]) % 2**32
            mixed = x[into] ^ x[to]
            x[into] = mixed << left & 2**32 - 1 | mixed >> 32 - left
    return b"".join(((m + n) % 2**32).to_bytes(4, "little") for m, n in zip(x, state, strict=True))


def row_of(shape: Shape, seed: bytes, item: bytes) -> dict[int, int]:
    """Return an item's row of the matrix: by column of the whole table, what is not zero."""
    words = [int(word) for word in np.frombuffer(chacha8(seed, item), "<u4")]
    first = (words[4] * shape.bins >> 32) * (shape.sparse + shape.dense)
    left = list(range(shape.sparse))
    row = {
        first + left.pop(words[5 + k] * (shape.sparse - k) >> 32): 1  # among those not yet taken
        for k in range(3)
    }
    power = key = int.from_bytes(chacha8(seed, item)[:16], "little")
    for j in range(shape.dense):
        row[first + shape.sparse + j] = power
        power = multiply(power, key)
    return row


def encode(shape: Shape, seed: bytes, hashes: Blocks, values: Blocks) -> Blocks | None:
    """Return a table by Gaussian elimination, free columns zero, or None if there is none."""
    solved: dict[int, tuple[dict[int, int], int]] = {}  # by pivot: the rest of a row, and its value
    for item, value in zip(hashes, to_ints(values), strict=True):
        row = row_of(shape, seed, item.tobytes())
        for pivot in [place for place in solved if place in row]:
            factor = row.pop(pivot, 0)
            rest, known = solved[pivot]
            _subtract(row, rest, factor)
            value ^= multiply(factor, known)
        places = [place for place, factor in row.items() if factor]
        if not places:
            return None
        pivot = places[0]
        inverse = invert(row.pop(pivot))
        row = {place: multiply(factor, inverse) for place, factor in row.items()}
        value = multiply(value, inverse)
        for other, (rest, known) in solved.items():
            factor = rest.pop(pivot, 0)
            _subtract(rest, row, factor)
            solved[other] = rest, known ^ multiply(factor, value)
        solved[pivot] = row, value
    table = [solved[place][1] if place in solved else 0 for place in range(shape.rows)]
    return to_blocks(table)


def _subtract(row: dict[int, int], other: dict[int, int], factor: int) -> None:
    for place, entry in other.items() if factor else ():
        row[place] = row.get(place, 0) ^ multiply(factor, entry)


def decode(shape: Shape, seed: bytes, hashes: Blocks, table: Blocks) -> Blocks:
    """Do as :func:`services.kernels.okvs.decode`."""
    elements = to_ints(table)
    sums = []
    for item in hashes:
        total = 0
        for place, factor in row_of(shape, seed, item.tobytes()).items():
            total ^= multiply(factor, elements[place])
        sums.append(total)
    return to_blocks(sums)
