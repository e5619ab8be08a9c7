"""Room for an index of the places of uniform strings."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Slots = NDArray[np.uint64]

MOST: Final = 2**32 - 2


def slots_for(count: int) -> Slots:
    """Return slots for as many strings, which need not be initialised: a third of them stays free.

    Raises: ValueError if they are too many.
    """
    if count > MOST:
        raise ValueError(f"an index of {count} strings")
    return np.empty(1 << max(1, (3 * count // 2).bit_length()), np.uint64)
