"""Order and equality of rows of 32 bytes: how two columns of elements are matched."""

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native

Rows = NDArray[np.uint8]
Order = NDArray[np.int64]


def sort_rows(rows: Rows) -> Order:
    """Return the places of the rows, ascending by their bytes. Shapes: rows (n, 32) uint8."""
    order = np.empty(len(rows), np.int64)
    _native.sort_rows(order, rows)
    return order


def has_repeat(rows: Rows, order: Order) -> bool:
    """Return whether some row stands twice in ``rows``, of which ``order`` is the sorted order."""
    _require_order(rows, order)
    return _native.has_repeat(rows, order)


def match_rows(left: Rows, left_order: Order, right: Rows, right_order: Order) -> Order:
    """Return for each row of ``right`` its place in ``left``, or -1; neither may hold repeats.

    Shapes: left (n, 32) and right (m, 32) uint8, their sorted orders, and the result (m,) int64.
    """
    _require_order(left, left_order)
    _require_order(right, right_order)
    found = np.empty(len(right), np.int64)
    _native.match_rows(found, left, left_order, right, right_order)
    return found


def _require_order(rows: Rows, order: Order) -> None:
    if len(order) != len(rows) or (len(order) and not 0 <= order.min() <= order.max() < len(rows)):
        raise ValueError("the order is not one of these rows")
