"""Where a dataset's rows come from: all that a worker needs in order to read them."""

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Self

from appliance.datasets.errors import FileOfTheNode, FileUnreadable, FileVanished
from services.service import Column


class Kind(Enum):
    """What ``location`` is: the path of a CSV or Parquet file, or a query."""

    CSV = "csv"
    PARQUET = "parquet"
    QUERY = "query"


# By how a file's name ends.
SUFFIXES: Final = {
    ".csv": Kind.CSV,
    ".tsv": Kind.CSV,
    ".txt": Kind.CSV,
    ".parquet": Kind.PARQUET,
    ".pq": Kind.PARQUET,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStamp:
    """A file as the kernel saw it. While the stamp is the same, so is the content.

    A program can set a file's modification time, but not its change time.
    """

    path: str
    size_bytes: int
    inode: int
    modified_nanoseconds: int
    changed_nanoseconds: int

    @classmethod
    def of(cls, path: str) -> Self:
        """Return the stamp of a plain file; FileVanished, FileUnreadable."""
        try:
            status = Path(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            raise FileVanished(Path(path)) from None
        except OSError as error:
            raise FileUnreadable(Path(path), error.strerror or str(error)) from error
        if not stat.S_ISREG(status.st_mode):
            raise FileUnreadable(Path(path), "not a plain file")
        return cls(
            path=path,
            size_bytes=status.st_size,
            inode=status.st_ino,
            modified_nanoseconds=status.st_mtime_ns,
            changed_nanoseconds=status.st_ctime_ns,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an operator asks to register.

    files:      those that the query names, or the one file.
    registered: the source as it was registered before, if the question is what changed since.
    """

    kind: Kind
    location: str
    files: tuple[str, ...]
    key: tuple[str, ...]
    normal_form: tuple[str, ...]
    registered: "Source | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A registered table, fixed: the columns and types are those found when it was registered.

    location:     a path, or the text of a query.
    files:        every file that is read, as it was when registered; a worker may read no others.
    columns:      a CSV file's key columns are always VARCHAR, so that "007" stays what it is.
    delimiter:    of a CSV file; else empty.
    content_hash: see :mod:`appliance.datasets.fingerprint`; hexadecimal.
    """

    kind: Kind
    location: str
    files: tuple[FileStamp, ...]
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    normal_form: tuple[str, ...]
    delimiter: str
    row_count: int
    content_hash: str

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files to which a reader needs access."""
        return tuple(Path(stamp.path) for stamp in self.files)

    @property
    def shown(self) -> str:
        """The path, or for a query a word for it."""
        return "the query" if self.kind is Kind.QUERY else self.location


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What reading a table through once has found. Row numbers count from 1; 0 means none.

    null_counts:         of each column.
    nan_counts:          of each column, how many values are not a number (NaN).
    null_key_count:      rows whose key is null, empty or has no normal form.
    duplicate_key_count: rows whose key an earlier row has already.
    fault:               the first fault of the keys as a sentence, empty if there is none.
    """

    null_counts: tuple[int, ...]
    null_key_count: int
    first_null_key_row: int
    duplicate_key_count: int
    first_duplicate_row: int
    fault: str
    nan_counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The outcome of an inspection."""

    source: Source
    figures: Figures


def require_outside(folder: Path, files: Iterable[str], *, but: Path) -> None:
    """Refuse files that lie within ``folder``, wherever links lead, except those in ``but``.

    Raises: FileOfTheNode.
    """
    for path in map(Path, files):
        real = path.resolve()
        if real.is_relative_to(folder.resolve()) and real.parent != but.resolve():
            raise FileOfTheNode(path)
