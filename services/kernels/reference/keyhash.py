"""Keys to blocks, by the BLAKE2s of Python's own library."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from services.kernels.blocks import Blocks, from_bytes


def hash_keys(
    offsets: NDArray[np.int64], data: NDArray[np.uint8], rows: NDArray[np.int64], *, salt: bytes
) -> Blocks:
    """Do as :func:`services.kernels.keyhash.hash_keys`."""
    hashes = [
        hashlib.blake2s(
            data[offsets[i] : offsets[i + 1]].tobytes(),
            digest_size=16,
            salt=salt[:8],
            person=salt[8:],
        ).digest()
        for i in rows
    ]
    return from_bytes(b"".join(hashes))


def hash_pairs(left: Blocks, right: Blocks, *, salt: bytes, width: int) -> NDArray[np.uint8]:
    """Do as :func:`services.kernels.keyhash.hash_pairs`."""
    offsets = np.arange(0, 32 * len(left) + 1, 32, dtype=np.int64)
    both = np.hstack((left, right)).reshape(-1).view(np.uint8)
    hashed = hash_keys(offsets, both, np.arange(len(left)), salt=salt)
    return hashed.view(np.uint8)[:, :width]
