"""What a party knows of a partition that is finished, and keeps across attempts."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.service import Scratch

_HEADER = np.dtype("<u8")


@dataclass(frozen=True, slots=True)
class Matched:
    """A party's own rows that match, key by key.

    Shapes: counts (k,) int64, how many rows have each key; rows (sum of counts,) int64, those of
            one key together; labels (k, w) uint8, what the peer gave with each key.
    """

    counts: NDArray[np.int64] = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)
    labels: NDArray[np.uint8] = field(repr=False)


def keep(scratch: Scratch, number: int, matched: Matched) -> None:
    """Put a partition's outcome on disk: it need not be computed again."""
    sizes = (len(matched.counts), len(matched.rows), matched.labels.shape[1])
    columns = (np.array(sizes, _HEADER), matched.counts, matched.rows, matched.labels)
    flat = [np.ascontiguousarray(column).reshape(-1).view(np.uint8) for column in columns]
    scratch.keep(_name(number), np.concatenate(flat))


def find(scratch: Scratch, number: int) -> Matched | None:
    """Return what was kept of a partition; None if nothing was, or it is not whole."""
    data = scratch.load(_name(number))
    if data is None or len(data) < 3 * _HEADER.itemsize:
        return None
    keys, rows, width = (int(size) for size in data[:24].view(_HEADER))
    ends = np.cumsum([24, 8 * keys, 8 * rows, keys * width])
    if ends[-1] != len(data):
        return None
    counts = data[ends[0] : ends[1]].view(np.int64)
    numbers = data[ends[1] : ends[2]].view(np.int64)
    return Matched(counts, numbers, data[ends[2] :].reshape(keys, width))


def count_finished(scratch: Scratch, partitions: int) -> int:
    """Return how many partitions, from the first on, are finished."""
    for number in range(partitions):
        if find(scratch, number) is None:
            return number
    return partitions


def _name(number: int) -> str:
    return f"matched-{number}"
