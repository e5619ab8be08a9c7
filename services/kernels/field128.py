"""The field GF(2^128) = GF(2)[x] / (x^128 + x^7 + x^2 + x + 1), in columns of 16 bytes an element.

Bit i, the i-th lowest, of byte j is the coefficient of x^(8 j + i): an element is a little-endian
number whose bit k stands at x^k, unlike in GCM. A sum is the exclusive or, as NumPy has it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native

ELEMENT_BYTES: Final = 16

Elements = NDArray[np.uint8]


def multiply(a: Elements, b: Elements) -> Elements:
    """Return each a[i] · b[i], or a[i] · b for one b.

    Shapes: a and the result (n, 16), b (n, 16) or (16,) uint8.
    """
    out = np.zeros(a.shape, np.uint8)
    add_product(out, a, b)
    return out


def add_product(out: Elements, a: Elements, b: Elements) -> None:
    """Add each a[i] · b[i], or a[i] · b for one b, to out[i]. Shapes: as :func:`multiply`."""
    factors = _column(b if b.ndim == 2 else b.reshape(1, -1))
    _column(a)
    if out.shape != a.shape or (b.ndim == 2 and b.shape != a.shape):
        raise ValueError(f"columns are {out.shape}, {a.shape} and {b.shape}")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError("out cannot be written to in place")
    if len(a):
        _native.field_accumulate(_column(out), _column(a), factors)


def inner_product(a: Elements, b: Elements) -> Elements:
    """Return the sum of a[i] · b[i]. Shapes: a and b (n, 16), the result (16,) uint8."""
    if a.shape != b.shape:
        raise ValueError(f"columns are {a.shape} and {b.shape}")
    out = np.zeros((1, ELEMENT_BYTES), np.uint8)
    _native.field_inner_product(out, _column(a), _column(b))
    return out.reshape(ELEMENT_BYTES)


def _column(elements: Elements) -> Elements:
    if elements.ndim != 2 or elements.shape[1] != ELEMENT_BYTES or elements.dtype != np.uint8:
        raise ValueError(f"a column of elements is {elements.shape} {elements.dtype}")
    return np.ascontiguousarray(elements)
