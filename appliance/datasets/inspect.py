"""Reading a table through once, before it is registered: its columns, types, and faults.

It runs in a confined process, since a table may come from anywhere.
"""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from appliance.datasets.csv_file import find_line, find_name_fault, read_header
from appliance.datasets.errors import (
    BadRow,
    BadTable,
    DatasetChanged,
    DatasetError,
    SchemaTooWide,
    TypeUnsupported,
)
from appliance.datasets.fingerprint import hash_content, require_same_stamps
from appliance.datasets.keys import find_bad_key, find_duplicate
from appliance.datasets.normal_form import parse_normal_form
from appliance.datasets.source import Figures, FileStamp, Inspected, Kind, Source, Wanted
from appliance.datasets.table import (
    VARCHAR,
    DuckDB,
    Reading,
    described,
    key_rows_sql,
    opened,
    require_key,
    require_schema,
    rows_sql,
    texts_sql,
)
from appliance.datasets.texts import FLOATS
from services.service import Column

# A CSV column has the first of these types that all its values have; else it is VARCHAR. Numbers
# with leading zeros are texts, as are whole numbers that BIGINT cannot hold.
TYPES: Final = {
    "BIGINT": "-?(0|[1-9][0-9]*)",
    "DOUBLE": r"[+-]?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][+-]?[0-9]+)?|[+-]?(?i:nan|inf|infinity)",
    "BOOLEAN": "(?i:true|false)",
    "DATE": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "TIMESTAMP": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?",
}
LONG_NUMBER: Final = "[+-]?[0-9]{16,}"
# Arrow has no such types: large numbers would become others, and zones be lost.
LOSSY_TYPES: Final = ("UHUGEINT", "TIME WITH TIME ZONE")
SAMPLE_ROWS: Final = 4096
MOST_TYPE_CHARACTERS: Final = 256
# So that a contract has room for several tables.
MOST_SCHEMA_BYTES: Final = 24 * 1024


def inspect(wanted: Wanted, reading: Reading) -> Inspected:
    """Find a table's columns, types and figures; or what is wrong with it since it was registered.

    Cost:   three passes over the file; memory bounded by ``reading``.
    Raises: BadHeader, BadRow, BadTable, KeyUnsuitable, TypeUnsupported, QueryRefused, FileVanished,
        FileUnreadable, MemoryShort, DatasetChanged.
    """
    if wanted.registered is not None:
        raise explain_change(wanted.registered, reading)
    stamps = tuple(FileStamp.of(path) for path in wanted.files)
    source = _draft(wanted, stamps)
    with opened(source, reading) as database:
        source = replace(source, columns=_columns(source, database))
        require_key(source.columns, source.key, source.normal_form)
        _require_storable(source, database)
        row_count, null_counts, nan_counts = _counts(source, database)
        source = replace(source, row_count=row_count)
        figures = replace(_key_figures(source, null_counts, database), nan_counts=nan_counts)
    content_hash = hash_content(source.kind, source.location, wanted.files)
    require_same_stamps(stamps)
    return Inspected(source=replace(source, content_hash=content_hash), figures=figures)


def explain_change(source: Source, reading: Reading) -> DatasetError:
    """Return the error that says best what is wrong with a table that was changed."""
    try:
        now = replace(source, files=tuple(FileStamp.of(stamp.path) for stamp in source.files))
        with opened(now, reading) as database:
            require_schema(now, database)
            fault = _find_bad_value(now, database) if now.kind is Kind.CSV else None
            return fault or _find_key_fault(now, database) or DatasetChanged(source.shown)
    except DatasetError as error:
        return error


def _draft(wanted: Wanted, stamps: tuple[FileStamp, ...]) -> Source:
    names: tuple[str, ...] = ()
    delimiter = ""
    if wanted.kind is Kind.CSV:
        names, delimiter = read_header(Path(wanted.location))
    return Source(
        kind=wanted.kind,
        location=wanted.location,
        files=stamps,
        columns=tuple(Column(name=name, type=VARCHAR) for name in names),
        key=wanted.key,
        normal_form=tuple(form.value for form in parse_normal_form(wanted.normal_form)),
        delimiter=delimiter,
        row_count=0,
        content_hash="",
    )


def _columns(source: Source, database: DuckDB) -> tuple[Column, ...]:
    if source.kind is Kind.CSV:
        require_key(source.columns, source.key, source.normal_form)
        return _typed(source, database)
    columns = described(source.kind, source.location, database)
    # DuckDB has numbered names that occur twice.
    names = (
        pq.read_schema(source.location).names
        if source.kind is Kind.PARQUET
        else database.sql(source.location).columns
    )
    fault = find_name_fault(names)
    if fault:
        raise BadTable(source.shown, fault)
    return columns


def _typed(source: Source, database: DuckDB) -> tuple[Column, ...]:
    """Return a CSV file's columns, each with the first type that all its values have."""
    kinds: list[tuple[str, ...]] = [
        () if column.name in source.key else tuple(TYPES) for column in source.columns
    ]
    texts = texts_sql(source)
    # The first rows rule most types out, so that the whole file is tested for few.
    kinds = _fitting(f"{texts} LIMIT {SAMPLE_ROWS}", kinds, database, of_none=True)
    kinds = _fitting(texts, kinds, database, of_none=False)
    return tuple(
        Column(name=column.name, type=fits[0] if fits else VARCHAR)
        for column, fits in zip(source.columns, kinds, strict=True)
    )


