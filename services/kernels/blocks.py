"""Columns of 128-bit blocks, which are also elements of GF(2^128)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Blocks = NDArray[np.uint64]
"""Shape (…, 2), uint64, C-contiguous, at any address: the low word first; bit i stands for x^i."""

BLOCK_BYTES: Final = 16


def empty(*shape: int) -> Blocks:
    """Return room for blocks."""
    return np.empty((*shape, 2), np.uint64)


def flat(blocks: Blocks, what: str) -> Blocks:
    """Return the blocks in one column, not copied. Raises: ValueError if they are none."""
    is_fit = blocks.dtype == np.uint64 and blocks.ndim >= 2 and blocks.shape[-1] == 2
    if not is_fit or not blocks.flags.c_contiguous:
        raise ValueError(f"{what} are no blocks: {blocks.dtype} {blocks.shape}")
    return blocks.reshape(-1, 2)


def from_bytes(data: bytes) -> Blocks:
    """Return bytes as blocks, 16 each."""
    return np.frombuffer(data, "<u8").reshape(-1, 2).astype(np.uint64)
