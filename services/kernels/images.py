"""Equality of short uniform strings, such as the images of keys under a hash."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native, blocks, thread_count

FEWEST_BYTES: Final = 8
MOST: Final = 2**32 - 1


def match(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each row of ``right`` the place of an equal row of ``left``, or -1.

    The rows of ``left`` are unlike. Its first 8 bytes are the hash of a row, so whoever can choose
    many rows of ``left`` can make this slow; ``right`` may hold anything.
    Shapes: left (n, w), right (m, w) uint8, w ≥ 8; the result (m,) int64.
    """
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ValueError(f"columns are {left.shape} and {right.shape}")
    if left.shape[1] < FEWEST_BYTES:
        raise ValueError(f"rows of {left.shape[1]} bytes are too short")
    if max(len(left), len(right)) > MOST:
        raise ValueError(f"{len(left)} and {len(right)} rows are too many")
    found = np.empty(len(right), np.int64)
    _native.match_images(
        *(found, blocks.empty(len(left)), blocks.empty(len(right))),
        *(np.ascontiguousarray(left), np.ascontiguousarray(right)),
        thread_count(),
    )
    return found
