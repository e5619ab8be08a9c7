"""The linear code that compresses a sparse vector into one that looks random.

Paper:  [RRT23], an expand-convolute code in its dual form, of rate 1/2, systematic: of a vector
        (e0, e1) with halves of n blocks comes e0 + B·A'·A·e1. B is the expander, n rows of weight
        7, four of whose places lie in a quarter each and three anywhere; A and A' are convolutions
        with a state of 24 random bits, wrapping around at the end. Weight 7, state 24, the regular
        expander and the second convolution are what the authors' libOTe has as ExConv7x24. Unlike
        there, each step draws 24 bits of its own.

        Over GF(2^128) a binary code would not do: over F_2 the 128 coordinates of the noise would
        be so many words with errors in the same t places, and combining them leaves t - 128 places
        to find. So each convolution also multiplies by a fixed element of no subfield, as libOTe
        does.

The choice of t, the noise's weight, is argued in :mod:`services.primitives.noise`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native, ggm, thread_count
from services.kernels.blocks import Blocks, empty, flat

SHORTEST: Final = 64
"""Blocks in the shortest vector that is compressed; the convolution needs more than 52."""


def compress(vector: Blocks) -> Blocks:
    """Return the code's product with a vector, laid over its first half; the rest is destroyed.

    Shapes: vector (2 n, 2), the result (n, 2).
    Cost:   about 2 x 24 + 7 additions of blocks for each of the result.
    """
    column = _require_fit(vector)
    _native.compress(column, thread_count())
    return column[: len(column) // 2]


def compress_two(
    vector: Blocks, points: NDArray[np.int64], values: Blocks
) -> tuple[Blocks, Blocks]:
    """Do as :func:`compress`, and for a sparse vector too, in less time than one by one.

    The sparse vector is of the same length, in equal parts: zero but for values[i] at place
    points[i] of its i-th part. Its product is laid over the second half of the other.
    Shapes: vector (2 n, 2), points (t,), values (t, 2), each result (n, 2).
    """
    column = _require_fit(vector)
    if len(points) != len(flat(values, "values")) or not len(points) or len(column) % len(points):
        raise ValueError(f"{len(points)} points, {len(values)} values in {len(column)} blocks")
    ggm.require_points(points, len(column) // len(points))
    half = len(column) // 2
    _native.compress_two(column, empty(2 * half), points, values, thread_count())
    return column[:half], column[half:]


def _require_fit(vector: Blocks) -> Blocks:
    column = flat(vector, "the vector's entries")
    if len(column) % 2 or not SHORTEST <= len(column) < 2**32:
        raise ValueError(f"a vector of {len(column)} blocks is not compressed")
    return column
