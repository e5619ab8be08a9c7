import datetime
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from appliance.datasets.errors import (
    BadHeader,
    BadKey,
    BadRow,
    BadTable,
    DatasetChanged,
    DatasetError,
    FileUnreadable,
    FileVanished,
    KeyUnsuitable,
    MemoryShort,
    NormalFormUnknown,
    QueryRefused,
    SchemaChanged,
    SchemaTooWide,
    TypeUnsupported,
)
from appliance.datasets.inspect import explain_change, inspect
from appliance.datasets.table import Reading
from tests.unit.dataset_doubles import csv_file, inspected, parquet_file, wanted, wanted_query


def types(path: Path, *key: str) -> dict[str, str]:
    return {column.name: column.type for column in inspected(path, *key).source.columns}


def test_a_csv_files_figures_are_found(tmp_path: Path) -> None:
    path = csv_file(tmp_path, 'id,age,note\n1,30,\n2,,"a, b"\n2,31,\n,32,\n')

    found = inspected(path)

    assert found.source.row_count == 4
    assert found.figures.null_counts == (1, 1, 3)
    assert (found.figures.null_key_count, found.figures.first_null_key_row) == (1, 4)
    assert (found.figures.duplicate_key_count, found.figures.first_duplicate_row) == (1, 3)
    assert found.figures.fault == f"{path}, row 4 (line 5 of the file), column id: the key is null"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20", ""], "BIGINT"),
        (["0", "9223372036854775807"], "BIGINT"),
        (["9223372036854775808", "1"], "VARCHAR"),
        (["007", "1"], "VARCHAR"),
        (["1.5", "2", "-1e-3", ".5", "NaN", "inf"], "DOUBLE"),
        (["1.5", "12345678901234567"], "VARCHAR"),
        (["01.5"], "VARCHAR"),
        (["1_000"], "VARCHAR"),
        ([" 1"], "VARCHAR"),
        (["true", "False"], "BOOLEAN"),
        (["t", "f"], "VARCHAR"),
        (["2024-02-29"], "DATE"),
        (["2023-02-29"], "VARCHAR"),
        (["2024-02-29 10:00", "2024-02-29T10:00:00.5"], "TIMESTAMP"),
        (["29.02.2024"], "VARCHAR"),
        (["", ""], "VARCHAR"),
        ([""] * 5000 + ["1"], "BIGINT"),
        (["1"] * 5000 + ["x"], "VARCHAR"),
    ],
)
def test_a_csv_column_has_the_type_that_all_its_values_have(
    tmp_path: Path, values: list[str], kind: str
) -> None:
    rows = "".join(f"k{n},{value}\n" for n, value in enumerate(values))

    assert types(csv_file(tmp_path, f"id,x\n{rows}"))["x"] == kind


