"""Random orders, and blocks in them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native
from services.kernels.blocks import Blocks, empty, flat
from services.randomness import Rng

KEY_BYTES: Final = 32


def permutation(rng: Rng, count: int) -> NDArray[np.int64]:
    """Return a uniformly random order of 0…count-1.

    Paper:  [Lem19] for numbers below a bound, from the words of ChaCha20 under a fresh key, by
            which the shuffle of Fisher and Yates swaps.
    """
    order = np.empty(count, np.int64)
    _native.shuffle(order, np.frombuffer(rng.draw(KEY_BYTES), np.uint8))
    return order


def take(column: Blocks, order: NDArray[np.int64]) -> Blocks:
    """Return column[order], with less waiting for memory. Shapes: (n, 2), (m,), (m, 2)."""
    rows = flat(column, "rows")
    if len(order) and not 0 <= order.min() <= order.max() < len(rows):
        raise ValueError("places are out of range")
    out = empty(len(order))
    _native.take(out, rows, np.ascontiguousarray(order))
    return out
