"""Hashes of many short messages: keys to blocks, which the other kernels take for items."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native, thread_count
from services.kernels.blocks import BLOCK_BYTES, Blocks, empty, flat

SALT_BYTES: Final = 16


def hash_keys(
    offsets: NDArray[np.int64], data: NDArray[np.uint8], rows: NDArray[np.int64], *, salt: bytes
) -> Blocks:
    """Hash the keys in ``rows`` to a block each.

    Two keys have equal hashes with a chance of 2^-128, if they were chosen before the salt was
    drawn; whoever knows the salt finds two such keys in about 2^64 steps.

    Paper:  [RFC7693] BLAKE2s, 16 bytes of digest; of the salt 8 bytes are its salt, then 8 its
            personalisation.
    Shapes: offsets (n + 1,) int64 ascending, data (offsets[n],) uint8, rows (m,) int64 in 0…n-1;
            key i is data[offsets[i]:offsets[i + 1]]; the result is (m, 2), in order of rows.
    """
    given = _salt(salt)
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(offsets) - 1:
        raise ValueError("rows are out of range")
    starts, ends = offsets[rows], offsets[rows + 1]
    if np.any(starts < 0) or np.any(ends < starts) or np.any(ends > len(data)):
        raise ValueError("offsets do not ascend within data")
    out = empty(len(rows))
    _native.hash_keys(out, offsets, data, np.ascontiguousarray(rows), given, thread_count())
    return out


def hash_pairs(left: Blocks, right: Blocks, *, salt: bytes, width: int) -> NDArray[np.uint8]:
    """Return the first ``width`` bytes, 16 at most, of the hash of each left[i] with right[i].

    Paper:  as :func:`hash_keys`, of the 32 bytes of both.
    Shapes: left and right (n, 2), the result (n, width) uint8.
    """
    given = _salt(salt)
    if len(left) != len(right) or not 1 <= width <= BLOCK_BYTES:
        raise ValueError(f"{len(left)} and {len(right)} blocks to {width} bytes each")
    out = np.empty((len(left), width), np.uint8)
    _native.hash_pairs(out, flat(left, "left"), flat(right, "right"), given, thread_count())
    return out


def _salt(salt: bytes) -> NDArray[np.uint8]:
    if len(salt) != SALT_BYTES:
        raise ValueError(f"salt has {len(salt)} bytes")
    return np.frombuffer(salt, np.uint8)
