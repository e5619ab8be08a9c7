"""Which of many uniform hashes are equal."""

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native
from services.kernels.blocks import Blocks, flat
from services.kernels.index import slots_for


def first_of_each(hashes: Blocks) -> NDArray[np.int64]:
    """Return for each hash the place of the first that equals it: its own if it is the first.

    Its first word is the place in a table, so whoever can choose many hashes can make this slow.
    Shapes: hashes (n, 2), the result (n,) int64.
    """
    found = np.empty(len(hashes), np.int64)
    _native.first_of_each(found, slots_for(len(hashes)), flat(hashes, "hashes"))
    return found
