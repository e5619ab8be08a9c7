"""Columns of keys as Arrow holds them: key i is ``data[offsets[i]:offsets[i + 1]]``."""

import numpy as np
from numpy.typing import NDArray


def require_within(
    offsets: NDArray[np.int64], data: NDArray[np.uint8], rows: NDArray[np.int64]
) -> None:
    """Raise ValueError unless the keys in ``rows`` exist and lie within ``data``."""
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(offsets) - 1:
        raise ValueError("rows are out of range")
    starts, ends = offsets[rows], offsets[rows + 1]
    if np.any(starts < 0) or np.any(ends < starts) or np.any(ends > len(data)):
        raise ValueError("offsets do not ascend within data")
