"""Columns of text between Arrow, which reads and writes them, and services: no value is copied."""

from itertools import pairwise, repeat
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.service import Keys, Texts


def keys_of(strings: pa.LargeStringArray) -> Keys:
    """Return the values of a column without nulls."""
    return Keys(*_buffers(strings))


def texts_of(strings: pa.LargeStringArray) -> Texts:
    """Return the values of a column. In one of DuckDB's a null takes no bytes."""
    present = strings.is_valid().to_numpy(zero_copy_only=False)
    return Texts(*_buffers(strings), present)


def strings_of(texts: Texts) -> "pa.Array[Any]":
    """Return texts as a column. Raises: ArrowInvalid if they are not UTF-8."""
    present = pa.array(texts.present).buffers()[1]
    buffers = [present, pa.py_buffer(texts.offsets.data), pa.py_buffer(texts.data.data)]
    strings = pa.Array.from_buffers(pa.large_string(), len(texts), buffers)
    strings.validate(full=True)
    return strings


def readable_strings_of(texts: Texts) -> "pa.Array[Any]":
    """Return texts as a column; those that are not UTF-8 as nulls."""
    spans = pairwise(texts.offsets.tolist())
    values = map(_readable, texts.present.tolist(), spans, repeat(texts.data))
    return pa.array(values, pa.large_string())


def _readable(is_present: bool, span: tuple[int, int], data: NDArray[np.uint8]) -> str | None:
    try:
        return data[slice(*span)].tobytes().decode() if is_present else None
    except UnicodeDecodeError:
        return None


def _buffers(strings: pa.LargeStringArray) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    _, raw_offsets, raw_data = strings.buffers()
    span = slice(strings.offset, strings.offset + len(strings) + 1)
    offsets = np.frombuffer(buffer_of(raw_offsets), np.int64)[span]
    if not len(offsets):
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    start, end = int(offsets[0]), int(offsets[-1])
    data = np.frombuffer(buffer_of(raw_data), np.uint8)[start:end]
    return (offsets - start if start else offsets), data


def buffer_of(buffer: pa.Buffer | None) -> memoryview:
    """Return a buffer's bytes; Arrow has none where there are no values."""
    return memoryview(b"") if buffer is None else memoryview(buffer)
