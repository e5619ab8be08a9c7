"""A source's rows as a SELECT for DuckDB, in a database that can read the source's files only."""

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
import pyarrow as pa

from appliance.datasets.csv_file import find_fault, read_header
from appliance.datasets.errors import (
    BadTable,
    DatasetError,
    DiskFull,
    FileVanished,
    KeyUnsuitable,
    MemoryShort,
    QueryRefused,
    SchemaChanged,
)
from appliance.datasets.normal_form import keys_sql, parse_normal_form
from appliance.datasets.source import Kind, Source
from services.errors import LocalProtocolError
from services.service import Column

VARCHAR: Final = "VARCHAR"
BATCH_ROWS: Final = 65536
BATCH_VALUES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading a table may use. ``scratch`` is a folder for what doesn't fit in memory."""

    scratch: Path
    memory_bytes: int = 512 << 20
    threads: int = 2


DuckDB = duckdb.DuckDBPyConnection


@contextmanager
def confined(paths: Iterable[Path], reading: Reading, *, threads: int) -> Iterator[DuckDB]:
    """Give a DuckDB database in which these files can be read, and nothing else.

    Raises: MemoryShort, DiskFull.
    """
    # Two databases that are open at a time would take each other's files for their own.
    with (
        TemporaryDirectory(prefix="spill-", dir=reading.scratch) as spill,
        _connected(reading, threads, spill) as database,
    ):
        database.execute("SET allowed_paths = ?", [[str(path) for path in paths]])
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        try:
            yield database
        except _TROUBLE as error:
            shortage = None if _is_of_the_system(error) else _shortage(reading, str(error))
            if shortage is None:
                raise
            raise shortage from None  # what it stems from may hold values


@contextmanager
def _connected(reading: Reading, threads: int, spill: str) -> Iterator[DuckDB]:
    config: dict[str, Any] = {
        "memory_limit": f"{reading.memory_bytes >> 20}MiB",
        "threads": threads,
        "temp_directory": spill,
        "preserve_insertion_order": True,
        "arrow_large_buffer_size": True,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
        "allow_persistent_secrets": False,
    }
    with duckdb.connect(":memory:", config=config) as database:
        database.execute("SET enable_progress_bar = false")  # else it is drawn on stdout
        database.execute("SET TimeZone = 'UTC'")
        yield database


@contextmanager
def opened(source: Source, reading: Reading) -> Iterator[DuckDB]:
    """Give a DuckDB database in which the source's files can be read, and nothing else.

    Raises: in place of DuckDB's own errors, DatasetErrors that hold no value of the data.
    """
    # A query's rows come in one order only if one thread makes them.
    threads = 1 if source.kind is Kind.QUERY else reading.threads
    with confined(source.paths, reading, threads=threads) as database:
        try:
            yield database
        except _TROUBLE as error:
            if _is_of_the_system(error) or _shortage(reading, str(error)):
                raise
            meaning = _meaning(source, str(error))
            if meaning is None:
                raise
            raise meaning from None  # what it stems from may hold values


def rows_sql(source: Source) -> str:
    """Return a SELECT of the rows, in their order, with columns named by number: c0, c1, c2."""
    match source.kind:
        case Kind.CSV:
            typed = (
                f"c{n}" if column.type == VARCHAR else f"CAST(c{n} AS {column.type}) AS c{n}"
                for n, column in enumerate(source.columns)
            )
            texts = _csv_sql(source.location, len(source.columns), source.delimiter)
            return f"SELECT {', '.join(typed)} FROM {texts}"  # noqa: S608 (quoted)
        case Kind.PARQUET:
            return f"SELECT {_named(source)} FROM {parquet_sql(source.location)}"  # noqa: S608
        case Kind.QUERY:
            # Sorted, since the order of a query's rows is otherwise nobody's promise.
            return f"SELECT {_named(source)} FROM ({source.location}\n) ORDER BY ALL"  # noqa: S608