def test_a_csv_files_key_stays_text(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id,day\n007,2024-01-01\n1.50,2024-01-02\n")

    assert types(path, "id") == {"id": "VARCHAR", "day": "DATE"}
    assert types(path, "day", "id") == {"id": "VARCHAR", "day": "VARCHAR"}


def test_a_parquet_files_columns_keep_their_types(tmp_path: Path) -> None:
    day = datetime.date(2024, 1, 1)
    path = parquet_file(tmp_path, {"id": [1, 2], "x": [0.5, None], "d": [day, day], "t": ["a", ""]})

    found = inspected(path)

    assert types(path) == {"id": "BIGINT", "x": "DOUBLE", "d": "DATE", "t": "VARCHAR"}
    assert found.figures.null_counts == (0, 1, 0, 0)


def test_a_query_is_inspected_like_a_file(tmp_path: Path) -> None:
    people = csv_file(tmp_path, "id,age\na,1\nb,2\n", "people.csv")
    wages = parquet_file(tmp_path, {"id": ["a", "b", "b"], "wage": [1, 2, 3]})
    query = f"SELECT * FROM '{people}' JOIN '{wages}' USING (id) -- and that is all"  # noqa: S608

    found = inspect(wanted_query(query, people, wages), Reading(scratch=tmp_path))

    assert [column.name for column in found.source.columns] == ["id", "age", "wage"]
    assert found.source.row_count == 3
    assert (
        found.figures.fault == "the query, row 3, column id: the key is the same as that of row 2"
    )
    assert found.source.paths == (people, wages)


def test_duplicates_are_told_in_normal_form(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id\nAnn\nbob\n ann \nBob\nbob\n")

    plain = inspected(path).figures
    normal = inspected(path, normal_form=("trim", "lower")).figures

    assert (plain.duplicate_key_count, plain.first_duplicate_row) == (1, 5)
    assert (normal.duplicate_key_count, normal.first_duplicate_row) == (3, 3)


def test_a_key_that_is_no_number_is_told_by_row_and_column(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id\n1\nsecret\n")

    figures = inspected(path, normal_form=("numeric",)).figures

    assert figures.null_key_count == 1
    assert figures.fault == (
        f"{path}, row 2 (line 3 of the file), column id:"
        " the key is not a number, and its normal form is numeric"
    )


def test_of_a_key_of_two_columns_the_faulty_one_is_named(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id,born\n1,2000\n1,2001\n2,\n")

    figures = inspected(path, "id", "born").figures

    assert figures.duplicate_key_count == 0
    assert "row 3 (line 4 of the file), column born: the key is null" in figures.fault


def test_many_keys_are_grouped_within_a_small_memory(tmp_path: Path) -> None:
    ids = [f"patient-{n % 250_000:032d}" for n in range(300_000)]
    path = parquet_file(tmp_path, {"id": ids})

    found = inspect(wanted(path), Reading(scratch=tmp_path, memory_bytes=64 << 20))

    assert found.figures.duplicate_key_count == 50_000
    assert found.figures.first_duplicate_row == 250_001
    assert [*tmp_path.iterdir()] == [path]


def test_a_table_that_exceeds_memory_and_disk_is_a_clear_error(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, {"id": [f"{n:040d}" for n in range(300_000)]})

    with pytest.raises(MemoryShort, match="more memory and temporary disk space"):
        inspect(wanted(path), Reading(scratch=tmp_path, memory_bytes=8 << 20))


@pytest.mark.parametrize(
    ("content", "error", "fault"),
    [
        (b"", BadHeader, "the file is empty"),
        (b"1,2\n3,4\n", BadHeader, "no header"),
        (b"id,id\n3,4\n", BadHeader, "both named id"),
        (b"id,x\n1,2\n3\n", BadRow, "row 2 (line 3 of the file), column x: the row has 1 values"),
        (b"id,x\n1,2\n3,4,5\n", BadRow, "row 2 (line 3 of the file): the row has 3 values for 2"),
        (b"id,x\n1,2\n3,\xff\xfe\n", BadRow, "row 2 (line 3 of the file), column x: the text is"),
        (b'id,x\n1,"2\n3,4\n', BadRow, "row 1 (line 3 of the file): the quotes do not match"),
        (b"id,x\n1,2\r\n3,4\n5,6\r\n", BadRow, "the line ends otherwise than the first line"),
        (b"id,x\n1," + b"a" * (3 << 20) + b"\n", BadRow, "row 1 (line 2 of the file): the line is"),
        (b"no,x\n1,2\n", KeyUnsuitable, "there is no column id"),
    ],
)
def test_a_bad_csv_file_is_refused_by_row_and_column(
    tmp_path: Path, content: bytes, error: type[DatasetError], fault: str
) -> None:
    path = csv_file(tmp_path, content)

    with pytest.raises(error) as refused:
        inspected(path)

    assert fault in refused.value.what
    assert refused.value.remedy


def test_a_csv_file_without_rows_is_a_table(tmp_path: Path) -> None:
    found = inspected(csv_file(tmp_path, "id,x\n"))

    assert found.source.row_count == 0
    assert found.figures.fault == ""


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_one_way(tmp_path: Path, ending: str) -> None:
    path = csv_file(tmp_path, f'id,x{ending}1,"a{ending}b"{ending}2,{ending}')

    assert inspected(path).source.row_count == 2
    assert inspected(path).figures.null_counts == (0, 1)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"id,x\n1,2\n", b"PAR1" + b"\0" * 500 + b"PAR1"])
def test_what_is_no_parquet_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadTable, match="not a whole Parquet file"):
        inspected(csv_file(tmp_path, content, "table.parquet"))


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, {"id": [*range(1000)]})
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(BadTable):
        inspected(path)


def test_a_missing_file_a_folder_and_an_unreadable_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileVanished, match="is not there"):
        inspected(tmp_path / "none.csv")
    with pytest.raises(FileUnreadable, match="not a plain file"):
        inspect(wanted(tmp_path), Reading(scratch=tmp_path))


@pytest.mark.parametrize(
    ("columns", "key", "fault"),
    [
        ({"id": [b"x"]}, ("id",), "is of type BLOB"),
        ({"id": [[1]]}, ("id",), r"is of type BIGINT\[\]"),
        ({"id": [0.5]}, ("id",), "is of type DOUBLE, whose text has no one form"),
        ({"id": [1]}, ("id", "id"), "named twice"),
        ({"id": [1]}, ("ID",), "there is no column ID"),
    ],
)
def test_a_key_must_have_a_text_form(
    tmp_path: Path, columns: dict[str, object], key: tuple[str, ...], fault: str
) -> None:
    with pytest.raises(KeyUnsuitable, match=fault):
        inspected(parquet_file(tmp_path, columns), *key)


def test_a_numeric_key_may_be_a_floating_point_column(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, {"id": [1.0, 2.0, 2.0]})

    assert inspected(path, normal_form=("numeric",)).figures.duplicate_key_count == 1


def test_names_that_differ_in_case_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="columns 1 and 2 are both named ID"):
        inspected(parquet_file(tmp_path, {"id": [1], "ID": [2]}))


