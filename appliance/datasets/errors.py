"""What can go wrong with a dataset. Rows are counted from 1; no text holds a value of the data."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from services.errors import ServiceError

REGISTER_AGAIN = 'register it again: "coffer datasets add --replace"'

NOT_UTF8 = "the text is not UTF-8"
SAVE_AS_UTF8 = "save it as UTF-8, as in: iconv -f gb18030 -t utf-8"


class DatasetError(ServiceError):
    """A dataset is not as it should be, or cannot be found, read or written."""


class DatasetNotFound(DatasetError):
    """No dataset has that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        owner, slash, rest = name.rpartition("/")
        near = get_close_matches(rest, known, n=1)
        hint = f"did you mean {owner}{slash}{near[0]}?" if near else ""
        super().__init__(
            f"there is no dataset {name}", remedy=hint or 'see "coffer datasets list --peers"'
        )


class DatasetExists(DatasetError):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is a dataset {name} already",
            remedy="take another name, or register it again with --replace",
        )


class DatasetNameInvalid(DatasetError):
    """A dataset's name has other characters than it may."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a dataset",
            remedy="a name is 1 to 64 letters, digits, dots, hyphens and underscores, and begins"
            " with a letter or digit",
        )


class DatasetPathInvalid(DatasetError):
    """It is not said clearly which file or query is meant."""


class NormalFormUnknown(DatasetError):
    """A normal form that nobody knows was asked for."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no normal form {name!r}",
            remedy=f"use one or more of {', '.join(known)}",
        )


class KeyUnsuitable(DatasetError):
    """The key's columns are missing, named twice, or of a type that has no text form."""


class FileVanished(DatasetError):
    """A file of the dataset is no longer there."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the file {path} is not there",
            remedy="put it back, or register the dataset again with another path",
        )


class FileUnreadable(DatasetError):
    """A file of the dataset cannot be read."""

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(
            f"the file {path} cannot be read ({cause})",
            remedy="check that it is a plain file, whole, and readable by the agent's user",
        )


class FileOfTheNode(DatasetError):
    """A file of the node's own was to be a dataset: its key, its database, a job's results."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the file {path} belongs to the node itself",
            remedy="a result becomes a dataset once it is copied: coffer jobs result JOB --copy-to",
        )


class UploadTooLarge(DatasetError):
    """A table that an operator sends is empty, or larger than this node takes."""

    def __init__(self, size_bytes: int, most_bytes: int) -> None:
        super().__init__(
            f"the file has {size_bytes:,} bytes, and this node takes 1 to {most_bytes:,}",
            remedy="send a Parquet file, which is smaller, or raise most_upload_bytes at the node",
        )


class UploadFull(DatasetError):
    """The node's disk has no room for a table."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        super().__init__(
            f"the disk of the node that holds {folder} has no room for {size_bytes:,} bytes",
            remedy="remove datasets that were sent and are not needed any more",
        )


class UploadBroken(DatasetError):
    """A table did not come as it was announced."""

    def __init__(self, what: str, *, remedy: str = "send it again") -> None:
        super().__init__(what, remedy=remedy)


class DatasetChanged(DatasetError):
    """The dataset's content is not what was registered."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(f"{path} has changed since it was registered", remedy=REGISTER_AGAIN)
        self.path = path


class SchemaChanged(DatasetError):
    """The dataset's columns or their types are not what was registered."""

    def __init__(self, where: str, difference: str) -> None:
        super().__init__(
            f"the columns of {where} are not those registered: {difference}", remedy=REGISTER_AGAIN
        )


class BadHeader(DatasetError):
    """The first line of a CSV file does not name its columns."""

    def __init__(self, path: Path, fault: str, remedy: str = "") -> None:
        super().__init__(
            f"{path}, line 1: {fault}",
            remedy=remedy or "the first line of a CSV file must give each column a name of its own",
        )


class NotText(DatasetError):
    """A file whose name says that it is CSV is not text, or not in UTF-8."""

    def __init__(self, path: Path, what: str, remedy: str) -> None:
        super().__init__(f"{path} {what}", remedy=remedy)


class BadRow(DatasetError):
    """A row cannot be read. ``row`` is the number of the data row, ``column`` a name or empty."""

    def __init__(self, path: Path, row: int, line: int | None, column: str, fault: str) -> None:
        place = f", column {column}" if column else ""
        mend = SAVE_AS_UTF8 if fault == NOT_UTF8 else "mend the row"
        super().__init__(
            f"{path}, row {row}{_line(line)}{place}: {fault}",
            remedy=f"{mend}, then {REGISTER_AGAIN}",
        )
        self.row = row
        self.column = column


class BadTable(DatasetError):
    """A file is not the table that its name promises, and no single row is to blame."""

    def __init__(self, where: Path | str, fault: str) -> None:
        super().__init__(f"{where}: {fault}", remedy="mend the file and register it again")


