"""Columns of a table as text, for chosen rows in any order: what a party gives another."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.datasets.columns import texts_of
from appliance.datasets.errors import BadValue
from appliance.datasets.payload import is_returned
from appliance.datasets.source import Source
from appliance.datasets.table import VARCHAR, DuckDB, numbered_sql, places_of
from services.errors import LocalProtocolError
from services.service import Texts

BATCH_ROWS: Final = 65536

FLOATS: Final = ("FLOAT", "DOUBLE")


def read_texts(
    source: Source, columns: Sequence[str], rows: NDArray[np.int64], database: DuckDB
) -> Iterator[tuple[Texts, ...]]:
    """Read columns of some rows, in the order of ``rows``; a row may come several times.

    Cost:   one pass to join and to sort, spilled to disk beyond DuckDB's memory limit.
    Raises: BadValue, naming row and column, of a value that is not a number.
    """
    if len(rows) and not 0 <= rows.min() <= rows.max() < source.row_count:
        raise LocalProtocolError("the service asked for rows that the dataset does not have")
    places = places_of(source, columns)
    texts = ", ".join(f"CAST(c{place} AS VARCHAR) AS t{n}" for n, place in enumerate(places))
    floats = [place for place in places if source.columns[place].type in FLOATS]
    unfit = " OR ".join(f"coalesce(isnan(c{place}), false)" for place in floats) or "false"
    table = numbered_sql(source, f"{texts}, {unfit} AS unfit")
    database.register("chosen", pa.table({"row": rows}))
    query = (
        "SELECT * EXCLUDE (row, position) FROM"  # noqa: S608 (quoted)
        " (SELECT row, row_number() OVER () AS position FROM chosen)"
        f" JOIN ({table}) USING (row) ORDER BY position"
    )
    done = 0
    with database.sql(query).to_arrow_reader(BATCH_ROWS) as batches:
        for batch in batches:
            *found, is_unfit = batch.columns
            if is_unfit.true_count:
                break
            yield tuple(map(texts_of, found))
            done += len(batch)
        else:
            return
    first = int(np.flatnonzero(is_unfit.to_numpy(zero_copy_only=False))[0])
    raise _bad_value(source, floats, int(rows[done + first]), database)


def is_unfit_sql(column: str, text: str, kind: str) -> str:
    """Return a test whether a text that a peer gave is no value of a column's type."""
    if kind == VARCHAR:
        return "false"
    unfit = f"({text} IS NOT NULL AND {column} IS NULL)"
    return f"({unfit} OR coalesce(isnan({column}), false))" if kind in FLOATS else unfit


def value_sql(text: str, kind: str) -> str:
    """Return an expression for the value of a text that a peer gave, NULL if it is of no such type.

    NaN is a value here. Raises: LocalProtocolError, as :func:`cast_type`.
    """
    return f"TRY_CAST({text} AS {cast_type(kind)})"


def fit_value_sql(text: str, kind: str) -> str:
    """Return an expression as :func:`value_sql`, with NULL for NaN too."""
    value = value_sql(text, kind)
    return f"CASE WHEN {is_unfit_sql(value, text, kind)} THEN NULL ELSE {value} END"


def cast_type(kind: str) -> str:
    """Return the type by which values of a plain type are written to a result.

    Raises: LocalProtocolError on a type that is not plain: it may be a peer's invention.
    """
    if not is_returned(kind):
        raise LocalProtocolError("the service gave a column of a type that nobody may give")
    # Arrow keeps a HUGEINT as such a decimal, and DuckDB falls over one that does not fit.
    return "DECIMAL(38,0)" if kind == "HUGEINT" else kind


def _bad_value(source: Source, floats: Sequence[int], row: int, database: DuckDB) -> BadValue:
    tests = ", ".join(f"coalesce(isnan(c{place}), false)" for place in floats)
    query = f"SELECT {tests} FROM ({numbered_sql(source, '*')}) WHERE row = {row}"  # noqa: S608
    [found] = database.sql(query).fetchall()
    column = source.columns[floats[found.index(True)]].name
    return BadValue(source.shown, row + 1, column, "the value is not a number (NaN)")
