"""Columns of texts: sent in pieces, packed into labels, and gathered."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.errors import ConfigError, RoomShort
from services.psi.messages import Lengths, Values
from services.service import Texts

PIECE_ROWS: Final = 8192
PIECE_BYTES: Final = 4 << 20
"""Of the values in one message, and of their lengths in another."""

LENGTH_BYTES: Final = 5
"""Of a value beside itself: its length, and whether it is null."""

HEADER_BYTES: Final = 3
"""Of a value in a label: whether there is one, and its length in two bytes."""

Batch = tuple[Texts, ...]


async def send_batch(channel: Channel, batch: Batch) -> None:
    """Send columns of some rows. Raises: ConfigError if a row has more than PIECE_BYTES."""
    for start, end in pairwise(cuts(batch)):
        piece = [slice_of(texts, start, end) for texts in batch]
        lengths = [np.diff(texts.offsets).astype(np.uint32) for texts in piece]
        present = [texts.present for texts in piece]
        await channel.send(Lengths(np.concatenate(lengths), np.concatenate(present)))
        await channel.send(Values(np.concatenate([texts.data for texts in piece])))


async def receive_batch(channel: Channel, columns: int, most_rows: int) -> Batch:
    """Return columns of the next rows, at least one and at most ``most_rows``."""
    rows = min(most_rows, piece_rows(columns))
    said = await channel.receive(Lengths, rows=rows * columns)
    count = len(said.lengths) // columns
    is_fit = count > 0 and len(said.lengths) == len(said.present) == count * columns
    channel.require(is_fit, "its values are not of whole rows")
    is_null_empty = not np.any(said.lengths[~said.present])
    channel.require(is_null_empty, "a value of its is null and has a length")
    total = int(said.lengths.sum(dtype=np.uint64))
    channel.require(total <= PIECE_BYTES, "its values are longer than a message may be")
    data = (await channel.receive(Values, rows=total)).data
    channel.require(len(data) == total, "its values are not as long as it said")
    starts = np.concatenate(([0], np.cumsum(said.lengths, dtype=np.int64)))
    return tuple(
        slice_of(Texts(starts, data, said.present), column * count, (column + 1) * count)
        for column in range(columns)
    )


def piece_rows(columns: int) -> int:
    """Return of how many rows the lengths fit into a message."""
    return max(1, min(PIECE_ROWS, PIECE_BYTES // (LENGTH_BYTES * columns)))


def cuts(batch: Batch) -> list[int]:
    """Return where to cut a batch so that each piece fits into a message."""
    count = len(batch[0])
    ends = np.sum([texts.offsets[1:] for texts in batch], axis=0)
    found = [0]
    while found[-1] < count:
        start = found[-1]
        before = sum(int(texts.offsets[start]) for texts in batch)
        end = int(np.searchsorted(ends, before + PIECE_BYTES, side="right"))
        if end == start:
            raise ConfigError(
                f"the values of one row have more than {PIECE_BYTES >> 20} MiB",
                remedy="give fewer columns, or shorter values by a query",
            )
        found.append(min(end, start + piece_rows(len(batch)), count))
    return found


def slice_of(texts: Texts, start: int, end: int) -> Texts:
    """Return the texts from ``start`` to ``end``, the data not copied."""
    offsets = texts.offsets[start : end + 1]
    data = texts.data[offsets[0] : offsets[-1]]
    return Texts(offsets - offsets[0], data, texts.present[start:end])


def take(texts: Texts, places: NDArray[np.int64]) -> Texts:
    """Return the texts at ``places``, in that order."""
    lengths = np.diff(texts.offsets)[places]
    data = texts.data[spans(texts.offsets[:-1][places], lengths)]
    return Texts(ends_of(lengths), data, texts.present[places])


def spans(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return start, start + 1, … for each start, as many as its length says, one after another."""
    offsets = ends_of(lengths)
    return np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])


def ends_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0 and the sums of the first lengths: offsets of a column with these lengths."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def pack(batch: Batch, rows: NDArray[np.int64], label_bytes: int) -> NDArray[np.uint8]:
    """Return the columns' values of each row as one label, filled up with zeros.

    Raises: RoomShort, naming which of ``rows`` it is, if a row does not fit.
    """
    count = len(batch[0])
    labels = np.zeros(count * label_bytes, np.uint8)
    place = np.arange(count, dtype=np.int64) * label_bytes
    needed = np.zeros(count, np.int64)
    for texts in batch:
        needed += np.diff(texts.offsets) + HEADER_BYTES
    if np.any(needed > label_bytes):
        worst = int(np.argmax(needed))
        raise RoomShort(
            f"the columns of row {rows[worst] + 1} take {needed[worst]} bytes,"
            f" the contract has room for {label_bytes}",
            remedy="raise the parameter payload_bytes, or give fewer columns",
        )
    for texts in batch:
        lengths = np.diff(texts.offsets)
        labels[place] = texts.present
        labels[place + 1] = lengths & 0xFF
        labels[place + 2] = lengths >> 8
        labels[spans(place + HEADER_BYTES, lengths)] = texts.data
        place += HEADER_BYTES + lengths
    return labels.reshape(count, label_bytes)


def unpack(labels: NDArray[np.uint8], columns: int) -> tuple[Batch, NDArray[np.bool_]]:
    """Return the columns' values that were packed into labels, and which labels hold such.

    Those that do not give nulls. Shapes: labels (n, label_bytes), the second result (n,).
    """
    count, label_bytes = labels.shape
    flat = labels.reshape(-1)
    place = np.arange(count, dtype=np.int64) * label_bytes
    ends = place + label_bytes
    is_fit = np.ones(count, np.bool_)
    found = []
    for _ in range(columns):
        is_fit &= place + HEADER_BYTES <= ends
        header = np.where(is_fit, place, 0)
        present = flat[header]
        lengths = flat[header + 1].astype(np.int64) | flat[header + 2].astype(np.int64) << 8
        starts = place + HEADER_BYTES
        place = starts + lengths
        is_fit &= (place <= ends) & ((present == 1) | ((present == 0) & (lengths == 0)))
        found.append((present, starts, lengths))
    return tuple(_texts_in(flat, *one, is_fit) for one in found), is_fit


def _texts_in(
    flat: NDArray[np.uint8],
    present: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    is_fit: NDArray[np.bool_],
) -> Texts:
    lengths = np.where(is_fit, lengths, 0)
    starts = np.where(is_fit, starts, 0)
    return Texts(ends_of(lengths), flat[spans(starts, lengths)], is_fit & (present == 1))


def pieces(labels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Cut labels into pieces that fit into memory."""
    rows = max(1, PIECE_BYTES // max(1, labels.shape[1]))
    for start in range(0, len(labels), rows):
        yield labels[start : start + rows]
