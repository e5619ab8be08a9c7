"""Values that leave a table as text or number, and joins, beside plain Python's."""

import datetime as dt
import math
import uuid
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.datasets.errors import BadValue
from appliance.datasets.outputs import write_joined
from appliance.datasets.reader import TableInputs
from appliance.datasets.table import Reading
from services.service import Column, Joined, JoinedRows
from tests.tables import texts_of, values_of
from tests.unit.dataset_doubles import inspected, parquet_file

UTC = dt.UTC
texts = st.text(st.characters(codec="utf-8"), max_size=8)
moments = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))
TYPES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.bool_(): st.booleans(),
    **{
        kind: st.integers(low, high)
        for kind, low, high in [
            (pa.int8(), -(2**7), 2**7 - 1),
            (pa.int64(), -(2**63), 2**63 - 1),
            (pa.uint64(), 0, 2**64 - 1),
        ]
    },
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False),
    pa.decimal128(38, 9): st.decimals(
        min_value=-(10**28), max_value=10**28, places=9, allow_nan=False
    ),
    pa.string(): texts,
    pa.binary(): st.binary(max_size=8),
    pa.date32(): st.dates(),
    pa.time64("us"): st.times(),
    pa.timestamp("s"): moments.map(lambda moment: moment.replace(microsecond=0)),
    pa.timestamp("us"): st.datetimes(),
    pa.timestamp("ns"): moments,
    pa.timestamp("us", "Asia/Shanghai"): moments.map(lambda moment: moment.replace(tzinfo=UTC)),
}


@pytest.mark.parametrize("kind", TYPES, ids=str)
@settings(max_examples=25)
@given(data=st.data())
def test_a_value_that_travels_as_text_arrives_as_it_was(
    kind: pa.DataType, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.one_of(st.none(), TYPES[kind]), min_size=1, max_size=20))
    places = st.integers(0, len(values) - 1)
    rows = np.array(data.draw(st.lists(places, min_size=1, max_size=30)), np.int64)
    with TemporaryDirectory() as name:
        folder = Path(name)
        table = {"id": [str(uuid.UUID(int=n)) for n in range(len(values))]}
        path = parquet_file(folder, table | {"x": pa.array(values, kind)})
        source, reading = inspected(path).source, Reading(scratch=folder)
        inputs = TableInputs(source, reading, ("x",))
        given_texts = [batch[0] for batch in inputs.read_texts(["x"], rows)]
        parts, done = [], 0
        for batch in given_texts:
            parts.append(JoinedRows(rows[done : done + len(batch)], (batch,)))
            done += len(batch)
        column = Column(name="given", type=source.columns[1].type)
        target = folder / "joined.parquet"
        write_joined(source, Joined(columns=(column,), parts=parts), 1, target, reading)
        found = pq.read_table(target)

        assert found["given"].type == found["x"].type
        assert found["given"].equals(found["x"])
        expected = [values[row] for row in np.sort(rows)]
        assert found["id"].to_pylist() == [str(uuid.UUID(int=int(row))) for row in np.sort(rows)]
        assert pa.array(expected, kind).cast(found["x"].type) == found["x"].combine_chunks()


@settings(max_examples=25)
@given(data=st.data())
def test_texts_come_in_the_order_asked_for(data: st.DataObject) -> None:
    values = data.draw(st.lists(st.one_of(st.none(), texts), min_size=1, max_size=50))
    rows = data.draw(st.permutations(range(len(values))))
    with TemporaryDirectory() as name:
        ids = [f"k{n}" for n in range(len(values))]
        path = parquet_file(Path(name), {"id": ids, "x": pa.array(values, pa.string())})
        inputs = TableInputs(inspected(path).source, Reading(scratch=Path(name)), ("x", "id"))

        batches = list(inputs.read_texts(["x", "id"], np.array(rows, np.int64)))

    assert [value for x, _ in batches for value in values_of(x)] == [values[row] for row in rows]
    assert [value for _, id_ in batches for value in values_of(id_)] == [ids[row] for row in rows]


Row = tuple[Any, ...]


