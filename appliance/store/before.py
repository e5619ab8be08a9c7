"""The database as it was before a migration, for the version before, should it run again.

What was acknowledged since the migration is set aside with the newer database, not lost; but the
version before cannot read it. So a copy is gone back to only by a node whose update did not come
through its health check, minutes after the migration.
"""

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

BEFORE: Final = ".before"
NEWER: Final = ".newer"


def read_revision(path: Path) -> str | None:
    """Return the revision of a database, None if it has none or is no database."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])
    return None


def keep_before(path: Path) -> None:
    """Copy a database beside it, whole and durably, in place of an older copy.

    Raises: OSError, sqlite3.Error.
    """
    unfinished = path.with_name(path.name + BEFORE + ".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as copy:
        source.backup(copy)
        # A file by itself: no log beside it that would have to be moved with it.
        copy.execute("PRAGMA journal_mode = DELETE")
    _sync(unfinished)
    unfinished.replace(path.with_name(path.name + BEFORE))
    _sync(path.parent)


def go_back(path: Path, known: Collection[str]) -> bool:
    """Put the copy in the database's place if it is of a known revision; tell whether it was.

    The newer one stays beside it. A power cut leaves the one or the other in place, whole.
    Raises: OSError, sqlite3.Error.
    """
    before = path.with_name(path.name + BEFORE)
    if read_revision(before) not in known:
        return False
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    newer = path.with_name(path.name + NEWER)
    newer.unlink(missing_ok=True)
    os.link(path, newer)
    before.replace(path)
    _sync(path.parent)
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
