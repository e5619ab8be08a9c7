"""Keys to 128 bits each: what the other kernels take for an item."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native, thread_count
from services.kernels.blocks import Blocks, empty

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
    if len(salt) != SALT_BYTES:
        raise ValueError(f"salt has {len(salt)} bytes")
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(offsets) - 1:
        raise ValueError("rows are out of range")
    starts, ends = offsets[rows], offsets[rows + 1]
    if np.any(starts < 0) or np.any(ends < starts) or np.any(ends > len(data)):
        raise ValueError("offsets do not ascend within data")
    out = empty(len(rows))
    given = np.frombuffer(salt, np.uint8)
    _native.hash_keys(out, offsets, data, np.ascontiguousarray(rows), given, thread_count())
    return out
