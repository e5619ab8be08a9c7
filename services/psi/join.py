"""From the rows that match to a join: what each party gives of them, and how it is put together."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel, together
from services.errors import ConfigError
from services.kernels.shuffle import permutation
from services.progress import Progress
from services.psi.checkpoint import Matched
from services.psi.gifts import Gift
from services.psi.messages import Counts, Remaining
from services.psi.texts import (
    PIECE_ROWS,
    Batch,
    ends_of,
    receive_batch,
    send_batch,
    spans,
    take,
)
from services.randomness import Rng
from services.service import Inputs, JoinedRows, Scratch, Texts

COUNTS_ROWS: Final = 1 << 18
MOST_PAIRS: Final = 1 << 33
"""More rows would fill any disk: two keys that a million rows have each make 10^12."""
MOST_PAIRS_AT_ONCE: Final = 1 << 16


@dataclass(slots=True)
class Taken:
    """What a party has got of its peer's rows: the values wait in a scratch file.

    counts:    (k,) int64, how many rows of the peer come for each key that matches.
    unmatched: how many rows of the peer match none, of those that it gives.
    """

    scratch: Scratch
    columns: int
    counts: NDArray[np.int64] = field(repr=False)
    unmatched: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Put a batch into the file."""
        before = self.sizes[-1][1] if self.sizes else 0
        columns = [part for texts in batch for part in (texts.offsets, texts.present, texts.data)]
        record = np.concatenate([np.ascontiguousarray(part).view(np.uint8) for part in columns])
        self.scratch.append(FILE, record)
        self.sizes.append((len(batch[0]), before + len(record)))

    def batches(self) -> Iterator[Batch]:
        """Give the batches again, in order."""
        data = self.scratch.load(FILE)
        if data is None:
            return
        start = 0
        for count, end in self.sizes:
            yield tuple(_read(data[start:end], count, self.columns))
            start = end


FILE: Final = "given"


def _read(record: NDArray[np.uint8], count: int, columns: int) -> Iterator[Texts]:
    place = 0
    for _ in range(columns):
        offsets = np.frombuffer(record[place : place + 8 * (count + 1)].tobytes(), np.int64)
        place += 8 * (count + 1)
        present = record[place : place + count].astype(np.bool_)
        place += count
        yield Texts(offsets, record[place : place + offsets[-1]], present)
        place += int(offsets[-1])


async def exchange(
    channel: Channel,
    inputs: Inputs,
    scratch: Scratch,
    matched: Matched,
    row_count: int,
    *,
    ours: Gift,
    theirs: Gift,
    rng: Rng,
    progress: Progress,
    their_count: int,
) -> Taken:
    """Give the peer what it gets of our rows, and return what we get of its.

    Model:  two parties, semi-honest, that both know the keys that match, and their order.
    Leaks:  what the gifts are, and nothing of the order of rows in the giver's table.
    Cost:   a round, two if all rows of a key come; the values, 5 bytes each besides.
    Raises: PeerProtocolError if what comes is malformed, or of more rows than ``their_count``.
    """
    scratch.drop(FILE)
    others = unmatched(matched, row_count, rng) if ours.gives_unmatched else matched.rows[:0]
    rows = shuffled_by_key(matched, rng) if ours.is_by_all else first_of_keys(matched)
    taken = Taken(scratch, len(theirs.columns), np.ones(len(matched.counts), np.int64))
    await together(
        give(channel, inputs, matched.counts, rows, others, ours),
        receive(channel, taken, theirs, progress, their_count),
    )
    return taken


def unmatched(matched: Matched, row_count: int, rng: Rng) -> NDArray[np.int64]:
    """Return our rows that match none, in random order."""
    is_alone = np.ones(row_count, np.bool_)
    is_alone[matched.rows] = False
    rows = np.flatnonzero(is_alone)
    return rows[permutation(rng, len(rows))]


async def give(
    channel: Channel,
    inputs: Inputs,
    counts: NDArray[np.int64],
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    gift: Gift,
) -> None:
    """Send what the peer gets of our ``rows`` that match and of the ``others``.

    counts: of each key that matches, how many rows have it; for a gift by all.
    """
    if gift.columns and gift.is_by_all:
        for start in range(0, len(counts), COUNTS_ROWS):
            piece = counts[start : start + COUNTS_ROWS]
            await channel.send(Counts(piece.astype(np.uint32)))
    if gift.columns:
        await send_rows(channel, inputs, gift.columns, rows)
    if gift.gives_unmatched:
        await channel.send(Remaining(count=len(others)))
        if gift.columns:
            await send_rows(channel, inputs, gift.columns, others)


def first_of_keys(matched: Matched) -> NDArray[np.int64]:
    """Return of each key that matches our first row."""
    return matched.rows[ends_of(matched.counts)[:-1]]