def rows_of(source: Source, database: DuckDB) -> pa.RecordBatchReader:
    """Return the rows in their order, in batches of a bounded number of values."""
    size = min(BATCH_ROWS, max(1, BATCH_VALUES // len(source.columns)))
    batches: pa.RecordBatchReader = database.sql(rows_sql(source)).to_arrow_reader(size)
    return batches


def numbered_sql(source: Source, columns: str) -> str:
    """Return a SELECT of expressions over the columns, and each row's number from 0 as ``row``."""
    rows = f"SELECT *, row_number() OVER () - 1 AS row FROM ({rows_sql(source)})"  # noqa: S608
    return f"SELECT {columns}, row FROM ({rows})"  # noqa: S608 (quoted)


def places_of(source: Source, columns: Sequence[str]) -> tuple[int, ...]:
    """Return where columns stand in the table; LocalProtocolError if one is not there."""
    names = [column.name for column in source.columns]
    for name in columns:
        if name not in names:
            raise LocalProtocolError(f"the service asked for {name}, which is not a column")
    return tuple(map(names.index, columns))


def key_rows_sql(source: Source, *, numbered: bool) -> str:
    """Return a SELECT of each row's ``key`` in normal form, and its number from 1 as ``row``."""
    columns = [column.name for column in source.columns]
    places = [columns.index(name) for name in source.key]
    texts = ", ".join(f"CAST(c{place} AS VARCHAR) AS k{n}" for n, place in enumerate(places))
    number = ", row_number() OVER () AS row" if numbered else ""
    rows = f"SELECT {texts}{number} FROM ({rows_sql(source)})"  # noqa: S608 (quoted)
    forms = parse_normal_form(source.normal_form)
    return keys_sql(rows, len(places), forms, "row" if numbered else "")


def require_schema(source: Source, database: DuckDB) -> None:
    """Raise SchemaChanged, or another DatasetError, unless the columns are those registered."""
    if source.kind is Kind.CSV:
        names, _ = read_header(Path(source.location), source.delimiter)
        types = {column.name: column.type for column in source.columns}
        found = tuple(Column(name=name, type=types.get(name, VARCHAR)) for name in names)
    else:
        found = described(source.kind, source.location, database)
    if found != source.columns:
        raise SchemaChanged(source.shown, _difference(source.columns, found))


def described(kind: Kind, location: str, database: DuckDB) -> tuple[Column, ...]:
    """Return the columns and types of a Parquet file or a query; BadTable, QueryRefused."""
    table = parquet_sql(location) if kind is Kind.PARQUET else f"({location}\n)"
    rows = database.sql(f"DESCRIBE SELECT * FROM {table}").fetchall()  # noqa: S608 (quoted)
    return tuple(Column(name=row[0], type=row[1]) for row in rows)


def require_key(columns: Sequence[Column], key: Sequence[str], normal_form: Sequence[str]) -> None:
    """Raise KeyUnsuitable unless the key is one or more columns whose values have a text form."""
    if not key:
        raise KeyUnsuitable("no key column is named", remedy="name one with --key")
    if len(set(key)) != len(key):
        raise KeyUnsuitable("a key column is named twice", remedy="name each column once")
    types = {column.name: column.type for column in columns}
    for name in key:
        if name not in types:
            raise KeyUnsuitable(
                f"there is no column {name}", remedy=f"the columns are {_listed(tuple(types))}"
            )
        kind = types[name]
        if kind.startswith(_NO_TEXT) or kind.endswith("]"):
            raise KeyUnsuitable(
                f"column {name} is of type {kind}, which cannot be a key",
                remedy="convert it to text with a query",
            )
        if kind in ("FLOAT", "DOUBLE") and "numeric" not in normal_form:
            raise KeyUnsuitable(
                f"column {name} is of type {kind}, whose text has no one form",
                remedy="add --normal-form numeric, or convert it to an integer with a query",
            )


def texts_sql(source: Source) -> str:
    """Return a SELECT of a CSV file's columns c0, c1 … as the texts that they are."""
    texts = _csv_sql(source.location, len(source.columns), source.delimiter)
    return f"SELECT * FROM {texts}"  # noqa: S608 (quoted)


def quoted(name: str) -> str:
    """Return a column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def parquet_sql(path: str, *, numbered: bool = False) -> str:
    """Return the call that reads a Parquet file, with ``file_row_number`` if it is numbered."""
    return f"read_parquet({_literal(path)}{', file_row_number = true' if numbered else ''})"


_NO_TEXT: Final = ("BLOB", "BIT", "STRUCT", "MAP", "UNION", "JSON", "INTERVAL", "VARIANT", "GEOM")


def _csv_sql(path: str, columns: int, delimiter: str) -> str:
    types = ", ".join(f"'c{n}': 'VARCHAR'" for n in range(columns))
    return (
        f"read_csv({_literal(path)}, auto_detect = false, header = true, columns = {{{types}}},"
        f" delim = {_literal(delimiter)}, quote = '\"', escape = '\"', strict_mode = true,"
        " compression = 'none', encoding = 'utf-8', nullstr = '')"
    )


def _named(source: Source) -> str:
    return ", ".join(f"{quoted(column.name)} AS c{n}" for n, column in enumerate(source.columns))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown


def _difference(then: Sequence[Column], now: Sequence[Column]) -> str:
    before = {column.name: column.type for column in then}
    after = {column.name: column.type for column in now}
    for name in before:
        if name not in after:
            return f"column {name} is missing"
        if after[name] != before[name]:
            return f"column {name} was {before[name]} and is {after[name]}"
    for name in after:
        if name not in before:
            return f"column {name} is new"
    return "their order is another"


def _is_of_the_system(error: Exception) -> bool:
    """Tell whether an error is not DuckDB's: of its own in Arrow's streams it gives no number."""
    return isinstance(error, OSError) and error.errno is not None


def _shortage(reading: Reading, text: str) -> DatasetError | None:
    """Return what an error of DuckDB's, told by its text, says of the machine; None if nothing."""
    if text.startswith("Out of Memory Error"):
        return MemoryShort()
    return DiskFull(reading.scratch) if any(cause in text for cause in _FULL) else None


def _meaning(source: Source, text: str) -> DatasetError | None:
    """Return what an error of DuckDB's, told by its text, says of the table; None if nothing."""
    kind = text.partition(":")[0]
    if kind in _OUR_FAULTS:
        return None
    for path in source.paths:
        if not path.exists():
            return FileVanished(path)
    if source.kind is Kind.QUERY:
        return _query_meaning(kind, text)
    path = Path(source.location)
    if source.kind is Kind.PARQUET:
        return BadTable(path, "not a whole Parquet file")
    names = [column.name for column in source.columns]
    fault = find_fault(path, names, source.delimiter)
    return fault or BadTable(path, "not CSV as RFC 4180 has it, or not readable")


def _query_meaning(kind: str, text: str) -> DatasetError:
    # These speak of the query's own text; what others say may hold values of the data.
    if kind in ("Binder Error", "Catalog Error", "Parser Error"):
        return QueryRefused(f"the query cannot be run: {text.splitlines()[0]}")
    if kind in ("IO Error", "Permission Error"):
        return QueryRefused("a file that the query names cannot be read")
    return QueryRefused(
        "the query failed on the data: a row cannot be read or converted",
        "run it with the duckdb program to see the row",
    )


_TROUBLE: Final = (duckdb.Error, pa.ArrowException, OSError)
_OUR_FAULTS: Final = (
    "Connection Error",
    "FATAL Error",
    "INTERNAL Error",
    "INTERRUPT Error",
    "Resource In Use Error",
)
_FULL: Final = (f"errno {errno.ENOSPC}", "No space left", f"errno {errno.EFBIG}", "File too large")
