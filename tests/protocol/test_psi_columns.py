"""Columns of a peer's rows: as they were, and with peers that do not keep to the rules."""

from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.channel import Channel
from services.errors import ConfigError, PeerProtocolError
from services.progress import Silent
from services.psi import join, texts
from services.psi.checkpoint import Matched
from services.psi.gifts import Gift
from services.psi.join import Taken
from services.psi.messages import Counts, Lengths, Remaining, Values
from services.transport.loopback import pair
from tests.conversation import both
from tests.doubles import MemoryScratch
from tests.tables import texts_of, values_of

values = st.one_of(st.none(), st.text(max_size=6))
batches = st.integers(1, 3).flatmap(
    lambda columns: st.lists(st.tuples(*[values] * columns), min_size=1, max_size=20)
)


def batch_of(rows: list[tuple[str | None, ...]]) -> texts.Batch:
    return tuple(texts_of(column) for column in zip(*rows, strict=True))


def rows_of(batch: texts.Batch) -> list[tuple[str | None, ...]]:
    return list(zip(*map(values_of, batch), strict=True))


@given(rows=batches)
def test_a_batch_arrives_as_it_was(rows: list[tuple[str | None, ...]]) -> None:
    left, right = pair()

    _, came = both(
        texts.send_batch(Channel(left), batch_of(rows)),
        texts.receive_batch(Channel(right), len(rows[0]), len(rows)),
    )

    assert rows_of(came) == rows


def test_a_long_batch_is_cut_by_rows_and_by_bytes() -> None:
    many = texts_of(["x"] * (texts.PIECE_ROWS + 1))
    long = texts_of(["y" * (texts.PIECE_BYTES // 2 + 1)] * 3)

    assert texts.cuts((many,)) == [0, texts.PIECE_ROWS, texts.PIECE_ROWS + 1]
    assert texts.cuts((long,)) == [0, 1, 2, 3]


def test_many_columns_are_cut_so_that_their_lengths_fit_into_a_message() -> None:
    batch = batch_of([(None,) * 500] * 8192)
    left, right = pair()

    async def receive() -> int:
        rows = 0
        while rows < 8192:
            rows += len((await texts.receive_batch(Channel(left), 500, 8192 - rows))[0])
        return rows

    assert both(receive(), texts.send_batch(Channel(right), batch))[0] == 8192


def test_a_row_that_fits_into_no_message_is_refused_by_its_owner() -> None:
    with pytest.raises(ConfigError, match="the values of one row have more than 4 MiB"):
        texts.cuts((texts_of(["y" * (texts.PIECE_BYTES + 1)]),))


@given(rows=batches)
def test_labels_hold_what_was_packed(rows: list[tuple[str | None, ...]]) -> None:
    width = 16 * 8

    labels = texts.pack(batch_of(rows), np.arange(len(rows)), width)

    assert labels.shape == (len(rows), width)
    read, is_fit = texts.unpack(labels, len(rows[0]))
    assert rows_of(read) == rows
    assert np.all(is_fit)


@given(data=st.binary(min_size=64, max_size=64), columns=st.integers(1, 30))
def test_labels_of_any_bytes_are_read_or_give_nulls(data: bytes, columns: int) -> None:
    labels = np.frombuffer(data, np.uint8).reshape(4, 16)

    read, is_fit = texts.unpack(labels, columns)

    assert [len(column) for column in read] == [4] * columns
    assert not any(np.any(column.present[~is_fit]) for column in read)
    if columns > 5:  # for which there is no room
        assert not np.any(is_fit)


def test_a_label_of_nonsense_leaves_the_others_readable() -> None:
    rows: list[tuple[str | None, ...]] = [("a",), ("b",), (None,)]
    labels = texts.pack(batch_of(rows), np.arange(3), 16)
    labels[1, 0] = 7

    read, is_fit = texts.unpack(labels, 1)

    assert rows_of(read) == [("a",), (None,), (None,)]
    assert list(is_fit) == [True, False, True]


def lengths(*given: int, present: list[bool] | None = None) -> Lengths:
    shown = present if present is not None else [True] * len(given)
    return Lengths(np.array(given, np.uint32), np.array(shown, np.bool_))


UNFIT = [
    ([lengths()], "its values are not of whole rows"),
    ([lengths(1, 2, 3)], "its values are not of whole rows"),
    ([lengths(1, 2, present=[True])], "its values are not of whole rows"),
    ([lengths(1, 2, present=[True, False])], "a value of its is null and has a length"),
    ([lengths(2**32 - 1, 2**32 - 1)], "its values are longer than a message may be"),
    ([lengths(1, 2), Values(np.zeros(2, np.uint8))], "its values are not as long as it said"),
    ([lengths(*[0] * 8)], "a column has 8 rows, at most 6 were due"),
]


@pytest.mark.parametrize(("messages", "blame"), UNFIT)
def test_unfit_values_are_blamed(messages: list[Any], blame: str) -> None:
    left, right = pair()

    with pytest.raises(PeerProtocolError, match=blame):
        both(texts.receive_batch(Channel(left), 2, 3), say(Channel(right), *messages))


async def say(channel: Channel, *messages: Any) -> None:
    for message in messages:
        await channel.send(message)


def taking(channel: Channel, gift: Gift, keys: int) -> Coroutine[Any, Any, None]:
    taken = Taken(MemoryScratch(), len(gift.columns), np.ones(keys, np.int64))
    return join.receive(channel, taken, gift, Silent(), their_count=5)


BY_ALL = Gift(columns=("ward",), is_by_all=True, gives_unmatched=False)
ALONE = Gift(columns=(), is_by_all=False, gives_unmatched=True)


@pytest.mark.parametrize(
    ("gift", "message", "blame"),
    [
        (BY_ALL, Counts(np.array([1], np.uint32)), "its counts are not of the keys that match"),
        (BY_ALL, Counts(np.array([1, 0], np.uint32)), "its counts are not of the keys"),
        (BY_ALL, Counts(np.array([2**31, 2**31], np.uint32)), "more of its rows match than it has"),
        (BY_ALL, Counts(np.array([3, 3], np.uint32)), "more of its rows match than it has"),
        (ALONE, Remaining(2**31), "it gives more rows than it has"),
        (ALONE, Remaining(4), "it gives more rows than it has"),
    ],
)
def test_unfit_counts_are_blamed(gift: Gift, message: Any, blame: str) -> None:
    left, right = pair()

    with pytest.raises(PeerProtocolError, match=blame):
        both(taking(Channel(left), gift, 2), say(Channel(right), message))


def test_a_join_that_fills_any_disk_is_refused() -> None:
    many = np.full(3, 1 << 17, np.int64)
    matched = Matched(many, np.zeros(0, np.int64), np.empty((3, 0), np.uint8))
    taken = Taken(MemoryScratch(), 1, many)

    with pytest.raises(ConfigError, match="pairs"):
        next(join.joined(matched, taken))
