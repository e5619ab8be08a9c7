"""An oblivious key-value store: a table of random look that decodes n hashes to n chosen values.

Its layout is that of [RR22] §2 with three sparse columns a row, and with clusters (§3, "separate"):
the table is ``bins`` tables in a row, each of ``sparse`` elements, of which an item takes three,
and then ``dense`` elements, of which it takes all, with the powers 1… of its key in GF(2^128).

An item's bin, columns and key are 256 bits of ChaCha8 [Ber08] with the seed as key and the hash as
counter and nonce: [RR22] leaves the function open and its authors' code takes AES, which is not
constant-time where the processor lacks it. The seed must be drawn after the hashes are fixed. Then
nobody who chose the hashes can have made failure likelier, if only they are distinct.
"""

from typing import Final

import numpy as np

from services.errors import ServiceError
from services.kernels import _native, thread_count
from services.kernels.blocks import Blocks, empty, flat
from services.kernels.okvs_shape import MOST_ITEMS, MOST_SPARSE, STATISTICAL_BITS, Shape
from services.randomness import Rng

SEED_BYTES: Final = 16
FILL_BYTES: Final = 32


class OkvsUnsolvable(ServiceError):
    """No table of this shape and seed decodes so: draw another seed, and let no hash repeat."""


def encode(shape: Shape, seed: bytes, hashes: Blocks, values: Blocks, rng: Rng) -> Blocks:
    """Return a table that decodes hashes[i] to values[i], uniformly random among all that do.

    Paper:  [RR22] figure 1; differs in that columns which nothing determines are random, not zero,
            as [RS21] asks of the malicious variant.
    Leaks:  on this machine, by addresses and time: what the hashes are.
    Shapes: hashes and values (n, 2), the result (shape.rows, 2).
    Raises: OkvsUnsolvable for at most one seed in 2^40, and if two hashes are equal.
    """
    _require(seed, hashes)
    if len(hashes) != len(values):
        raise ValueError(f"{len(hashes)} hashes, {len(values)} values")
    table = empty(shape.rows)
    is_solved = _native.okvs_encode(
        table,
        np.frombuffer(seed, np.uint8),
        flat(hashes, "hashes"),
        flat(values, "values"),
        np.frombuffer(rng.draw(FILL_BYTES), np.uint8),
        *_layout(shape),
        thread_count(),
    )
    if not is_solved:
        raise OkvsUnsolvable("the items have no table under this seed", remedy="draw another seed")
    return table


def decode(shape: Shape, seed: bytes, hashes: Blocks, table: Blocks) -> Blocks:
    """Return what the table holds for each hash: its value, or elements that look random.

    Paper:  [RR22] figure 1: the inner product of the hash's row and the table, hence linear in it.
    Leaks:  on this machine, by addresses and time: what the hashes are.
    Shapes: hashes (n, 2), table (shape.rows, 2), the result (n, 2).
    """
    _require(seed, hashes)
    if len(table) != shape.rows:
        raise ValueError(f"a table of {len(table)} rows, not {shape.rows}")
    out = empty(len(hashes))
    _native.okvs_decode(
        out,
        np.frombuffer(seed, np.uint8),
        flat(hashes, "hashes"),
        flat(table, "the table's entries"),
        *_layout(shape),
        thread_count(),
    )
    return out


def _layout(shape: Shape) -> tuple[int, int, int]:
    if not (1 <= shape.bins <= 1 << 16 and 3 <= shape.sparse <= MOST_SPARSE):
        raise ValueError(f"{shape} cannot be laid out")
    if not 0 <= shape.dense <= STATISTICAL_BITS:
        raise ValueError(f"{shape} cannot be laid out")
    return shape.bins, shape.sparse, shape.dense


def _require(seed: bytes, hashes: Blocks) -> None:
    if len(seed) != SEED_BYTES:
        raise ValueError(f"the seed has {len(seed)} bytes")
    if len(hashes) > 2 * MOST_ITEMS:
        raise ValueError(f"{len(hashes)} items are too many at once")
