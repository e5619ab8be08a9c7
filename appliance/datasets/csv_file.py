"""CSV files as we take them: UTF-8, a header line, quotes as in RFC 4180; and what is wrong in one.

DuckDB reads the rows. This reads the header, and looks for the culprit once DuckDB has refused.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from appliance.datasets.errors import (
    NOT_UTF8,
    SAVE_AS_UTF8,
    BadHeader,
    BadRow,
    FileUnreadable,
    FileVanished,
    NotText,
)

DELIMITERS: Final = ",;\t|"
MOST_LINE_CHARACTERS: Final = 2 << 20
MOST_COLUMNS: Final = 512
MOST_NAME_CHARACTERS: Final = 128
_FIRST_BYTES: Final = 4096


def read_header(path: Path, delimiter: str = "") -> tuple[tuple[str, ...], str]:
    """Return the columns' names and the delimiter: that given, or the likeliest.

    Raises: BadHeader, FileVanished, FileUnreadable.
    """
    with _opened(path) as file:
        line = file.readline(MOST_LINE_CHARACTERS)
        while line.count('"') % 2 and len(line) < MOST_LINE_CHARACTERS:
            more = file.readline(MOST_LINE_CHARACTERS)
            if not more:
                break
            line += more
    _require_text(path)
    if not line.strip():
        raise BadHeader(path, "the file is empty" if not line else "the line is empty")
    if any("\udc80" <= character <= "\udcff" for character in line):
        raise BadHeader(path, NOT_UTF8, SAVE_AS_UTF8)
    if len(line) >= MOST_LINE_CHARACTERS:
        raise BadHeader(path, "the line is too long")
    delimiter = delimiter or max(DELIMITERS, key=line.count)
    try:
        [names] = csv.reader([line], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        raise BadHeader(path, "the quotes do not match") from None
    fault = find_name_fault(names)
    if not fault and all(map(_is_number, names)):
        fault = "the file has no header: all names are numbers"
    if fault:
        raise BadHeader(path, fault)
    return tuple(names), delimiter


def _require_text(path: Path) -> None:
    """Refuse a file that is something else than text, by its first bytes."""
    with path.open("rb") as file:
        first = file.read(_FIRST_BYTES)
    if first.startswith(b"PAR1"):
        raise NotText(path, "is a Parquet file, not CSV", "let its name end in .parquet")
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NotText(path, "is UTF-16", "save it as UTF-8, as in: iconv -f utf-16 -t utf-8")
    if b"\0" in first or first.startswith(b"\x1f\x8b"):
        raise NotText(
            path, "is a binary file, not CSV", "unpack it, or export it as CSV or Parquet"
        )


def find_name_fault(names: Sequence[str]) -> str:
    """Say what is wrong unless each column has a name that no other has, whatever the case."""
    if len(names) > MOST_COLUMNS:
        return f"there are {len(names)} columns; at most {MOST_COLUMNS} are read"
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not name.strip() or not name.isprintable() or len(name) > MOST_NAME_CHARACTERS:
            return (
                f"column {number} has no printable name of at most {MOST_NAME_CHARACTERS}"
                " characters"
            )
        first = seen.setdefault(name.lower(), number)
        if first != number:
            return f"columns {first} and {number} are both named {name}"
    return ""


def find_fault(path: Path, columns: Sequence[str], delimiter: str) -> BadRow | None:
    """Return the first row that is not text in UTF-8 with a value for each column."""
    for number, line, row in _rows(path, delimiter):
        if isinstance(row, str):
            return BadRow(path, number, line, "", row)
        broken = [n for n, text in enumerate(row) if any("\udc80" <= c <= "\udcff" for c in text)]
        if broken:
            column = columns[broken[0]] if broken[0] < len(columns) else ""
            return BadRow(path, number, line, column, NOT_UTF8)
        if len(row) == len(columns) or (len(row) == len(columns) + 1 and not row[-1]):
            continue
        missing = columns[len(row)] if len(row) < len(columns) else ""
        fault = f"the row has {len(row)} values for {len(columns)} columns"
        return BadRow(path, number, line, missing, fault)
    return None


def find_line(path: Path, columns: int, delimiter: str, row: int) -> int | None:
    """Return the number of the line on which a data row ends; None if the file has no such row."""
    for number, line, _ in _rows(path, delimiter, skip_blank=columns > 1):
        if number == row:
            return line
    return None


def _rows(
    path: Path, delimiter: str, *, skip_blank: bool = True
) -> Iterator[tuple[int, int, list[str] | str]]:
    """Yield each data row's number, the line it ends on, and its values or what is wrong."""
    csv.field_size_limit(MOST_LINE_CHARACTERS)
    number = -1  # the header is row 0
    with _opened(path) as file:
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            try:
                row = next(reader, None)
            except csv.Error:
                fault = "the line is too long" if lines.is_long else "the quotes do not match"
                yield number + 1, lines.number, fault
                return
            if row is None:
                return
            if number >= 0 and not row and skip_blank:
                continue
            number += 1
            if lines.ending and lines.ending != lines.first_ending:
                yield number, lines.number, "the line ends otherwise than the first line"
                return
            if number > 0:
                yield number, lines.number, row


class _Lines:
    """The lines of a file, and how the last of them ended."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.number = 0
        self.is_long = False
        self.ending = ""
        self.first_ending = ""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(MOST_LINE_CHARACTERS)
        if not line:
            raise StopIteration
        self.number += 1
        self.is_long = len(line) == MOST_LINE_CHARACTERS
        if self.is_long:
            raise csv.Error
        self.ending = line[len(line.rstrip("\r\n")) :]
        self.first_ending = self.first_ending or self.ending
        return line


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise FileVanished(path) from None
    except OSError as error:
        raise FileUnreadable(path, error.strerror or str(error)) from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
