"""Joins and figures that services give as outputs, written to Parquet."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance.datasets.errors import DatasetChanged
from appliance.datasets.outputs import write_figures, write_joined
from appliance.datasets.source import Source
from appliance.datasets.table import Reading
from services.errors import LocalProtocolError, PeerProtocolError
from services.service import Column, Figures, Joined, JoinedRows, Texts
from tests.tables import texts_of
from tests.unit.dataset_doubles import csv_file, inspected

PEER = 1
CITY = Column(name="city", type="VARCHAR")
AGE = Column(name="age", type="BIGINT")


def part(rows: Sequence[int], *columns: Sequence[str | None]) -> JoinedRows:
    return JoinedRows(np.array(rows, np.int64), tuple(map(texts_of, columns)))


def table_of(folder: Path, ids: str) -> Source:
    return inspected(csv_file(folder, "id\n" + "".join(f"{one}\n" for one in ids))).source


def written(folder: Path, source: Source, joined: Joined) -> dict[str, list[object]]:
    target = folder / "joined.parquet"
    count = write_joined(source, joined, PEER, target, Reading(scratch=folder))
    found = pq.read_table(target)
    assert count == len(found)
    assert {path.name for path in folder.iterdir()} == {"table.csv", "joined.parquet"}
    return found.to_pydict()


def test_our_rows_come_in_their_order_with_what_the_peer_gave(tmp_path: Path) -> None:
    parts = [part([2, 0], ["Rome", None], ["7", "8"]), part([0], ["Oslo"], [None])]

    found = written(tmp_path, table_of(tmp_path, "abc"), Joined(columns=(CITY, AGE), parts=parts))

    assert found == {
        "id": ["a", "a", "c"],
        "city": [None, "Oslo", "Rome"],
        "age": [8, None, 7],
    }


def test_rows_of_the_peer_alone_come_last_and_ours_alone_in_their_place(tmp_path: Path) -> None:
    parts = [part([-1, 3], ["x", "d1"]), part([1, -1, 3], ["b", "y", "d2"])]
    joined = Joined(columns=(CITY,), parts=parts, is_outer=True, indicator="matched")

    found = written(tmp_path, table_of(tmp_path, "abcde"), joined)

    assert found == {
        "id": ["a", "b", "c", "d", "d", "e", None, None],
        "city": [None, "b", None, "d1", "d2", None, "x", "y"],
        "matched": [False, True, False, True, True, False, False, False],
    }


@pytest.mark.parametrize("is_outer", [False, True])
def test_a_join_of_no_rows_is_a_table_nonetheless(tmp_path: Path, is_outer: bool) -> None:
    joined = Joined(columns=(AGE,), parts=[], is_outer=is_outer)

    found = written(tmp_path, table_of(tmp_path, "ab"), joined)

    own = ["a", "b"] if is_outer else []
    assert found == {"id": own, "age": [None] * len(own)}


def test_a_join_may_have_no_columns_of_the_peer(tmp_path: Path) -> None:
    joined = Joined(columns=(), parts=[part([1, -1])], is_outer=True, indicator="both")

    found = written(tmp_path, table_of(tmp_path, "ab"), joined)

    assert found == {"id": ["a", "b", None], "both": [False, True, False]}


def test_one_of_our_rows_may_come_more_often_than_fits_a_batch(tmp_path: Path) -> None:
    count = 200_000
    numbers = [str(n) for n in range(count)]
    parts = [part([1] * 50_000, numbers[n : n + 50_000]) for n in range(0, count, 50_000)]
    joined = Joined(columns=(AGE,), parts=parts, is_outer=True)

    found = written(tmp_path, table_of(tmp_path, "abc"), joined)

    assert found["id"] == ["a", *["b"] * count, "c"]
    assert found["age"] == [None, *range(count), None]


UNFIT = [
    ("BIGINT", "seven"),
    ("BIGINT", "9223372036854775808"),
    ("HUGEINT", "-170141183460469231731687303715884105728"),
    ("DOUBLE", "1,5"),
    ("DOUBLE", "NaN"),
    ("FLOAT", "-nan"),
    ("BOOLEAN", "maybe"),
    ("DATE", "2023-02-29"),
    ("TIMESTAMP WITH TIME ZONE", "yesterday"),
    ("DECIMAL(4,2)", "100"),
    ("UUID", "1-2-3"),
    ("BLOB", "\\x"),
]


@pytest.mark.parametrize(("kind", "text"), UNFIT)
def test_a_peer_whose_text_is_no_value_of_the_type_is_blamed(
    tmp_path: Path, kind: str, text: str
) -> None:
    column = Column(name="given", type=kind)
    joined = Joined(columns=(CITY, column), parts=[part([0, -1], ["x", "y"], [None, text])])

    with pytest.raises(PeerProtocolError, match="party 1: its column given holds what is") as told:
        written(tmp_path, table_of(tmp_path, "a"), joined)

    assert text not in str(told.value).replace(kind, "")
    assert told.value.rank == PEER
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_peer_whose_text_is_not_utf8_is_blamed(tmp_path: Path) -> None:
    texts = Texts(np.array([0, 1]), np.array([0xFF], np.uint8), np.ones(1, np.bool_))
    joined = Joined(columns=(CITY,), parts=[JoinedRows(np.zeros(1, np.int64), (texts,))])

    with pytest.raises(PeerProtocolError, match="party 1: its column city holds no UTF-8"):
        written(tmp_path, table_of(tmp_path, "a"), joined)


@pytest.mark.parametrize(("kind", "text"), UNFIT)
def test_where_blame_would_tell_of_matches_what_is_no_value_is_null(
    tmp_path: Path, kind: str, text: str
) -> None:
    column = Column(name="given", type=kind)
    parts = [part([0, 1], ["x", "y"], [text, None])]
    joined = Joined(columns=(CITY, column), parts=parts, is_lenient=True)

    found = written(tmp_path, table_of(tmp_path, "ab"), joined)

    assert found == {"id": ["a", "b"], "city": ["x", "y"], "given": [None, None]}


def test_where_blame_would_tell_of_matches_what_is_not_utf8_is_null(tmp_path: Path) -> None:
    given = np.array([0xFF, *b"ok"], np.uint8)
    texts = Texts(np.array([0, 1, 3, 3]), given, np.array([True, True, False]))
    parts = [JoinedRows(np.arange(3), (texts,))]

    found = written(
        tmp_path,
        table_of(tmp_path, "abc"),
        Joined(columns=(CITY,), parts=parts, is_lenient=True),
    )

    assert found["city"] == [None, "ok", None]


def test_a_peer_that_is_blamed_while_parts_are_made_stays_blamed(tmp_path: Path) -> None:
    def parts() -> Iterator[JoinedRows]:
        yield part([0], ["x"])
        raise PeerProtocolError(PEER, "its labels are unfit")

    with pytest.raises(PeerProtocolError, match="its labels are unfit"):
        written(tmp_path, table_of(tmp_path, "a"), Joined(columns=(CITY,), parts=parts()))

    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize(
    "joined",
    [
        Joined(columns=(Column(name="x", type="INTEGER) FROM x; --"),), parts=[part([0], ["1"])]),
        Joined(columns=(Column(name="x", type="VARCHAR[]"),), parts=[part([0], ["[1]"])]),
        Joined(columns=(Column(name="ID", type="VARCHAR"),), parts=[part([0], ["1"])]),
        Joined(columns=(CITY,), parts=[part([1], ["1"])]),
        Joined(columns=(CITY,), parts=[part([-2], ["1"])]),
    ],
)
def test_what_no_service_may_give_is_a_fault_of_ours(tmp_path: Path, joined: Joined) -> None:
    with pytest.raises(LocalProtocolError):
        written(tmp_path, table_of(tmp_path, "a"), joined)


def test_a_join_with_a_table_that_changed_is_refused(tmp_path: Path) -> None:
    source = table_of(tmp_path, "ab")
    table_of(tmp_path, "ac")

    with pytest.raises(DatasetChanged):
        written(tmp_path, source, Joined(columns=(CITY,), parts=[part([0], ["1"])]))


def test_figures_are_a_small_table(tmp_path: Path) -> None:
    kinds = {"n": "BIGINT", "sum": "DECIMAL(38,2)", "mean": "DOUBLE", "what": "VARCHAR"}
    figures = Figures(
        columns=tuple(Column(name=name, type=kind) for name, kind in kinds.items()),
        rows=((3, "12345678901234567890.25", 0.1, "total"), (0, None, None, "")),
    )
    target = tmp_path / "figures.parquet"

    assert write_figures(figures, target, Reading(scratch=tmp_path)) == 2

    found = pq.read_table(target)
    assert [str(kind) for kind in found.schema.types] == [
        "int64",
        "decimal128(38, 2)",
        "double",
        "large_string",
    ]
    assert [str(value) for value in found["sum"].to_pylist()] == ["12345678901234567890.25", "None"]
    assert found.drop(["sum"]).to_pydict() == {
        "n": [3, 0],
        "mean": [0.1, None],
        "what": ["total", ""],
    }


def test_figures_of_no_rows_keep_their_columns(tmp_path: Path) -> None:
    target = tmp_path / "figures.parquet"
    day = Figures(columns=(Column(name="day", type="DATE"),), rows=())

    assert write_figures(day, target, Reading(scratch=tmp_path)) == 0
    assert pq.read_table(target).schema == pa.schema([("day", pa.date32())])


def test_figures_may_be_given_as_texts(tmp_path: Path) -> None:
    target = tmp_path / "figures.parquet"
    day = Figures(columns=(Column(name="day", type="DATE"),), rows=(("2026-11-24",),))

    write_figures(day, target, Reading(scratch=tmp_path))

    assert pq.read_table(target).to_pydict() == {"day": [date(2026, 11, 24)]}
