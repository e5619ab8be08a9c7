"""The keys of a table, read row by row into one buffer, and the first of them that is unfit."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.datasets.csv_file import find_line
from appliance.datasets.errors import BadKey, DuplicateKey
from appliance.datasets.normal_form import fault_of, normal, parse_normal_form
from appliance.datasets.source import Kind, Source
from appliance.datasets.table import DuckDB, key_rows_sql, rows_sql
from services.service import Keys

BATCH_ROWS: Final = 131072


def read_keys(source: Source, database: DuckDB) -> Keys:
    """Read the key column in normal form.

    Cost:   one pass; memory for the keys themselves and 16 bytes a row, whatever DuckDB's limit.
    Raises: BadKey and DuplicateKey, naming row and column.
    """
    query = f"SELECT key, hash(key) FROM ({key_rows_sql(source, numbered=False)})"  # noqa: S608
    gathered = _Gathered(source.row_count)
    is_whole = True
    with database.sql(query).to_arrow_reader(BATCH_ROWS) as batches:
        for batch in batches:
            is_whole = not batch.column(0).null_count
            if not is_whole:
                break
            gathered.append(batch)
    if not is_whole:
        raise find_bad_key(source, database)
    if gathered.has_equal_hashes():
        fault = find_duplicate(source, database)
        if fault is not None:
            raise fault
    return gathered.keys()


def find_bad_key(source: Source, database: DuckDB) -> BadKey:
    """Return the fault of the first row whose key is null, empty or has no normal form."""
    keys = key_rows_sql(source, numbered=True)
    [(row,)] = database.sql(f"SELECT min(row) FROM ({keys}) WHERE key IS NULL").fetchall()  # noqa: S608
    names = [column.name for column in source.columns]
    texts = ", ".join(f"CAST(c{names.index(name)} AS VARCHAR)" for name in source.key)
    [parts] = database.sql(
        f"SELECT {texts} FROM ({rows_sql(source)}) LIMIT 1 OFFSET {row - 1}"  # noqa: S608
    ).fetchall()
    forms = parse_normal_form(source.normal_form)
    unfit = [n for n, text in enumerate(parts) if normal(text, forms) is None]
    place = unfit[0] if unfit else 0
    fault = fault_of(parts[place], forms) if unfit else "the key has no normal form"
    return BadKey(source.shown, row, _line(source, row), source.key[place], fault)


def find_duplicate(source: Source, database: DuckDB) -> DuplicateKey | None:
    """Return the fault of the first key that occurs twice; None if there is none.

    Cost: one pass to group by key, spilled to disk beyond DuckDB's memory limit; a second if found.
    """
    keys = key_rows_sql(source, numbered=True)
    found = database.sql(
        f"SELECT key, min(row) AS first FROM ({keys}) GROUP BY key"  # noqa: S608
        " HAVING count(*) > 1 AND key IS NOT NULL ORDER BY first LIMIT 1"
    ).fetchall()
    if not found:
        return None
    [(key, first)] = found
    [(row,)] = database.sql(
        f"SELECT min(row) FROM ({keys}) WHERE key = ? AND row > ?",  # noqa: S608
        params=[key, first],
    ).fetchall()
    return DuplicateKey(source.shown, first, row, _line(source, row), ", ".join(source.key))


def _line(source: Source, row: int) -> int | None:
    if source.kind is not Kind.CSV:
        return None
    return find_line(Path(source.location), len(source.columns), source.delimiter, row)


class _Gathered:
    """Keys as they arrive. Buffers double, so that each byte is copied a few times at most."""

    def __init__(self, rows: int) -> None:
        self._offsets: NDArray[Any] = np.zeros(rows + 1, np.int64)
        self._hashes: NDArray[Any] = np.empty(rows, np.uint64)
        self._data: NDArray[Any] = np.empty(rows * 16, np.uint8)
        self._count = 0
        self._bytes = 0

    def append(self, batch: pa.RecordBatch) -> None:
        strings = batch.column(0)
        _, raw_offsets, raw_data = strings.buffers()
        span = slice(strings.offset, strings.offset + len(strings) + 1)
        offsets = np.frombuffer(_present(raw_offsets), np.int64)[span]
        start, end = int(offsets[0]), int(offsets[-1])
        count, size = self._count + len(strings), self._bytes + end - start
        self._offsets = _grown(self._offsets, count + 1)
        self._hashes = _grown(self._hashes, count)
        self._data = _grown(self._data, size)
        np.add(offsets[1:], self._bytes - start, out=self._offsets[self._count + 1 : count + 1])
        self._hashes[self._count : count] = batch.column(1).to_numpy()
        if size > self._bytes:
            self._data[self._bytes : size] = np.frombuffer(_present(raw_data), np.uint8)[start:end]
        self._count, self._bytes = count, size

    def has_equal_hashes(self) -> bool:
        """Tell whether two keys may be equal: 64-bit hashes decide nearly always."""
        hashes = self._hashes[: self._count]
        hashes.sort()
        return bool((hashes[1:] == hashes[:-1]).any())

    def keys(self) -> Keys:
        """Return what was gathered, in buffers that are not ours any more."""
        return Keys(offsets=self._offsets[: self._count + 1], data=self._data[: self._bytes])


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    if size > len(array):
        # The allocator moves large blocks without copying them.
        array.resize(max(size, 2 * len(array)), refcheck=False)
    return array


def _present(buffer: pa.Buffer | None) -> memoryview:
    return memoryview(b"") if buffer is None else memoryview(buffer)
