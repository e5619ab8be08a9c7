"""Which of many uniform hashes are equal."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native
from services.kernels.blocks import Blocks, flat

MOST: Final = 2**32 - 2


def first_of_each(hashes: Blocks) -> NDArray[np.int64]:
    """Return for each hash the place of the first that equals it: its own if it is the first.

    Its first word is the place in a table, so whoever can choose many hashes can make this slow.
    Shapes: hashes (n, 2), the result (n,) int64.
    """
    column = flat(hashes, "hashes")
    if len(column) > MOST:
        raise ValueError(f"{len(column)} hashes are too many")
    found = np.empty(len(column), np.int64)
    slots = np.empty(1 << max(1, (3 * len(column) // 2).bit_length()), np.uint64)
    _native.first_of_each(found, slots, column)
    return found