def _fitting(
    texts: str, kinds: Sequence[tuple[str, ...]], database: DuckDB, *, of_none: bool
) -> list[tuple[str, ...]]:
    """Return those of each column's types that all its values have; ``of_none`` if it has none."""
    asked = [(n, kind) for n, of_column in enumerate(kinds) for kind in of_column]
    tests = ", ".join(
        f"coalesce(bool_and({_fits_sql(f'c{n}', kind)}), {of_none})" for n, kind in asked
    )
    query = f"SELECT count(*), {tests} FROM ({texts})"  # noqa: S608 (quoted)
    [(_, *answers)] = database.sql(query).fetchall()
    fitting = {which for which, fits in zip(asked, answers, strict=True) if fits}
    return [
        tuple(kind for kind in of_column if (n, kind) in fitting)
        for n, of_column in enumerate(kinds)
    ]


def _fits_sql(column: str, kind: str) -> str:
    fits = f"regexp_full_match({column}, '{TYPES[kind]}')"
    if kind == "DOUBLE":
        fits += f" AND NOT regexp_full_match({column}, '{LONG_NUMBER}')"
    return (
        f"CASE WHEN {column} IS NULL THEN NULL"
        f" WHEN {fits} THEN TRY_CAST({column} AS {kind}) IS NOT NULL ELSE false END"
    )


def _require_storable(source: Source, database: DuckDB) -> None:
    """Raise TypeUnsupported if a column cannot be written to Parquet, or its type tells values."""
    for column in source.columns:
        is_lossy = any(kind in column.type for kind in LOSSY_TYPES)
        if is_lossy or "ENUM(" in column.type or len(column.type) > MOST_TYPE_CHARACTERS:
            raise TypeUnsupported(column.name, column.type.partition("(")[0])
    size = sum(len(f"{column.name}{column.type}".encode()) + 22 for column in source.columns)
    if size > MOST_SCHEMA_BYTES:
        raise SchemaTooWide(size, MOST_SCHEMA_BYTES)
    schema = database.sql(f"{rows_sql(source)} LIMIT 0").to_arrow_table().schema
    for column, field in zip(source.columns, schema, strict=True):
        try:
            pq.ParquetWriter(BytesIO(), pa.schema([field])).close()
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            raise TypeUnsupported(column.name, column.type) from None


def _counts(source: Source, database: DuckDB) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return the row count, and of each column how many values are null and how many NaN."""
    counts = ", ".join(f"count(c{n})" for n in range(len(source.columns)))
    nans = ", ".join(
        f"count_if(isnan(c{n}))" if column.type in FLOATS else "0"
        for n, column in enumerate(source.columns)
    )
    query = f"SELECT count(*), {counts}, {nans} FROM ({rows_sql(source)})"  # noqa: S608 (quoted)
    [(total, *found)] = database.sql(query).fetchall()
    width = len(source.columns)
    return total, tuple(total - count for count in found[:width]), tuple(found[width:])


def _key_figures(source: Source, null_counts: tuple[int, ...], database: DuckDB) -> Figures:
    keys = key_rows_sql(source, numbered=False)
    groups = f"SELECT key, count(*) AS rows FROM ({keys}) GROUP BY key"  # noqa: S608 (quoted)
    nulls = "coalesce(sum(rows) FILTER (key IS NULL), 0)::BIGINT"
    repeats = "coalesce(sum(rows - 1) FILTER (key IS NOT NULL), 0)::BIGINT"
    query = f"SELECT {nulls}, {repeats} FROM ({groups})"  # noqa: S608 (quoted)
    [(null_count, repeat_count)] = database.sql(query).fetchall()
    bad_key = find_bad_key(source, database) if null_count else None
    duplicate = find_duplicate(source, database) if repeat_count else None
    fault = bad_key or duplicate
    return Figures(
        null_counts=null_counts,
        null_key_count=null_count,
        first_null_key_row=bad_key.row if bad_key else 0,
        duplicate_key_count=repeat_count,
        first_duplicate_row=duplicate.row if duplicate else 0,
        fault=fault.what if fault else "",
    )


def _find_bad_value(source: Source, database: DuckDB) -> BadRow | None:
    """Return the first row of a CSV file with a value that isn't of its column's type."""
    typed = [(n, column) for n, column in enumerate(source.columns) if column.type != VARCHAR]
    if not typed:
        return None
    firsts = ", ".join(
        f"min(row) FILTER (c{n} IS NOT NULL AND TRY_CAST(c{n} AS {column.type}) IS NULL)"
        for n, column in typed
    )
    rows = f"SELECT *, row_number() OVER () AS row FROM ({texts_sql(source)})"  # noqa: S608 (quoted)
    [found] = database.sql(f"SELECT {firsts} FROM ({rows})").fetchall()  # noqa: S608 (quoted)
    faults = [(row, column) for row, (_, column) in zip(found, typed, strict=True) if row]
    if not faults:
        return None
    row, column = min(faults, key=lambda fault: fault[0])
    path = Path(source.location)
    line = find_line(path, len(source.columns), source.delimiter, row)
    return BadRow(path, row, line, column.name, f"the value is not a {column.type}")


def _find_key_fault(source: Source, database: DuckDB) -> DatasetError | None:
    keys = key_rows_sql(source, numbered=False)
    query = f"SELECT count_if(key IS NULL) FROM ({keys})"  # noqa: S608 (quoted)
    [(nulls,)] = database.sql(query).fetchall()
    return find_bad_key(source, database) if nulls else None
