"""Columns of a table as whole numbers at a fixed scale: what parties add up."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance.datasets.columns import buffer_of
from appliance.datasets.errors import BadValue, DigitsShort, NumbersUnsuitable
from appliance.datasets.source import Source
from appliance.datasets.table import DuckDB, places_of, rows_sql
from services.service import Numbers

BATCH_ROWS: Final = 131072
MOST_DIGITS: Final = 18

# How far the decimals of a scale are further apart than a type's own values, with room to round.
_FLOATS: Final = {"FLOAT": 2**22, "DOUBLE": 2**50}

_FINE, _NO_NUMBER, _INFINITE, _TOO_LARGE, _TOO_FINE = range(5)
_FAULTS: Final = {
    _NO_NUMBER: "the value is not a number (NaN)",
    _INFINITE: "the value is infinite",
    _TOO_LARGE: "the value is too large to be told exactly with %d digits after the point",
    _TOO_FINE: "the value has more than %d digits after the point",
}


def read_numbers(
    source: Source, columns: Sequence[str], digits: int, database: DuckDB
) -> Iterator[Numbers]:
    """Read columns of all rows, in their order, as multiples of 10^-digits; nothing is rounded.

    A FLOAT or DOUBLE stands for the decimal of so many digits to which it is the nearest of its
    type: 0.1 is one tenth, and has one digit.
    Raises: NumbersUnsuitable; BadValue, naming row and column, of a value that is not a number,
        is infinite; DigitsShort of one that has more digits, or does not fit.
    """
    if not 0 <= digits <= MOST_DIGITS:
        raise ValueError(f"{digits} digits")
    asked = [source.columns[place] for place in places_of(source, columns)]
    for column in asked:
        if not column.is_number:
            raise NumbersUnsuitable(column.name, column.type)
    kinds = [column.type for column in asked]
    done = 0
    query = _numbers_sql(source, columns, digits)
    with database.sql(query).to_arrow_reader(BATCH_ROWS) as batches:
        for batch in batches:
            values = np.zeros((len(batch), len(columns)), np.int64)
            present = np.zeros((len(batch), len(columns)), np.bool_)
            for n, name in enumerate(columns):
                values[:, n], faults = _read(batch, n, digits, kinds[n])
                present[:, n] = batch.column(f"p{n}").to_numpy(zero_copy_only=False)
                _require_fine(source, name, done, np.where(present[:, n], faults, _FINE), digits)
            yield Numbers(np.where(present, values, 0), present)
            done += len(batch)


def _numbers_sql(source: Source, columns: Sequence[str], digits: int) -> str:
    """Return a SELECT of each column n as vn; whether it is there, as pn; of a scale, as en."""
    asked = []
    for n, place in enumerate(places_of(source, columns)):
        kind = source.columns[place].type
        if kind in _FLOATS:
            value, exact = f"c{place}", "true"
        else:
            value = f"TRY_CAST(c{place} AS DECIMAL(38,{digits}))"
            exact = f"coalesce(TRY_CAST({value} AS {kind}) = c{place}, true)"
        asked.append(f"{value} AS v{n}, c{place} IS NOT NULL AS p{n}, {exact} AS e{n}")
    return f"SELECT {', '.join(asked)} FROM ({rows_sql(source)})"  # noqa: S608 (quoted)


def _read(
    batch: pa.RecordBatch, n: int, digits: int, kind: str
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Return a column's values at the scale and the fault of each, whether it is there or not."""
    found = batch.column(f"v{n}")
    if kind in _FLOATS:
        return _scaled(found.to_numpy(zero_copy_only=False), digits, _FLOATS[kind])
    is_exact = batch.column(f"e{n}").to_numpy(zero_copy_only=False)
    is_cast = found.is_valid().to_numpy(zero_copy_only=False)
    words = np.frombuffer(
        buffer_of(found.buffers()[1]), np.int64
    )  # a decimal: 128 bits, the low ones first
    low, high = words.reshape(-1, 2)[found.offset : found.offset + len(found)].T
    faults = np.full(len(found), _FINE, np.int8)
    faults[~is_exact] = _TOO_FINE
    faults[~is_cast | (high != low >> 63)] = _TOO_LARGE
    return low, faults


def _scaled(
    numbers: NDArray[np.floating], digits: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    scale = 10.0**digits
    with np.errstate(all="ignore"):
        scaled = np.rint(numbers.astype(np.float64) * scale)
        is_exact = (scaled / scale).astype(numbers.dtype) == numbers
        fits = np.abs(scaled) < most
    faults = np.full(len(numbers), _FINE, np.int8)
    faults[~is_exact] = _TOO_FINE
    faults[~fits] = _TOO_LARGE
    faults[np.isinf(numbers)] = _INFINITE
    faults[np.isnan(numbers)] = _NO_NUMBER
    return np.where(fits, scaled, 0).astype(np.int64), faults


def _require_fine(
    source: Source, column: str, done: int, faults: NDArray[np.int8], digits: int
) -> None:
    unfit = np.flatnonzero(faults)
    if len(unfit):
        text = _FAULTS[int(faults[unfit[0]])]
        is_of_digits = "%d" in text
        kind = DigitsShort if is_of_digits else BadValue
        fault = text % digits if is_of_digits else text
        raise kind(source.shown, done + int(unfit[0]) + 1, column, fault)
