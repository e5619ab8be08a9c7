"""What a service gives as its output, written to a result file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.datasets.fingerprint import require_same_stamps, require_unchanged
from appliance.datasets.joining import joined_rows, sorted_parts
from appliance.datasets.result_file import whole, write_table
from appliance.datasets.source import Source
from appliance.datasets.table import Reading, confined, opened, rows_of
from appliance.datasets.texts import cast_type
from services.errors import LocalProtocolError
from services.service import Figures, Joined


def write_rows(source: Source, rows: NDArray[np.int64], target: Path, reading: Reading) -> int:
    """Write the selected rows to a Parquet file and return how many there are.

    Shapes: rows (k,) int64, ascending row numbers from 0.
    Cost:   one pass; memory for a batch and a row group.
    Raises: DiskFull; DatasetChanged, FileVanished and other DatasetErrors.
    """
    names = [column.name for column in source.columns]
    stamps = require_unchanged(source)
    with whole(target) as file:
        with opened(source, reading) as database, rows_of(source, database) as batches:
            count = write_table(file, batches.schema, names, _selected(batches, rows))
        require_same_stamps(stamps)
    return count


def write_joined(source: Source, joined: Joined, giver: int, target: Path, reading: Reading) -> int:
    """Write a join's rows in our rows' order, then the peer's alone; return how many there are.

    giver:  the rank of the peer whose columns they are.
    Cost:   one pass over the table; memory for a few batches, and what sorting the parts may take
            before it is spilled to disk.
    Raises: PeerProtocolError, naming the column, of a text that is no value of the column's type;
        else as :func:`write_rows`.
    """
    names = [column.name for column in (*source.columns, *joined.columns)]
    names += [joined.indicator] if joined.indicator else []
    if len({name.casefold() for name in names}) != len(names):
        raise LocalProtocolError("the service gave two columns of an output one name")
    half = replace(reading, memory_bytes=reading.memory_bytes // 2)
    stamps = require_unchanged(source)
    with whole(target) as file:
        with (
            sorted_parts(joined, source.row_count, giver, half) as parts,
            opened(source, half) as database,
            rows_of(source, database) as own,
        ):
            rows = joined_rows(own, parts, source.row_count, is_outer=joined.is_outer)
            fields = [*own.schema, *list(parts.schema)[1:]]
            if joined.indicator:
                fields.append(pa.field("indicator", pa.bool_()))
            shown = (batch.select(range(len(names))) for batch in rows)
            count = write_table(file, pa.schema(fields), names, shown)
        require_same_stamps(stamps)
    return count


def write_figures(figures: Figures, target: Path, reading: Reading) -> int:
    """Write a table of results; return how many rows there are."""
    casts = [
        (f"CAST(? AS {cast_type(column.type)}) AS c{n}") for n, column in enumerate(figures.columns)
    ]
    row = f"SELECT {', '.join(casts)}"
    nothing = [None] * len(figures.columns)
    with whole(target) as file, confined([], reading, threads=1) as database:
        tables = [database.sql(row, params=[*values]).to_arrow_table() for values in figures.rows]
        schema = database.sql(row, params=nothing).to_arrow_table().schema
        batches = (batch for table in tables for batch in table.to_batches())
        return write_table(file, schema, [column.name for column in figures.columns], batches)


def _selected(batches: pa.RecordBatchReader, rows: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in batches:
        first, last = np.searchsorted(rows, (start, start + len(batch)))
        if last > first:
            yield batch.take(rows[first:last] - start)
        start += len(batch)