def joined_by_hand(own: Sequence[str], parts: Sequence[tuple[int, str | None]]) -> list[Row]:
    found: list[Row] = []
    for row, key in enumerate(own):
        theirs = [value for place, value in parts if place == row]
        found += [(key, value, True) for value in theirs] or [(key, None, False)]
    return found + [(None, value, False) for place, value in parts if place < 0]


@settings(max_examples=50)
@given(data=st.data())
def test_a_join_is_what_plain_python_makes_of_it(data: st.DataObject) -> None:
    own = [f"k{n}" for n in range(data.draw(st.integers(1, 20)))]
    pair = st.tuples(st.integers(-1, len(own) - 1), st.one_of(st.none(), texts))
    parts = data.draw(st.lists(pair, max_size=40))
    cut = data.draw(st.integers(0, len(parts)))
    is_outer = data.draw(st.booleans())
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = inspected(parquet_file(folder, {"id": own})).source
        made = [
            JoinedRows(
                np.array([place for place, _ in piece], np.int64),
                (texts_of([value for _, value in piece]),),
            )
            for piece in (parts[:cut], parts[cut:])
        ]
        joined = Joined(
            columns=(Column(name="x", type="VARCHAR"),),
            parts=made,
            is_outer=is_outer,
            indicator="both",
        )
        target = folder / "joined.parquet"
        count = write_joined(source, joined, 1, target, Reading(scratch=folder))
        found = pq.read_table(target).to_pydict()

    rows = list(zip(found["id"], found["x"], found["both"], strict=True))
    wanted = joined_by_hand(own, parts)
    if not is_outer:
        wanted = [row for row in wanted if row[2] or row[0] is None]
    assert rows == wanted
    assert count == len(rows)


NUMBERS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int8(): st.integers(-(2**7), 2**7 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.decimal128(12, 4): st.decimals(-(10**7), 10**7, places=4),
    pa.decimal128(38, 0): st.decimals(-(10**37), 10**37, places=0),
    pa.float32(): st.one_of(
        st.floats(width=32),
        st.integers(-999_999, 999_999).map(lambda n: float(np.float32(n / 100))),
    ),
    pa.float64(): st.one_of(st.floats(), st.integers(-(10**12), 10**12).map(lambda n: n / 100)),
}


def scaled_by_hand(value: Any, kind: pa.DataType, digits: int) -> int | None:
    """Return a value as a multiple of 10^-digits, by its shortest decimal; None if it is none."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = str(np.float32(value) if kind == pa.float32() else value)
    exact = Decimal(value).scaleb(digits)
    whole = int(exact)
    most = 2**22 if kind == pa.float32() else 2**50 if kind == pa.float64() else 2**63
    least = -(2**63) if most == 2**63 else 1 - most
    return whole if whole == exact and least <= whole < most else None


@pytest.mark.parametrize("kind", NUMBERS, ids=str)
@settings(max_examples=40)
@given(data=st.data())
def test_numbers_are_read_exactly_or_refused_with_their_row(
    kind: pa.DataType, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.one_of(st.none(), NUMBERS[kind]), min_size=1, max_size=6))
    digits = data.draw(st.integers(0, 4))
    wanted = [None if one is None else scaled_by_hand(one, kind, digits) for one in values]
    unfit = [n for n, one in enumerate(values) if one is not None and wanted[n] is None]
    with TemporaryDirectory() as name:
        ids = [f"k{n}" for n in range(len(values))]
        path = parquet_file(Path(name), {"id": ids, "x": pa.array(values, kind)})
        inputs = TableInputs(inspected(path).source, Reading(scratch=Path(name)), ("x", "id"))

        if unfit:
            with pytest.raises(BadValue, match=rf"row {unfit[0] + 1}, column x: the value "):
                list(inputs.read_numbers(["x"], digits))
            return
        [(found, present)] = inputs.read_numbers(["x", "x"], digits)

    assert found.dtype == np.int64
    assert present.tolist() == [[one is not None] * 2 for one in values]
    assert found.tolist() == [[one or 0] * 2 for one in wanted]
