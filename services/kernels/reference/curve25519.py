"""Curve25519 by its u-coordinates, from the texts of [RFC7748] and [RFC9380]."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels.reference.ristretto import P, expand_message_xmd

J: Final = 486662
Z: Final = 2
FIELD_BYTES: Final = 48


def is_square(x: int) -> bool:
    """Return whether x is a square modulo p, zero included."""
    return pow(x, (P - 1) // 2, P) != P - 1


def is_on_curve(u: int) -> bool:
    """Return whether u is the coordinate of a point of the curve, not of its twist."""
    return is_square(u**3 + J * u**2 + u)


def hash_to_field(message: bytes, dst: bytes) -> int:
    """Return the one number that a message is hashed to [RFC9380 §5.2]."""
    return int.from_bytes(expand_message_xmd(message, dst, FIELD_BYTES), "big") % P


def map_to_curve(number: int) -> int:
    """Return the u-coordinate that Elligator 2 gives [RFC9380 §6.7.1]."""
    x1 = -J * pow(1 + Z * number**2, -1, P) % P
    return x1 if is_on_curve(x1) else (-x1 - J) % P


def ladder(k: int, u: int) -> int:
    """Return the u-coordinate of k times a point, 0 for the point at infinity [RFC7748 §5]."""
    x2, z2, x3, z3 = 1, 0, u, 1
    for t in reversed(range(255)):
        if k >> t & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a % P, c * b % P, a * a % P, b * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + (J - 2) // 4 * e) % P
        if k >> t & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return x2 * pow(z2, P - 2, P) % P


def clamp(scalar: bytes) -> int:
    """Return the multiple of 8 that X25519 takes a scalar for [RFC7748 §5]."""
    return (int.from_bytes(scalar, "little") & 2**255 - 8) % 2**254 | 2**254


def hash_to_curve(
    offsets: NDArray[np.int64], data: NDArray[np.uint8], rows: NDArray[np.int64], *, dst: bytes
) -> NDArray[np.uint8]:
    """Do as :func:`services.kernels.curve25519.hash_to_curve`."""
    mapped = [
        map_to_curve(hash_to_field(data[offsets[i] : offsets[i + 1]].tobytes(), dst)) for i in rows
    ]
    encoded = b"".join(u.to_bytes(32, "little") for u in mapped)
    return np.frombuffer(encoded, np.uint8).reshape(-1, 32)


def scalar_multiply(
    elements: NDArray[np.uint8], scalar: bytes, *, checked: bool = True
) -> tuple[NDArray[np.uint8], int]:
    """Do as :func:`services.kernels.curve25519.scalar_multiply`."""
    out = np.zeros_like(elements)
    unfit = []
    for i, element in enumerate(elements):
        u = int.from_bytes(element.tobytes(), "little")
        product = ladder(clamp(scalar), u) if u < P and (is_on_curve(u) or not checked) else 0
        out[i] = np.frombuffer(product.to_bytes(32, "little"), np.uint8)
        if product == 0:
            unfit.append(i)
    return out, unfit[0] if unfit else -1
