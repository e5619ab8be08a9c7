"""Curve25519 on columns of u-coordinates, 32 bytes each: X25519 and hashing to the curve.

A scalar is clamped, hence a multiple of the cofactor 8 and no zero modulo the order: whichever
point of small order lies in an element, or in what a key is hashed to, vanishes in the product.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native, thread_count
from services.kernels.keys import require_within

ELEMENT_BYTES: Final = 32
SCALAR_BYTES: Final = 32
MOST_DST_BYTES: Final = 255


def hash_to_curve(
    offsets: NDArray[np.int64], data: NDArray[np.uint8], rows: NDArray[np.int64], *, dst: bytes
) -> NDArray[np.uint8]:
    """Hash the keys in ``rows`` to points that nobody knows a logarithm of.

    Paper:  [RFC9380] §8.5, curve25519_XMD:SHA-512_ELL2_NU_, but for the last step of §3, the
            multiplication by the cofactor, which that by a clamped scalar contains; so it is Q of
            the RFC's vectors. As the name NU says, half of the points are never reached; where
            hashed points are only seen raised to a secret (OPRF, ECDH-PSI) DDH suffices all the
            same: a reduction sets H by drawing powers of a generator until one is in the map's
            image, with a random preimage. Clamped scalars are 2^251 of the 2^252 exponents, so it
            is DDH with such.
    Shapes: offsets (n + 1,) int64 ascending, data (offsets[n],) uint8, rows (m,) int64 in 0…n-1;
            key i is data[offsets[i]:offsets[i + 1]]; the result is (m, 32) uint8, in order of rows.
    """
    if not 0 < len(dst) <= MOST_DST_BYTES:
        raise ValueError(f"dst has {len(dst)} bytes")
    require_within(offsets, data, rows)
    out = np.empty((len(rows), ELEMENT_BYTES), np.uint8)
    suffix = np.frombuffer(dst, np.uint8)
    _native.curve25519_hash(out, offsets, data, np.ascontiguousarray(rows), suffix, thread_count())
    return out


def scalar_multiply(
    elements: NDArray[np.uint8], scalar: bytes, *, checked: bool = True
) -> tuple[NDArray[np.uint8], int]:
    """Multiply each element by a scalar; also return which comes first that is unfit, or -1.

    Paper:  [RFC7748] §5, X25519 with the scalar clamped. Differs in what it refuses: unfit are
            numbers of 2^255 - 19 and more, points of small order, and, if ``checked``, those on
            the twist. ``checked=False`` is for elements that are ours, or their products.
    Shapes: elements and the result (n, 32) uint8, C-contiguous; rows of unfit elements are zero.
    """
    if elements.ndim != 2 or elements.shape[1] != ELEMENT_BYTES or len(scalar) != SCALAR_BYTES:
        raise ValueError(f"elements are {elements.shape}, the scalar has {len(scalar)} bytes")
    out = np.empty(elements.shape, np.uint8)
    factor = np.frombuffer(scalar, np.uint8)
    return out, _native.curve25519_multiply(out, elements, factor, checked, thread_count())
