"""The keys of a table, read in the order of its rows, and the first of them that is unfit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.datasets.columns import keys_of
from appliance.datasets.csv_file import find_line
from appliance.datasets.errors import BadKey, DuplicateKey
from appliance.datasets.normal_form import fault_of, normal, parse_normal_form
from appliance.datasets.source import Kind, Source
from appliance.datasets.table import DuckDB, key_rows_sql, rows_sql
from services.service import Keys

BATCH_ROWS: Final = 131072


def read_keys(source: Source, database: DuckDB) -> Iterator[Keys]:
    """Read the key column in normal form, batch by batch in the order of rows.

    Cost:   one pass; memory for a few batches and what DuckDB may take.
    Raises: BadKey, naming row and column.
    """
    with database.sql(key_rows_sql(source, numbered=False)).to_arrow_reader(BATCH_ROWS) as batches:
        for batch in batches:
            if batch.column(0).null_count:
                break
            yield keys_of(batch.column(0))
        else:
            return
    raise find_bad_key(source, database)


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
