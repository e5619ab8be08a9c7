"""A join's rows in our own rows' order, put together while both stream by.

What a peer gave is sorted first, by DuckDB; our own rows never are.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.datasets.columns import readable_strings_of, strings_of
from appliance.datasets.result_file import write_table
from appliance.datasets.table import DuckDB, Reading, confined, parquet_sql
from appliance.datasets.texts import fit_value_sql, is_unfit_sql, value_sql
from services.errors import LocalProtocolError, PeerProtocolError
from services.service import Column, Joined, JoinedRows

BATCH_ROWS: Final = 65536


@contextmanager
def sorted_parts(
    joined: Joined, row_count: int, giver: int, reading: Reading
) -> Iterator[pa.RecordBatchReader]:
    """Give the parts by row: ``row``, then the peer's values as v0, v1 …; the peer's alone last.

    A row that is the peer's alone has the number ``row_count``.
    Raises: PeerProtocolError, naming the column, of a text that is no value of the column's type,
        unless the join is lenient.
    """
    read = fit_value_sql if joined.is_lenient else value_sql
    values = [read(f"t{n}", column.type) for n, column in enumerate(joined.columns)]
    shown = ", ".join(["row", *(f"{value} AS v{n}" for n, value in enumerate(values))])
    with TemporaryDirectory(prefix="join-", dir=reading.scratch) as folder:
        path = Path(folder) / "parts.parquet"
        _write_parts(joined, row_count, giver, path)
        with confined([path], reading, threads=reading.threads) as database:
            if not joined.is_lenient:
                _require_values(joined.columns, shown, giver, path, database)
            rows = parquet_sql(str(path), numbered=True)
            query = f"SELECT {shown} FROM {rows} ORDER BY row, file_row_number"  # noqa: S608
            with database.sql(query).to_arrow_reader(BATCH_ROWS) as batches:
                yield batches


def joined_rows(
    own: pa.RecordBatchReader, parts: pa.RecordBatchReader, row_count: int, *, is_outer: bool
) -> Iterator[pa.RecordBatch]:
    """Give the rows of the join: our columns, the peer's, and whether both have the row.

    is_outer: whether rows of ours for which no part came are there too.
    """
    sorted_by_row = _Parts(parts)
    none = _empty(parts.schema)
    start = 0
    for batch in own:
        following, end = start, start + len(batch)
        for piece in sorted_by_row.below(end):
            rows = piece.column(0).to_numpy()
            theirs = np.arange(len(rows))
            if is_outer:
                rows, theirs = _filled(following, rows)
            yield _side_by_side(batch, rows - start, piece, theirs)
            following = int(rows[-1]) + 1
        if is_outer and following < end:
            rest = np.arange(following, end)
            yield _side_by_side(batch, rest - start, none, np.full(len(rest), -1))
        start = end
    nobody = _empty(own.schema)
    for piece in sorted_by_row.below(row_count + 1):
        yield _side_by_side(nobody, np.full(len(piece), -1), piece, np.arange(len(piece)))


def _write_parts(joined: Joined, row_count: int, giver: int, path: Path) -> None:
    names = ["row", *(f"t{n}" for n in range(len(joined.columns)))]
    kinds = [pa.int64(), *(pa.large_string() for _ in joined.columns)]
    schema = pa.schema([pa.field(name, kind) for name, kind in zip(names, kinds, strict=True)])
    batches = (_part(part, joined, row_count, giver, schema) for part in joined.parts)
    with path.open("xb") as file:
        write_table(file, schema, names, batches)


def _part(
    part: JoinedRows, joined: Joined, row_count: int, giver: int, schema: pa.Schema
) -> pa.RecordBatch:
    if len(part.rows) and not -1 <= part.rows.min() <= part.rows.max() < row_count:
        raise LocalProtocolError("the service gave rows that the dataset does not have")
    arrays: list[pa.Array[Any]] = [pa.array(np.where(part.rows < 0, row_count, part.rows))]
    for column, texts in zip(joined.columns, part.texts, strict=True):
        try:
            arrays.append(strings_of(texts))
        except pa.ArrowInvalid:
            if not joined.is_lenient:
                what = f"its column {column.name} holds no UTF-8"
                raise PeerProtocolError(giver, what) from None
            arrays.append(readable_strings_of(texts))
    return pa.record_batch(arrays, schema=schema)


def _require_values(
    columns: Sequence[Column], shown: str, giver: int, path: Path, database: DuckDB
) -> None:
    """Return if each text is null or a value of its column's type; else blame the peer."""
    if not columns:
        return
    tests = ", ".join(
        f"coalesce(bool_or({is_unfit_sql(f'v{n}', f't{n}', column.type)}), false)"
        for n, column in enumerate(columns)
    )
    query = f"SELECT {tests} FROM (SELECT * EXCLUDE row, {shown} FROM {parquet_sql(str(path))})"  # noqa: S608
    [unfit] = database.sql(query).fetchall()
    for column, is_unfit in zip(columns, unfit, strict=True):
        if is_unfit:
            what = f"its column {column.name} holds what is no {column.type}"
            raise PeerProtocolError(giver, what)


class _Parts:
    """Parts in the order of their rows, handed out piece by piece."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self._held: pa.RecordBatch | None = None

    def below(self, end: int) -> Iterator[pa.RecordBatch]:
        """Give those whose row is below ``end``, and of which none was given yet."""
        while True:
            batch = next(self._batches, None) if self._held is None else self._held
            if batch is None:
                return
            count = int(np.searchsorted(batch.column(0).to_numpy(), end))
            self._held = batch.slice(count) if count < len(batch) else None
            if count:
                yield batch.slice(0, count)
            if self._held is not None:
                return


def _filled(following: int, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all rows from ``following`` to the last, and the place of each in ``rows`` or -1."""
    is_alone = np.ones(int(rows[-1]) + 1 - following, np.bool_)
    is_alone[rows[rows >= following] - following] = False
    alone = np.flatnonzero(is_alone) + following
    every = np.concatenate((rows, alone))
    places = np.concatenate((np.arange(len(rows)), np.full(len(alone), -1)))
    order = np.argsort(every, kind="stable")
    return every[order], places[order]


def _side_by_side(
    ours: pa.RecordBatch, own: NDArray[np.int64], theirs: pa.RecordBatch, their: NDArray[np.int64]
) -> pa.RecordBatch:
    """Return rows of ours beside rows of theirs, nulls where a place is -1."""
    columns = [
        *_taken(ours, own).columns,
        *_taken(theirs, their).columns[1:],
        pa.array((own >= 0) & (their >= 0)),
    ]
    return pa.RecordBatch.from_arrays(columns, names=[f"c{n}" for n in range(len(columns))])


def _taken(batch: pa.RecordBatch, places: NDArray[np.int64]) -> pa.RecordBatch:
    which: pa.Int64Array = pa.array(places, pa.int64(), mask=places < 0)
    return batch.take(which)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
