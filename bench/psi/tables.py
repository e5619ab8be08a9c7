"""The tables that are intersected: keys of 16 digits in no order, half of them common.

They are made a piece at a time, so that a table of any size takes little memory.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from services.service import Keys

KEY_BYTES: Final = 16
_PIECE_ROWS: Final = 1 << 20
_POWERS: Final = 10 ** np.arange(KEY_BYTES - 1, -1, -1, dtype=np.int64)
_MASK: Final = np.uint64((1 << 53) - 1)
_ODD: Final = (np.uint64(0x1CE4E5B9BF5847), np.uint64(0x0D049BB133111B))


def common_of(count: int) -> int:
    """Return how many keys both parties have, of ``count`` each."""
    return count // 2


def numbers_of(rank: int, count: int) -> range:
    """Return what stands for a party's keys, row by row; rank 1 has them the other way."""
    if rank == 0:
        return range(count)
    start = count - common_of(count)
    return range(start + count - 1, start - 1, -1)


def keys_of(numbers: NDArray[np.uint64]) -> Keys:
    """Return the keys that stand for numbers below 2^53: unlike for unlike numbers."""
    offsets = np.arange(0, KEY_BYTES * (len(numbers) + 1), KEY_BYTES, dtype=np.int64)
    return Keys(offsets, _digits(numbers).reshape(-1))


def held_by(rank: int, count: int) -> Keys:
    """Return all keys of a party."""
    return keys_of(_array(numbers_of(rank, count)))


def write_parquet(path: Path, rank: int, count: int) -> Path:
    """Write a party's table with the columns ``id`` and ``value``, a number from 0 to 7."""
    schema = pa.table({"id": pa.array([], pa.string()), "value": pa.array([], pa.int64())}).schema
    with pq.ParquetWriter(path, schema) as writer:
        for numbers in _pieces(rank, count):
            ends = np.arange(0, KEY_BYTES * (len(numbers) + 1), KEY_BYTES, dtype=np.int32)
            buffers = pa.py_buffer(ends.data), pa.py_buffer(_digits(numbers).data)
            ids = pa.StringArray.from_buffers(len(numbers), *buffers)
            values = pa.array((numbers & np.uint64(7)).astype(np.int64))
            writer.write_table(pa.table({"id": ids, "value": values}))
    return path


def write_csv(path: Path, rank: int, count: int) -> Path:
    """Write a party's keys as a column ``id``."""
    with path.open("wb") as file:
        file.write(b"id\n")
        for numbers in _pieces(rank, count):
            ends = np.full((len(numbers), 1), ord("\n"), np.uint8)
            file.write(np.concatenate((_digits(numbers), ends), axis=1).data)
    return path


def _pieces(rank: int, count: int) -> Iterator[NDArray[np.uint64]]:
    numbers = numbers_of(rank, count)
    for start in range(0, count, _PIECE_ROWS):
        yield _array(numbers[start : start + _PIECE_ROWS])


def _array(numbers: range) -> NDArray[np.uint64]:
    return np.arange(numbers.start, numbers.stop, numbers.step, dtype=np.int64).astype(np.uint64)


def _digits(numbers: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return 16 digits for each number, by a bijection of the numbers below 2^53."""
    mixed = numbers
    for odd in _ODD:  # each step can be undone: an odd factor, and high bits added to low ones
        mixed = mixed * odd & _MASK
        mixed = mixed ^ (mixed >> np.uint64(27))
    return (mixed.astype(np.int64)[:, None] // _POWERS % 10 + ord("0")).astype(np.uint8)
