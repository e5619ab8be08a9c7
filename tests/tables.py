"""A party's table in memory, as a service reads it."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from services.service import Keys, Numbers, Texts
from tests.conversation import keys_of

BATCHES = 5


class TableInMemory:
    """The keys of some rows, and columns of text beside them; both come in a few pieces."""

    def __init__(
        self, keys: Sequence[bytes], columns: Mapping[str, Sequence[str | None]] | None = None
    ) -> None:
        self._keys = keys
        self._columns = columns or {}

    def read_keys(self) -> Iterator[Keys]:
        for piece in pieces(len(self._keys)):
            yield keys_of(self._keys[piece])

    def read_texts(
        self, columns: Sequence[str], rows: NDArray[np.int64]
    ) -> Iterator[tuple[Texts, ...]]:
        for piece in pieces(len(rows)):
            chosen = rows[piece].tolist()
            yield tuple(texts_of([self._columns[name][row] for row in chosen]) for name in columns)

    def read_numbers(self, columns: Sequence[str], digits: int) -> Iterator[Numbers]:
        for piece in pieces(len(self._keys)):
            texts = [self._columns[name][piece] for name in columns]
            rows = [[None if text is None else Decimal(text) for text in one] for one in texts]
            values = [[int((one or 0) * 10**digits) for one in row] for row in rows]
            present = [[one is not None for one in row] for row in rows]
            yield Numbers(np.array(values, np.int64).T, np.array(present, np.bool_).T)


def pieces(count: int) -> list[slice]:
    size = -(-count // BATCHES) or 1
    return [slice(start, start + size) for start in range(0, count, size)]


def texts_of(values: Sequence[str | None]) -> Texts:
    held = keys_of([(value or "").encode() for value in values])
    present = np.array([value is not None for value in values], np.bool_)
    return Texts(held.offsets, held.data, present)


def values_of(texts: Texts) -> list[str | None]:
    data, ends = texts.data.tobytes(), texts.offsets.tolist()
    return [
        data[start:end].decode() if present else None
        for start, end, present in zip(ends, ends[1:], texts.present.tolist(), strict=False)
    ]
