"""The node's database: one SQLite file, one thread, one transaction for each piece of work."""

import asyncio
import errno
import logging
import os
import sqlite3
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import StaticPool

from appliance.store.before import go_back, keep_before, read_revision
from appliance.store.errors import (
    FolderUnusable,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreUnwritable,
)
from appliance.store.migrate import known_revisions, migrate

log = logging.getLogger(__name__)

FILE_NAME: Final = "coffer.db"
BUSY_SECONDS: Final = 10.0
_ROOM_BYTES: Final = 1 << 20

T = TypeVar("T")


class Store:
    """The node's facts on disk. What :meth:`run` has returned survives a crash and a power cut.

    All work is done in one thread of its own, one piece after the other, so that no two pieces
    ever meet and the event loop never waits for the disk.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self._path = path
        self._engine = engine
        # Rows stay readable after the commit, in the thread that asked.
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    @classmethod
    def open(cls, folder: Path, *, may_go_back: bool = False) -> Self:
        """Open the database of a state folder, made or migrated to this version if need be.

        Before it is migrated it is copied. may_go_back: to such a copy, if the database is newer.
        Raises: StoreNewer, StoreForeign, StoreDamaged, StoreFull, StoreUnwritable, FolderUnusable.
        """
        path = folder / FILE_NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)
        except OSError as error:
            raise FolderUnusable(folder, error.strerror or str(error)) from error
        _settle_revision(path, may_go_back=may_go_back)
        store = cls(path, _engine(path))
        try:
            with store._engine.begin() as connection:
                migrate(connection, path)
        except DBAPIError as error:
            store.close()
            raise (store._trouble(error) or error) from error
        except StoreError:
            store.close()
            raise
        return store

    async def run(
        self, work: Callable[[Session], T], *, then: Callable[[T], None] | None = None
    ) -> T:
        """Do ``work`` in one transaction: on disk when this returns, undone whole if it raises.

        Work that has begun is done to the end, even if the caller is cancelled meanwhile; so is
        ``then``, which hears in the event loop what was committed: memory must follow the disk.
        Raises: StoreFull and other StoreErrors; whatever ``work`` raises.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.run_in_executor(self._thread, self._work, work)
        if then is None:
            return await done
        done.add_done_callback(partial(_tell, then))
        return await asyncio.shield(done)

    async def require_room(self) -> None:
        """Return if the disk still takes what a few changes need.

        Raises: StoreFull, StoreUnwritable.
        """
        await asyncio.to_thread(self._write_trial)

    def _write_trial(self) -> None:
        try:
            with tempfile.TemporaryFile(dir=self._path.parent) as file:
                os.posix_fallocate(file.fileno(), 0, _ROOM_BYTES)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise StoreFull(self._path) from error
            raise StoreUnwritable(self._path, error.strerror or str(error)) from error

    def close(self) -> None:
        """Finish the work that was asked for and close the file."""
        self._thread.shutdown(wait=True)
        self._engine.dispose()

    def _work(self, work: Callable[[Session], T]) -> T:
        try:
            with self._sessions.begin() as session:
                return work(session)
        except DBAPIError as error:
            trouble = self._trouble(error)
            if trouble is None:
                raise
            raise trouble from error

    def _trouble(self, error: DBAPIError) -> StoreError | None:
        """Return what a failure of the file means; None for one that the work itself caused."""
        code = getattr(error.orig, "sqlite_errorcode", None)
        cause = str(error.orig)
        match None if code is None else code & 0xFF:
            case sqlite3.SQLITE_FULL:
                return StoreFull(self._path)
            case (
                sqlite3.SQLITE_IOERR
                | sqlite3.SQLITE_READONLY
                | sqlite3.SQLITE_CANTOPEN
                | sqlite3.SQLITE_PERM
                | sqlite3.SQLITE_BUSY
            ):
                return StoreUnwritable(self._path, cause)
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                return StoreDamaged(self._path, cause)
            case _:
                return None


def _tell(then: Callable[[T], None], done: "asyncio.Future[T]") -> None:
    if not done.cancelled() and done.exception() is None:
        then(done.result())


def _settle_revision(path: Path, *, may_go_back: bool) -> None:
    """Keep what a migration is about to change, or go back to what another version kept."""
    present, known = read_revision(path), known_revisions()
    try:
        if present in known[:-1]:
            keep_before(path)
            log.info(
                "the database of revision %s is copied, to be brought to %s", present, known[-1]
            )
        elif present is not None and present not in known and may_go_back and go_back(path, known):
            log.warning("the database of revision %s is set aside for the copy before it", present)
    except sqlite3.Error as error:
        raise StoreUnwritable(path, str(error)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(path) from error
        raise StoreUnwritable(path, error.strerror or str(error)) from error


def _engine(path: Path) -> Engine:
    """Return an engine with one connection, which only one thread at a time may use."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, record: object) -> None:
    # The driver must not begin transactions by itself: it would begin them deferred.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