class BadKey(DatasetError):
    """A key column has a null, an empty key, or one without a normal form."""

    def __init__(self, where: str, row: int, line: int | None, column: str, fault: str) -> None:
        super().__init__(
            f"{where}, row {row}{_line(line)}, column {column}: {fault}",
            remedy=f"mend or leave out the row, then {REGISTER_AGAIN}",
        )
        self.row = row
        self.column = column


class BadValue(DatasetError):
    """A value is not such as a computation can take. ``row`` is the number of the data row."""

    def __init__(self, where: str, row: int, column: str, fault: str) -> None:
        super().__init__(
            f"{where}, row {row}, column {column}: {fault}",
            remedy=f"mend the value, or let a query leave it out or make it null; {REGISTER_AGAIN}",
        )
        self.row = row
        self.column = column


class DigitsShort(BadValue):
    """A value has more digits than a computation counts with, or is too large for them."""

    def __init__(self, where: str, row: int, column: str, fault: str) -> None:
        super().__init__(where, row, column, fault)
        self.remedy = (
            "have the job proposed with more digits if the value is too fine, with fewer if it is"
            " too large; or round the column by a query"
        )


class NumbersUnsuitable(DatasetError):
    """A column that a computation adds up does not hold numbers."""

    def __init__(self, column: str, kind: str) -> None:
        super().__init__(
            f"column {column} is of type {kind}, which is not one of numbers",
            remedy="name a column of numbers, or convert it with a query",
        )


class PayloadUnsuitable(DatasetError):
    """Columns that others may be given are not there, or their values have no text form."""

    def __init__(self, fault: str, remedy: str = "") -> None:
        super().__init__(
            fault, remedy=remedy or "name columns of the dataset, of plain types, each once"
        )


class PublicationUnfit(DatasetError):
    """A dataset has more rows than the bound that a peer is told, or the bound is no number."""

    def __init__(self, name: str, row_count: int, bound: int) -> None:
        super().__init__(
            f"{name} has {row_count} rows, so they cannot be told as up to {bound}",
            remedy="publish it with a bound that is no less, or without one",
        )


class DuplicateKey(DatasetError):
    """Two rows have the same key, once in normal form."""

    def __init__(self, where: str, first: int, row: int, line: int | None, key: str) -> None:
        super().__init__(
            f"{where}, row {row}{_line(line)}, column {key}: the key is the same as that of row"
            f" {first}",
            remedy=f"leave one of the rows out, then {REGISTER_AGAIN}",
        )
        self.first = first
        self.row = row
        self.column = key


class KeysUnfit(DatasetError):
    """A dataset with rows that have no key was to be published; no computation could use it."""

    def __init__(self, name: str, nulls: int, fault: str) -> None:
        super().__init__(
            f"the key of {name} is null or unfit in {nulls} rows"
            + (f"; first: {fault}" if fault else ""),
            remedy=f"mend the table, then {REGISTER_AGAIN}",
        )


class QueryRefused(DatasetError):
    """A query is not one SELECT over named files, or gives other rows each time."""

    def __init__(self, fault: str, remedy: str = "") -> None:
        super().__init__(
            fault,
            remedy=remedy
            or "write one SELECT over files with absolute paths, such as"
            " SELECT * FROM '/data/patients.parquet'",
        )


class TypeUnsupported(DatasetError):
    """A column's type cannot be kept in a result."""

    def __init__(self, column: str, kind: str) -> None:
        super().__init__(
            f"column {column} is of type {kind}, which results cannot hold",
            remedy="leave the column out or convert it, with a query",
        )


class SchemaTooWide(DatasetError):
    """A dataset's columns are more than a contract can name."""

    def __init__(self, size_bytes: int, most_bytes: int) -> None:
        super().__init__(
            f"the columns' names and types take {size_bytes} bytes, at most {most_bytes} can be"
            " named in a contract",
            remedy="register fewer columns, with a query",
        )


class MemoryShort(DatasetError):
    """The table needs more memory and spill space than the node grants."""

    def __init__(self) -> None:
        super().__init__(
            "the table needs more memory and temporary disk space than is granted",
            remedy="free disk space below the state folder, or raise the memory limit",
        )


class DiskFull(DatasetError):
    """The disk filled up while rows were written; no partial file was left."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"the disk that holds {folder} is full", remedy="free space there, then try again"
        )


def remedy_at_first(error: DatasetError) -> str:
    """Return the remedy for whoever registers a table for the first time."""
    if isinstance(error, FileVanished):
        return "see whether the path is spelt right; the file must lie on the agent's machine"
    again = error.remedy.replace(REGISTER_AGAIN, "add it again")
    return again.replace("register it again", "add it again")


def revive(name: str, what: str, remedy: str) -> DatasetError:
    """Return the error that another process raised, given the name of its class and its texts."""
    kind = next((kind for kind in _kinds(DatasetError) if kind.__name__ == name), DatasetError)
    error = kind.__new__(kind)
    ServiceError.__init__(error, what, remedy=remedy)
    return error


def _kinds(kind: type[DatasetError]) -> Iterator[type[DatasetError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)


def _line(line: int | None) -> str:
    return "" if line is None else f" (line {line} of the file)"