def shuffled_by_key(matched: Matched, rng: Rng) -> NDArray[np.int64]:
    """Return our rows that match, those of one key together but in random order."""
    order = permutation(rng, len(matched.rows))
    keys = np.repeat(np.arange(len(matched.counts)), matched.counts)
    return matched.rows[order[np.argsort(keys[order], kind="stable")]]


async def send_rows(
    channel: Channel, inputs: Inputs, columns: Sequence[str], rows: NDArray[np.int64]
) -> None:
    """Send columns of some of our rows."""
    batches = inputs.read_texts(columns, rows)
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        await send_batch(channel, batch)


async def receive(
    channel: Channel, taken: Taken, gift: Gift, progress: Progress, their_count: int
) -> None:
    """Take what the peer gives of its rows."""
    if gift.columns and gift.is_by_all:
        taken.counts = await receive_counts(channel, len(taken.counts))
    matching = int(taken.counts.sum())  # at the least, if not all come
    channel.require(matching <= their_count, "more of its rows match than it has")
    total = int(taken.counts.sum()) if gift.columns else 0
    progress.stage("join", max(1, total))
    await receive_rows(channel, taken, total, progress)
    if gift.gives_unmatched:
        taken.unmatched = (await channel.receive(Remaining)).count
        channel.require(matching + taken.unmatched <= their_count, "it gives more rows than it has")
        if gift.columns:
            await receive_rows(channel, taken, taken.unmatched, progress)


async def receive_counts(channel: Channel, keys: int) -> NDArray[np.int64]:
    """Return how many rows the peer has of each key that matches."""
    counts = np.empty(keys, np.int64)
    for start in range(0, keys, COUNTS_ROWS):
        due = min(COUNTS_ROWS, keys - start)
        came = (await channel.receive(Counts, rows=due)).counts
        is_fit = len(came) == due and bool(np.all(came > 0))
        channel.require(is_fit, "its counts are not of the keys that match")
        counts[start : start + due] = came
    return counts


async def receive_rows(channel: Channel, taken: Taken, rows: int, progress: Progress) -> None:
    """Take the values of some rows of the peer."""
    while rows:
        batch = await receive_batch(channel, taken.columns, rows)
        await asyncio.to_thread(taken.add, batch)
        rows -= len(batch[0])
        progress.advance(len(batch[0]))


def joined(matched: Matched, taken: Taken) -> Iterator[JoinedRows]:
    """Give the pairs of our rows and the peer's, then the peer's alone.

    Raises: ConfigError if there are more than MOST_PAIRS.
    """
    pairs = int(np.sum(matched.counts * taken.counts, dtype=np.float64))
    if pairs > MOST_PAIRS:
        raise ConfigError(
            f"keys that many rows have make about {pairs} pairs",
            remedy="agree on the first row of each key: parameter duplicates",
        )
    if not taken.columns:
        yield JoinedRows(matched.rows, ())
        for start in range(0, taken.unmatched, PIECE_ROWS):
            count = min(PIECE_ROWS, taken.unmatched - start)
            yield JoinedRows(np.full(count, -1, np.int64), ())
        return
    starts, ends = ends_of(matched.counts)[:-1], np.cumsum(taken.counts)
    done, total = 0, int(taken.counts.sum())
    for batch in taken.batches():
        count = len(batch[0])
        if done >= total:
            yield JoinedRows(np.full(count, -1, np.int64), batch)
            continue
        keys = np.searchsorted(ends, np.arange(done, done + count), side="right")
        yield from _pairs(batch, starts[keys], matched.counts[keys], matched.rows)
        done += count


def _pairs(
    batch: Batch, starts: NDArray[np.int64], counts: NDArray[np.int64], rows: NDArray[np.int64]
) -> Iterator[JoinedRows]:
    """Give each row of a batch with each of ours of its key, a bounded number at a time."""
    ends = ends_of(counts)
    place = 0
    while place < len(counts):
        end = int(np.searchsorted(ends, ends[place] + MOST_PAIRS_AT_ONCE, side="right")) - 1
        if end > place:
            theirs = np.repeat(np.arange(place, end), counts[place:end])
            ours = rows[spans(starts[place:end], counts[place:end])]
            yield JoinedRows(ours, tuple(take(texts, theirs) for texts in batch))
            place = end
            continue
        ours = rows[starts[place] : starts[place] + counts[place]]  # one key has more than fit
        for first in range(0, len(ours), MOST_PAIRS_AT_ONCE):
            piece = ours[first : first + MOST_PAIRS_AT_ONCE]
            same = np.full(len(piece), place, np.int64)
            yield JoinedRows(piece, tuple(take(texts, same) for texts in batch))
        place += 1


def in_common_order(items: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the places of items in an order that depends on nothing but what they are."""
    return np.lexsort((items[:, 1], items[:, 0])).astype(np.int64, copy=False)


def grouped(
    places: NDArray[np.int64], counts: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the rows of some keys, those of one key together. Shapes: as of Distinct."""
    return rows[spans(ends_of(counts)[:-1][places], counts[places])]