def test_an_unknown_normal_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NormalFormUnknown):
        inspected(csv_file(tmp_path, "id\n1\n"), normal_form=("metaphone",))


@pytest.mark.parametrize(
    ("query", "error", "fault"),
    [
        ("SELECT 1 AS id, NULL::ENUM('secret') AS x", TypeUnsupported, "column x is of type ENUM,"),
        ("SELECT 1 AS id, INTERVAL 1 DAY AS x", TypeUnsupported, "of type INTERVAL"),
        ("SELECT 1 AS id, 2 AS id", BadTable, "columns 1 and 2 are both named id"),
        ("SELECT nothing AS id", QueryRefused, "the query cannot be run: Binder Error"),
        ("SELECT CAST('secret' AS INT) AS id FROM range(3)", QueryRefused, "failed on the data"),
        (f"SELECT 1 AS id, {', '.join(f'1 AS {chr(99) * 100}{n}' for n in range(400))}",
         SchemaTooWide, "at most 24576 can be named"),
    ],
)  # fmt: skip
def test_a_query_that_gives_no_fit_table_is_refused(
    tmp_path: Path, query: str, error: type[DatasetError], fault: str
) -> None:
    with pytest.raises(error) as refused:
        inspect(wanted_query(query), Reading(scratch=tmp_path))

    assert fault in refused.value.what
    assert "secret" not in refused.value.what


def test_a_query_can_read_no_other_file_than_those_named(tmp_path: Path) -> None:
    other = csv_file(tmp_path, "id\n1\n")

    with pytest.raises(QueryRefused):
        inspect(wanted_query(f"SELECT * FROM '{other}'"), Reading(scratch=tmp_path))  # noqa: S608


@pytest.mark.parametrize(
    ("content", "error", "fault"),
    [
        (
            "id,age\na,1\nb,x\n",
            BadRow,
            "row 2 (line 3 of the file), column age: the value is not a",
        ),
        ("id,age\na,1\nb\n", BadRow, "row 2 (line 3 of the file), column age: the row has 1"),
        ("id,age\na,1\n,2\n", BadKey, "row 2 (line 3 of the file), column id: the key is null"),
        ("id,age\na,1\na,2\n", DatasetChanged, "has changed since it was registered"),
        ("id,born\na,1\n", SchemaChanged, "column age is missing"),
        ("id,age,sex\na,1,f\n", SchemaChanged, "column sex is new"),
        ("age,id\n1,a\n", SchemaChanged, "their order is another"),
        ("", BadHeader, "the file is empty"),
        ("id,age\nc,1\n", DatasetChanged, "has changed since it was registered"),
    ],
)
def test_a_csv_file_that_changed_is_explained(
    tmp_path: Path, content: str, error: type[DatasetError], fault: str
) -> None:
    source = inspected(csv_file(tmp_path, "id,age\na,1\nb,2\n")).source
    csv_file(tmp_path, content)

    found = explain_change(source, Reading(scratch=tmp_path))

    assert type(found) is error
    assert fault in found.what


def test_the_first_of_several_bad_values_is_told(tmp_path: Path) -> None:
    source = inspected(csv_file(tmp_path, "id,x,y\na,1,2024-01-01\n")).source
    csv_file(tmp_path, "id,x,y\na,1,2024-01-01\nb,1,soon\nc,x,2024-01-01\n")

    found = explain_change(source, Reading(scratch=tmp_path))

    assert isinstance(found, BadRow)
    assert (found.row, found.column) == (2, "y")


def test_a_parquet_file_of_other_types_is_explained(tmp_path: Path) -> None:
    source = inspected(parquet_file(tmp_path, {"id": [1], "x": [1]})).source
    parquet_file(tmp_path, {"id": [1], "x": ["1"]})

    found = explain_change(source, Reading(scratch=tmp_path))

    assert isinstance(found, SchemaChanged)
    assert "column x was BIGINT and is VARCHAR" in found.what


def test_a_file_that_vanished_is_explained(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id\n1\n")
    source = inspected(path).source
    path.unlink()

    assert isinstance(explain_change(source, Reading(scratch=tmp_path)), FileVanished)


def test_an_inspection_asked_what_changed_raises_it(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id\n1\n")
    again = replace(wanted(path), registered=inspected(path).source)
    csv_file(tmp_path, "id\n2\n")

    with pytest.raises(DatasetChanged):
        inspect(again, Reading(scratch=tmp_path))


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    rows = np.arange(1_500_000)
    path = parquet_file(tmp_path, {"id": rows, "x": rows * 7, "y": rows % 10})
    assert path.stat().st_size > 10 << 20
    script = f"""
import resource
from pathlib import Path
from appliance.datasets.inspect import inspect
from appliance.datasets.table import Reading
from tests.unit.dataset_doubles import wanted
path = Path({str(path)!r})
reading = Reading(scratch=path.parent, memory_bytes=96 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
inspect(wanted(path), reading)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert int(ran.stdout) < 256 << 10
