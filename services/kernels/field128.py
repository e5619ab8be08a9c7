"""The field GF(2^128) = GF(2)[x] / (x^128 + x^7 + x^2 + x + 1), an element a block.

Bit k of a block, as a little-endian number, is the coefficient of x^k: unlike in GCM. A sum is the
exclusive or, as NumPy has it.
"""

import numpy as np

from services.kernels import _native
from services.kernels.blocks import Blocks, flat


def multiply(a: Blocks, b: Blocks) -> Blocks:
    """Return each a[i] · b[i], or a[i] · b for one b.

    Shapes: a and the result (n, 2), b (n, 2) or (2,).
    """
    out = np.zeros_like(a)
    add_product(out, a, b)
    return out


def add_product(out: Blocks, a: Blocks, b: Blocks) -> None:
    """Add each a[i] · b[i], or a[i] · b for one b, to out[i]. Shapes: as :func:`multiply`."""
    factors = flat(b if b.ndim == 2 else b.reshape(1, -1), "factors")
    if out.shape != a.shape or (b.ndim == 2 and b.shape != a.shape):
        raise ValueError(f"columns are {out.shape}, {a.shape} and {b.shape}")
    if len(a):
        _native.field_accumulate(flat(out, "sums"), flat(a, "factors"), factors)


def inner_product(a: Blocks, b: Blocks) -> Blocks:
    """Return the sum of a[i] · b[i]. Shapes: a and b (n, 2), the result (2,)."""
    if a.shape != b.shape:
        raise ValueError(f"columns are {a.shape} and {b.shape}")
    out = np.zeros((1, 2), np.uint64)
    _native.field_inner_product(out, flat(a, "factors"), flat(b, "factors"))
    return out.reshape(2)
