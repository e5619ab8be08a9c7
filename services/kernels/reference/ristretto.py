"""The group ristretto255, from the texts of [RFC9496] and [RFC9380]."""

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

P: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
D: Final = -121665 * pow(121666, -1, P) % P
SQRT_M1: Final = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
IDENTITY: Final[Point] = (0, 1, 1, 0)


def _is_negative(e: int) -> bool:
    return e % P % 2 == 1


def _abs(e: int) -> int:
    return -e % P if _is_negative(e) else e % P


def _sqrt_ratio(u: int, v: int) -> tuple[bool, int]:
    """Return whether u/v is a square, and the root of u/v or else of SQRT_M1·u/v [RFC9496 §4.2]."""
    r = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    check = v * r * r % P
    is_flipped = check in (-u % P, -u * SQRT_M1 % P)
    if is_flipped:
        r = r * SQRT_M1 % P
    return check in (u % P, -u % P), _abs(r)


SQRT_AD_MINUS_ONE: Final = -_sqrt_ratio(-D - 1, 1)[1] % P
INVSQRT_A_MINUS_D: Final = _sqrt_ratio(1, -1 - D)[1]


def decode(encoded: bytes) -> Point | None:
    """Return the point of an encoding, None if it is no valid one [RFC9496 §4.3.1]."""
    s = int.from_bytes(encoded, "little")
    if s >= P or _is_negative(s):
        return None
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    was_square, root = _sqrt_ratio(1, v * u2 * u2 % P)
    den_x = root * u2 % P
    x = _abs(2 * s * den_x)
    y = u1 * root * den_x * v % P
    t = x * y % P
    return None if not was_square or _is_negative(t) or y == 0 else (x, y, 1, t)


def encode(point: Point) -> bytes:
    """Return the encoding of a point [RFC9496 §4.3.2]."""
    x0, y0, z0, t0 = point
    u1, u2 = (z0 + y0) * (z0 - y0) % P, x0 * y0 % P
    _, root = _sqrt_ratio(1, u1 * u2 * u2 % P)
    den1, den2 = root * u1 % P, root * u2 % P
    z_inv = den1 * den2 * t0 % P
    if _is_negative(t0 * z_inv):
        x, y, den_inv = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    else:
        x, y, den_inv = x0, y0, den2
    if _is_negative(x * z_inv):
        y = -y % P
    return _abs(den_inv * (z0 - y)).to_bytes(32, "little")


def add(p: Point, q: Point) -> Point:
    """Return p + q on the twisted Edwards curve with a = -1 [RFC9496 §4.3.4]."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = p, q
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = t1 * 2 * D * t2 % P, z1 * 2 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar: int, point: Point) -> Point:
    """Return scalar · point, by doubling and adding."""
    total = IDENTITY
    for bit in bin(scalar)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def _map_to_curve(half: bytes) -> Point:
    """Return the point of 32 uniform bytes [RFC9496 §4.3.4, MAP]."""
    r = SQRT_M1 * pow(int.from_bytes(half, "little") % 2**255, 2, P) % P
    u = (r + 1) * (1 - D * D) % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = _sqrt_ratio(u, v)
    if not was_square:
        s = -_abs(s * (int.from_bytes(half, "little") % 2**255)) % P
    c = -1 if was_square else r
    n = (c * (r - 1) * (D - 1) ** 2 - v) % P
    w0, w1, w2, w3 = 2 * s * v, n * SQRT_AD_MINUS_ONE, 1 - s * s, 1 + s * s
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def from_uniform(uniform: bytes) -> Point:
    """Return the element that 64 uniform bytes stand for [RFC9496 §4.3.4]."""
    return add(_map_to_curve(uniform[:32]), _map_to_curve(uniform[32:]))


def expand_message_xmd(message: bytes, dst: bytes, count: int) -> bytes:
    """Return ``count`` bytes from SHA-512 that look uniform [RFC9380 §5.3.1]."""
    dst_prime = dst + bytes([len(dst)])
    padded = bytes(128) + message + count.to_bytes(2, "big") + b"\0" + dst_prime
    b_0 = hashlib.sha512(padded).digest()
    blocks = [hashlib.sha512(b_0 + b"\1" + dst_prime).digest()]
    while 64 * len(blocks) < count:
        mixed = bytes(x ^ y for x, y in zip(b_0, blocks[-1], strict=True))
        number = bytes([len(blocks) + 1])
        blocks.append(hashlib.sha512(mixed + number + dst_prime).digest())
    return b"".join(blocks)[:count]


def hash_to_group(
    offsets: NDArray[np.int64], data: NDArray[np.uint8], rows: NDArray[np.int64], *, dst: bytes
) -> NDArray[np.uint8]:
    """Do as :func:`services.kernels.ristretto.hash_to_group`."""
    encoded = [
        encode(
            from_uniform(expand_message_xmd(data[offsets[i] : offsets[i + 1]].tobytes(), dst, 64))
        )
        for i in rows
    ]
    return np.frombuffer(b"".join(encoded), np.uint8).reshape(-1, 32)


def scalar_multiply(elements: NDArray[np.uint8], scalar: bytes) -> tuple[NDArray[np.uint8], int]:
    """Do as :func:`services.kernels.ristretto.scalar_multiply`."""
    out = np.zeros_like(elements)
    unfit = []
    for i, element in enumerate(elements):
        point = decode(element.tobytes())
        if point is None or not element.any():
            unfit.append(i)
            continue
        encoded = encode(multiply(int.from_bytes(scalar, "little"), point))
        out[i] = np.frombuffer(encoded, np.uint8)
    return out, unfit[0] if unfit else -1


def reduce_scalar(wide: bytes) -> bytes:
    """Do as :func:`services.kernels.ristretto.reduce_scalar`."""
    return (int.from_bytes(wide, "little") % ORDER).to_bytes(32, "little")
