"""From trees that the peer knows but for a leaf to correlated bits, keys and field elements.

Paper:  [Roy22] over GF(2): 16 trees of 256 leaves; the peer's missing leaves are the 16 bytes of
        its difference Δ, so that bit 8 i + b of Δ is bit b of its point in tree i.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native, thread_count
from services.kernels.blocks import Blocks, empty, flat

TREES: Final = 16
LEAVES: Final = 256
DEPTH: Final = 8
BITS: Final = 128


def turn(leaves: Blocks, points: NDArray[np.uint8]) -> Blocks:
    """Return leaves moved in each tree: at place y the one that stood at y XOR its point.

    Shapes: leaves and the result (16, 256, 2); points (16,) uint8.
    """
    if leaves.shape != (TREES, LEAVES, 2) or points.shape != (TREES,):
        raise ValueError(f"leaves {leaves.shape}, points {points.shape}")
    moved = leaves.copy()
    _native.turn(flat(moved, "leaves"), points)
    return moved


def fold(leaves: Blocks, length: int) -> tuple[Blocks, Blocks]:
    """Stretch leaves to streams; return each tree's sum, and for each bit of y those with it set.

    Shapes: leaves (16, 256, 2); totals (16, length, 2); rows (128, length, 2), of tree i from 8 i.
    """
    if leaves.shape != (TREES, LEAVES, 2) or length < 1:
        raise ValueError(f"leaves {leaves.shape}, streams of {length}")
    totals, rows = empty(TREES, length), empty(BITS, length)
    _native.fold(flat(totals, ""), flat(rows, ""), flat(leaves, "leaves"), thread_count())
    return totals, rows


def stream(seeds: Blocks, length: int, *, domain: int) -> Blocks:
    """Return what seeds stretch to; the streams of :func:`fold` are those of domain 0.

    Paper:  P(seed + counter) + seed + counter, P a fixed-key AES [GKWY20 §7].
    Shapes: seeds (n, 2), the result (n, length, 2).
    """
    column = flat(seeds, "seeds")
    if not len(column) or length < 1 or not 0 <= domain < 2**63:
        raise ValueError(f"{len(column)} seeds, streams of {length} in domain {domain}")
    out = empty(len(column), length)
    _native.stream(flat(out, ""), column, domain)
    return out


def transpose(rows: Blocks) -> Blocks:
    """Return columns of bits as blocks.

    Shapes: rows (128, length, 2), the result (128 length, 2).
    """
    if rows.ndim != 3 or rows.shape[0] != BITS:
        raise ValueError(f"rows are {rows.shape}")
    out = empty(rows.shape[1] * BITS)
    _native.transpose(out, flat(rows, "rows"))
    return out


def combine(rows: Blocks) -> Blocks:
    """Return the sum of x^r rows[r]. Shapes: rows (128, length, 2), the result (length, 2)."""
    if rows.ndim != 3 or rows.shape[0] != BITS:
        raise ValueError(f"rows are {rows.shape}")
    out = empty(rows.shape[1])
    _native.combine(out, flat(rows, "rows"))
    return out


def tweaked_hash(blocks: Blocks, *, first: int = 0) -> Blocks:
    """Hash each block under a number of its own, counted from ``first``: correlation-robust.

    Paper:  [GKWY20 §7], P(P(x) + i) + P(x).
    Shapes: blocks and the result (n, 2).
    """
    column = flat(blocks, "blocks")
    if not 0 <= first < 2**62:
        raise ValueError(f"numbers start at {first}")
    out = empty(len(column))
    _native.tweaked_hash(out, column, first)
    return out


def linear_hash(rows: Blocks, point: Blocks) -> Blocks:
    """Return for each row v the sum of point^j v[j] in GF(2^128).

    Shapes: rows (r, n, 2), point (2,), the result (r, 2).
    Cost:   n multiplications a row; two different rows of n collide for n - 1 points at most.
    """
    if rows.ndim != 3 or not rows.size or point.shape != (2,):
        raise ValueError(f"rows {rows.shape}, point {point.shape}")
    out = empty(len(rows))
    _native.hash_rows(out, flat(rows, "rows"), flat(point.reshape(1, 2), "points"), thread_count())
    return out
