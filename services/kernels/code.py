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

from services.kernels import _native, thread_count
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


def compress_two(left: Blocks, right: Blocks) -> tuple[Blocks, Blocks]:
    """Do as :func:`compress` for two vectors of one length, in less time than one by one."""
    first, second = _require_fit(left), _require_fit(right)
    if len(first) != len(second):
        raise ValueError(f"vectors of {len(first)} and {len(second)} blocks")
    half = len(first) // 2
    _native.compress_two(first, second, empty(2 * half), thread_count())
    return first[:half], second[:half]


def _require_fit(vector: Blocks) -> Blocks:
    column = flat(vector, "the vector's entries")
    if len(column) % 2 or not SHORTEST <= len(column) < 2**32:
        raise ValueError(f"a vector of {len(column)} blocks is not compressed")
    return column
