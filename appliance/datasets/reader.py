"""The one way to a registered table's content: its keys in, the rows that a result selects out."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from appliance.datasets import keys
from appliance.datasets.errors import DatasetChanged, DiskFull
from appliance.datasets.fingerprint import require_same_stamps, require_unchanged
from appliance.datasets.inspect import explain_change
from appliance.datasets.source import Source
from appliance.datasets.table import DuckDB, Reading, opened, require_schema, rows_sql
from services.service import Keys

GROUP_ROWS: Final = 65536
BATCH_VALUES: Final = 1 << 20


def read_keys(source: Source, reading: Reading) -> Keys:
    """Read the key of each row in normal form, from content that is what was registered.

    Raises: BadKey, DuplicateKey and BadRow, naming row and column; DatasetChanged, FileVanished …
    """
    stamps = require_unchanged(source)
    with opened(source, reading) as database:
        require_schema(source, database)
        found = keys.read_keys(source, database)
    require_same_stamps(stamps)
    if len(found) != source.row_count:
        raise DatasetChanged(source.shown)
    return found


def write_rows(source: Source, rows: NDArray[np.int64], target: Path, reading: Reading) -> int:
    """Write the selected rows to a Parquet file and return how many there are.

    The file is there whole and on disk, or not at all.
    Shapes: rows (k,) int64, ascending row numbers from 0.
    Cost:   one pass; memory for a batch and a row group.
    Raises: DiskFull; DatasetChanged, FileVanished and other DatasetErrors.
    """
    stamps = require_unchanged(source)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with opened(source, reading) as database:
            _write(source, rows, partial, database)
        require_same_stamps(stamps)
        partial.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(target.parent) from error
        raise
    finally:
        partial.unlink(missing_ok=True)
    return len(rows)


def _write(source: Source, rows: NDArray[np.int64], target: Path, database: DuckDB) -> None:
    names = [column.name for column in source.columns]
    size = min(GROUP_ROWS, max(1, BATCH_VALUES // len(names)))
    batches = database.sql(rows_sql(source)).to_arrow_reader(size)
    schema = pa.schema([f.with_name(name) for f, name in zip(batches.schema, names, strict=True)])
    with target.open("xb") as file:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for group in _groups(_selected(batches, rows)):
                writer.write_table(group.rename_columns(names))
        file.flush()
        os.fsync(file.fileno())


def _selected(batches: pa.RecordBatchReader, rows: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in batches:
        first, last = np.searchsorted(rows, (start, start + len(batch)))
        if last > first:
            yield batch.take(rows[first:last] - start)
        start += len(batch)


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Gather batches into tables of about GROUP_ROWS rows."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= GROUP_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class TableInputs:
    """A party's own dataset as a service sees it: the Inputs of :mod:`services.service`."""

    def __init__(self, source: Source, reading: Reading) -> None:
        self._source = source
        self._reading = reading

    def read_keys(self) -> Iterator[Keys]:
        """Read the key column; see :func:`read_keys`. A change is explained as far as it can."""
        try:
            yield read_keys(self._source, self._reading)
        except DatasetChanged:
            raise explain_change(self._source, self._reading) from None
