from pathlib import Path

import pytest

from appliance.datasets.csv_file import find_fault, find_line, read_header
from appliance.datasets.errors import BadHeader, BadRow, FileUnreadable, FileVanished, NotText


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "names", "delimiter"),
    [
        (b"id,age\n1,2\n", ("id", "age"), ","),
        (b"id;age\r\n1;2\r\n", ("id", "age"), ";"),
        (b"id\tage\n", ("id", "age"), "\t"),
        (b"id|age", ("id", "age"), "|"),
        (b"id\n1\n", ("id",), ","),
        (b"\xef\xbb\xbfid,age\n", ("id", "age"), ","),
        (b'"patient id","age, in years"\n', ("patient id", "age, in years"), ","),
        (b'"a ""b""",2019\n', ('a "b"', "2019"), ","),
        ("naïve,größe\n".encode(), ("naïve", "größe"), ","),
    ],
)
def test_a_header_names_the_columns(
    tmp_path: Path, content: bytes, names: tuple[str, ...], delimiter: str
) -> None:
    assert read_header(written(tmp_path, content)) == (names, delimiter)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty"),
        (b"\n1,2\n", "the line is empty"),
        (b"1,2\n3,4\n", "no header: all names are numbers"),
        (b"id,age,id\n", "columns 1 and 3 are both named id"),
        (b"id,ID\n", "columns 1 and 2 are both named ID"),
        (b"id,,x\n", "column 2 has no printable name"),
        (b"id,x,\n", "column 3 has no printable name"),
        (b"id,a\x1b[2Jb\n", "column 2 has no printable name"),
        (b'id,"x\n1,2\n', "the quotes do not match"),
        (b"id,na\xefve\n", "not UTF-8"),
        (b",".join(b"c%d" % n for n in range(600)), "there are 600 columns"),
        (b"a" * (3 << 20), "the line is too long"),
    ],
)
def test_a_first_line_that_names_no_columns_is_refused(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    with pytest.raises(BadHeader, match=fault):
        read_header(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "fault", "remedy"),
    [
        (b"PAR1\x00\x15\x04", "is a Parquet file", ".parquet"),
        ("id,x\n".encode("utf-16"), "is UTF-16", "iconv -f utf-16 -t utf-8"),
        (b"\x1f\x8b\x08abc", "is a binary file", "unpack it"),
        (b"PK\x03\x04\x00\x00", "is a binary file", "export it as CSV"),
    ],
)
def test_a_file_that_is_no_text_is_named_for_what_it_is(
    tmp_path: Path, content: bytes, fault: str, remedy: str
) -> None:
    with pytest.raises(NotText, match=fault) as refused:
        read_header(written(tmp_path, content))

    assert remedy in refused.value.remedy


@pytest.mark.parametrize("text", ["编号,名\n1,2\n", "id,name\n1,李\n"])
def test_a_file_in_another_encoding_has_to_be_saved_as_utf8(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text.encode("gb18030"))

    with pytest.raises((BadHeader, BadRow), match="not UTF-8") as refused:
        read_header(path)
        raise find_fault(path, ("id", "name"), ",") or AssertionError

    assert "save it as UTF-8, as in: iconv -f gb18030 -t utf-8" in refused.value.remedy


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileVanished):
        read_header(tmp_path / "nowhere.csv")
    with pytest.raises(FileUnreadable):
        read_header(tmp_path)


@pytest.mark.parametrize(
    ("rows", "row", "column", "fault"),
    [
        (b"1,2\n3\n", 2, "age", "row 2 (line 3 of the file), column age: the row has 1 values for"),
        (b"1,2\n3,4,5\n", 2, "", "row 2 (line 3 of the file): the row has 3 values for 2 columns"),
        (
            b"1,2\n3,\xff\n",
            2,
            "age",
            "row 2 (line 3 of the file), column age: the text is not UTF-8",
        ),
        (b'1,"2\n3\n\n', 1, "", "row 1 (line 4 of the file): the quotes do not match"),
        (b'1,"a\nb"\n3\n', 2, "age", "row 2 (line 4 of the file), column age"),
        (b"1,2\n\n\n3\n", 2, "age", "row 2 (line 5 of the file), column age"),
        (b"1,2\r\n3,4\n", 1, "", "row 1 (line 2 of the file): the line ends otherwise"),
    ],
)
def test_the_first_bad_row_is_found(
    tmp_path: Path, rows: bytes, row: int, column: str, fault: str
) -> None:
    found = find_fault(written(tmp_path, b"id,age\n" + rows), ("id", "age"), ",")

    assert found is not None
    assert (found.row, found.column) == (row, column)
    assert fault in found.what


def test_a_fault_does_not_tell_the_value(tmp_path: Path) -> None:
    found = find_fault(written(tmp_path, b"id,age\nsecret\n"), ("id", "age"), ",")

    assert found is not None
    assert "secret" not in found.what


@pytest.mark.parametrize("rows", [b"", b"1,2\n3,4", b"1,2,\n", b'1,""\n', b'"1","a\n\nb"\n'])
def test_rows_as_rfc_4180_has_them_have_no_fault(tmp_path: Path, rows: bytes) -> None:
    assert find_fault(written(tmp_path, b"id,age\n" + rows), ("id", "age"), ",") is None


def test_the_line_of_a_row_counts_lines_within_quotes(tmp_path: Path) -> None:
    path = written(tmp_path, b'id,age\n1,"a\nb\nc"\n\n2,x\n')

    assert [find_line(path, 2, ",", row) for row in (1, 2, 3)] == [4, 6, None]
