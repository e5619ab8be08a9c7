"""Trees of seeds that can be given away but for one leaf: puncturable pseudorandom functions.

Paper:  [GGM86]; a node's children are P0(x) + x and P1(x) + x, with AES-128 under two public keys
        for P0 and P1: a PRG if these are random permutations [GKWY20 §7].
        The keys are the same in each run, so D nodes and T trials find a seed with probability
        D·T / 2^128, as in all that do so.
"""

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native, thread_count
from services.kernels.blocks import Blocks, empty, flat


def depth_of(leaves: int) -> int:
    """Return how many levels lie below the root of a tree with so many leaves, at least 2."""
    if leaves < 2:
        raise ValueError(f"a tree has {leaves} leaves")
    return (leaves - 1).bit_length()


def expand(roots: Blocks, leaves: int) -> tuple[Blocks, Blocks, Blocks]:
    """Return the leaves of trees, each level's sums of left and of right nodes, and the total.

    Nodes without a leaf below them are left out, but for those whose sibling has one. From such a
    stump nothing grows, and it counts in its level's sum and in the total, as a leaf does: else
    whoever asks for the way to a place behind the last leaf would learn all leaves, and the total.
    Shapes: roots (t, 2); leaves (t, leaves, 2); sums (t, depth, 2, 2), left before right; totals
            (t, 2), of all leaves and stumps of each tree.
    """
    trees, depth = len(flat(roots, "roots")), depth_of(leaves)
    if not trees:
        raise ValueError("there are no roots")
    grown, sums, totals = empty(trees, leaves), empty(trees, depth, 2), empty(trees)
    _native.ggm_expand(
        flat(grown, ""), flat(sums, ""), totals, flat(roots, "roots"), thread_count()
    )
    return grown, sums, totals


def evaluate(points: NDArray[np.int64], siblings: Blocks, rests: Blocks, leaves: int) -> Blocks:
    """Return trees' leaves but for one each; in its place the sum of all else and of the rest.

    Shapes: points (t,), the missing leaves; siblings (t, depth, 2), of each level the sum of the
            nodes on the side where the way to the leaf does not go; rests (t, 2); the result
            (t, leaves, 2).
    """
    trees, depth = len(points), depth_of(leaves)
    if siblings.shape != (trees, depth, 2) or rests.shape != (trees, 2):
        raise ValueError(f"{trees} points, siblings {siblings.shape}, rests {rests.shape}")
    require_points(points, leaves)
    grown = empty(trees, leaves)
    _native.ggm_evaluate(
        flat(grown, ""), points, flat(siblings, "siblings"), flat(rests, "rests"), thread_count()
    )
    return grown


def require_points(points: NDArray[np.int64], leaves: int) -> None:
    """Raise ValueError unless each point is one of 0…leaves-1, and there are some."""
    if not len(points) or not 0 <= points.min() <= points.max() < leaves:
        raise ValueError(f"points are not among {leaves} leaves")
