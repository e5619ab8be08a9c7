"""The group ristretto255 on columns of encoded elements, 32 bytes each."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native, thread_count
from services.kernels.keys import require_within

ELEMENT_BYTES: Final = 32
SCALAR_BYTES: Final = 32
WIDE_SCALAR_BYTES: Final = 64
MOST_DST_BYTES: Final = 255


def hash_to_group(
    offsets: NDArray[np.int64], data: NDArray[np.uint8], rows: NDArray[np.int64], *, dst: bytes
) -> NDArray[np.uint8]:
    """Hash the keys in ``rows`` to elements that nobody knows a logarithm of.

    Paper:  [RFC9380] appendix B, hash_to_ristretto255 with expand_message_xmd over SHA-512.
    Shapes: offsets (n + 1,) int64 ascending, data (offsets[n],) uint8, rows (m,) int64 in 0…n-1;
            key i is data[offsets[i]:offsets[i + 1]]; the result is (m, 32) uint8, in order of rows.
    """
    if not 0 < len(dst) <= MOST_DST_BYTES:
        raise ValueError(f"dst has {len(dst)} bytes")
    require_within(offsets, data, rows)
    out = np.empty((len(rows), ELEMENT_BYTES), np.uint8)
    suffix = np.frombuffer(dst, np.uint8)
    _native.hash_to_group(out, offsets, data, np.ascontiguousarray(rows), suffix, thread_count())
    return out


def scalar_multiply(elements: NDArray[np.uint8], scalar: bytes) -> tuple[NDArray[np.uint8], int]:
    """Multiply each element by a scalar; also return which comes first that is unfit, or -1.

    Paper:  [RFC9496]; unfit are encodings that its §4.3.1 refuses, and the identity.
    Shapes: elements and the result (n, 32) uint8, C-contiguous; rows of unfit elements are zero.
    """
    if elements.ndim != 2 or elements.shape[1] != ELEMENT_BYTES or len(scalar) != SCALAR_BYTES:
        raise ValueError(f"elements are {elements.shape}, the scalar has {len(scalar)} bytes")
    if not any(scalar):
        raise ValueError("the scalar is zero")  # it would make each element look unfit
    out = np.empty(elements.shape, np.uint8)
    factor = np.frombuffer(scalar, np.uint8)
    return out, _native.scalar_multiply(out, elements, factor, thread_count())


def add(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """Add elements row by row; also return the first row that holds no element, or -1.

    Shapes: left, right and the result (n, 32) uint8, C-contiguous; unfit rows are zero.
    """
    _require_alike(left, right)
    out = np.empty(left.shape, np.uint8)
    return out, _native.add_elements(out, left, right)


def subtract(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """Subtract elements row by row; otherwise as :func:`add`."""
    _require_alike(left, right)
    out = np.empty(left.shape, np.uint8)
    return out, _native.subtract_elements(out, left, right)


def multiply_each(
    elements: NDArray[np.uint8], scalars: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], int]:
    """Multiply each element by a scalar of its own; otherwise as :func:`scalar_multiply`.

    Shapes: elements, scalars and the result (n, 32) uint8, C-contiguous.
    """
    _require_alike(elements, scalars)
    _require_scalars(scalars)
    out = np.empty(elements.shape, np.uint8)
    return out, _native.multiply_each(out, elements, scalars)


def multiply_base(scalars: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Multiply the generator by each scalar. Shapes: scalars and the result (n, 32) uint8."""
    _require_scalars(scalars)
    out = np.empty(scalars.shape, np.uint8)
    _native.multiply_base(out, scalars)
    return out


def _require_alike(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> None:
    if left.ndim != 2 or left.shape[1] != ELEMENT_BYTES or left.shape != right.shape:
        raise ValueError(f"{left.shape} and {right.shape} are not as many elements")


def _require_scalars(scalars: NDArray[np.uint8]) -> None:
    is_fit = scalars.ndim == 2 and scalars.shape[1] == SCALAR_BYTES
    if not is_fit or not np.all(scalars.any(axis=1)) or np.any(scalars[:, 31] & 0x80):
        raise ValueError(f"{scalars.shape} are not scalars, or one is zero")


def reduce_scalar(wide: bytes) -> bytes:
    """Return 64 uniform bytes modulo the order of the group, as a scalar of 32 bytes."""
    if len(wide) != WIDE_SCALAR_BYTES:
        raise ValueError(f"{len(wide)} bytes, not {WIDE_SCALAR_BYTES}")
    out = np.empty(SCALAR_BYTES, np.uint8)
    _native.reduce_scalar(out, np.frombuffer(wide, np.uint8))
    return out.tobytes()
