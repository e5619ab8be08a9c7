import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from appliance.store.before import keep_before
from appliance.store.database import FILE_NAME, Store
from appliance.store.errors import (
    FolderInUse,
    FolderUnsafe,
    FolderUnusable,
    StoreDamaged,
    StoreForeign,
    StoreFull,
    StoreNewer,
)
from appliance.store.lock import FolderLock
from appliance.store.migrate import known_revisions

HEADS = known_revisions()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "state")
    asyncio.run(store.run(make_facts))
    yield store
    store.close()


def make_facts(session: Session) -> None:
    session.execute(text("CREATE TABLE facts (number INTEGER PRIMARY KEY, padding BLOB)"))


def add_fact(session: Session, number: int, padding: int = 0) -> None:
    session.execute(
        text("INSERT INTO facts VALUES (:n, zeroblob(:p))"), {"n": number, "p": padding}
    )


def numbers(session: Session) -> list[int]:
    return [number for (number,) in session.execute(text("SELECT number FROM facts ORDER BY 1"))]


def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    first = Store.open(tmp_path)
    asyncio.run(first.run(make_facts))
    asyncio.run(first.run(lambda session: add_fact(session, 1)))
    first.close()

    second = Store.open(tmp_path)

    assert asyncio.run(second.run(numbers)) == [1]
    second.close()


def test_work_that_raises_is_undone_whole(store: Store) -> None:
    def work(session: Session) -> None:
        add_fact(session, 1)
        raise KeyError("second thoughts")

    with pytest.raises(KeyError, match="second thoughts"):
        asyncio.run(store.run(work))

    assert asyncio.run(store.run(numbers)) == []


def test_pieces_of_work_never_meet(store: Store) -> None:
    at_once: list[int] = []
    most = 0

    def work(session: Session) -> None:
        nonlocal most
        at_once.append(1)
        add_fact(session, len(numbers(session)))
        most = max(most, len(at_once))
        at_once.pop()

    async def run() -> None:
        await asyncio.gather(*(store.run(work) for _ in range(50)))

    asyncio.run(run())

    assert most == 1
    assert asyncio.run(store.run(numbers)) == list(range(50))


def test_work_in_progress_is_committed_although_its_caller_is_cancelled(store: Store) -> None:
    async def run() -> None:
        began = asyncio.Event()
        loop = asyncio.get_running_loop()

        def work(session: Session) -> None:
            loop.call_soon_threadsafe(began.set)
            add_fact(session, 7)

        waiting = asyncio.create_task(store.run(work))
        await began.wait()
        waiting.cancel()

    asyncio.run(run())

    assert asyncio.run(store.run(numbers)) == [7]


def test_a_full_database_is_a_clear_error_and_loses_nothing(store: Store) -> None:
    asyncio.run(store.run(lambda session: add_fact(session, 1)))
    asyncio.run(store.run(lambda session: session.execute(text("PRAGMA max_page_count = 1"))))

    with pytest.raises(StoreFull, match="is full; the change was not made"):
        asyncio.run(store.run(lambda session: add_fact(session, 2, padding=1 << 22)))

    assert asyncio.run(store.run(numbers)) == [1]


def test_a_file_that_may_not_grow_is_a_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    script = f"""
import asyncio, resource
from pathlib import Path
from appliance.store.database import Store
from appliance.store.errors import StoreUnwritable
from tests.unit.test_store import add_fact, make_facts
store = Store.open(Path({str(tmp_path)!r}))
asyncio.run(store.run(make_facts))
asyncio.run(store.run(lambda session: add_fact(session, 1)))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    asyncio.run(store.run(lambda session: add_fact(session, 2, padding=1 << 22)))
except StoreUnwritable as error:
    print(error.what)
asyncio.run(store.run(lambda session: add_fact(session, 3)))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    store = Store.open(tmp_path)
    assert "cannot be written" in ran.stdout
    assert asyncio.run(store.run(numbers)) == [1, 3]
    store.close()


def test_every_acknowledged_fact_survives_kill_9(tmp_path: Path) -> None:
    script = f"""
import asyncio
from pathlib import Path
from appliance.store.database import Store
from tests.unit.test_store import add_fact, make_facts
store = Store.open(Path({str(tmp_path)!r}))
asyncio.run(store.run(make_facts))
async def run():
    number = 0
    while True:
        await store.run(lambda session: add_fact(session, number, padding=5000))
        print(number, flush=True)
        number += 1
asyncio.run(run())
"""
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(40)]
    writer.kill()
    acknowledged += map(int, writer.communicate()[0].split())

    store = Store.open(tmp_path)
    kept = asyncio.run(store.run(numbers))
    assert kept[: len(acknowledged)] == acknowledged
    assert len(kept) - len(acknowledged) <= 1
    store.close()


def test_rows_that_others_refer_to_cannot_be_removed(store: Store) -> None:
    def make(session: Session) -> None:
        session.execute(text("CREATE TABLE notes (fact INTEGER REFERENCES facts (number))"))

    asyncio.run(store.run(make))

    with pytest.raises(IntegrityError):
        asyncio.run(store.run(lambda s: s.execute(text("INSERT INTO notes VALUES (9)"))))


def test_only_its_owner_may_read_the_database(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    Store.open(folder).close()

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(StoreNewer, match="newer version of coffer \\(revision 9999\\)"):
        Store.open(tmp_path)


def revised(path: Path, revision: str) -> None:
    """Have a database say that it is of another revision, and hold a table that says which."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.execute(f"CREATE TABLE made_at_{revision} (name TEXT)")
    connection.close()


def tables_of(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    return {row[0] for row in rows if row[0].startswith("made_at_")}


def test_before_a_migration_the_database_is_kept_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(tmp_path).close()
    monkeypatch.setattr("appliance.store.database.known_revisions", lambda: (*HEADS, "later"))
    revised(tmp_path / FILE_NAME, HEADS[-1])

    Store.open(tmp_path).close()

    before = tmp_path / f"{FILE_NAME}.before"
    assert tables_of(before) == {f"made_at_{HEADS[-1]}"}
    assert before.stat().st_mode & 0o777 == 0o600


def newer_with_copy(folder: Path) -> Path:
    """Leave what a newer version does that migrated the database: a copy of it as it was."""
    Store.open(folder).close()
    path = folder / FILE_NAME
    revised(path, HEADS[-1])
    keep_before(path)
    revised(path, "9999")
    return path


def test_a_node_whose_update_fell_back_goes_back_to_the_copy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = newer_with_copy(tmp_path)

    Store.open(tmp_path, may_go_back=True).close()

    assert "the database of revision 9999 is set aside" in caplog.text
    assert tables_of(path) == {f"made_at_{HEADS[-1]}"}
    assert "made_at_9999" in tables_of(tmp_path / f"{FILE_NAME}.newer")


@pytest.mark.parametrize("spoil", ["no copy", "copy of another revision", "nobody fell back"])
def test_else_a_newer_database_is_refused_and_left_alone(tmp_path: Path, spoil: str) -> None:
    path = newer_with_copy(tmp_path)
    before = tmp_path / f"{FILE_NAME}.before"
    if spoil == "no copy":
        before.unlink()
    if spoil == "copy of another revision":
        revised(before, "9998")

    with pytest.raises(StoreNewer):
        Store.open(tmp_path, may_go_back=spoil != "nobody fell back")
    assert "made_at_9999" in tables_of(path)


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()

    with pytest.raises(StoreForeign):
        Store.open(tmp_path)

    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("recipes",)]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"patients, or so it seems\n" * 400)

    with pytest.raises(StoreDamaged, match="damaged or not a database"):
        Store.open(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FolderUnusable):
        Store.open(tmp_path / "file" / "state")
    with pytest.raises(FolderUnusable):
        FolderLock.take(tmp_path / "file" / "state")


def test_a_folder_in_use_is_refused_with_the_process_that_uses_it(tmp_path: Path) -> None:
    with (
        FolderLock.take(tmp_path),
        pytest.raises(FolderInUse, match=f"already in use by the process {os.getpid()}"),
    ):
        FolderLock.take(tmp_path)


def test_a_folder_that_was_given_up_can_be_taken(tmp_path: Path) -> None:
    FolderLock.take(tmp_path).release()

    with FolderLock.take(tmp_path):
        pass


def test_a_killed_agent_gives_its_folder_up(tmp_path: Path) -> None:
    script = f"""
import time
from pathlib import Path
from appliance.store.lock import FolderLock
lock = FolderLock.take(Path({str(tmp_path)!r}))
print("taken", flush=True)
time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(FolderInUse, match=str(holder.pid)):
        FolderLock.take(tmp_path)

    holder.send_signal(signal.SIGKILL)
    holder.communicate()

    with FolderLock.take(tmp_path):
        pass


def test_memory_follows_the_disk_even_if_the_caller_hangs_up(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    heard: list[str] = []

    def work(session: Session) -> str:
        begun.set()
        go_on.wait()
        return "committed"

    async def run() -> None:
        store = Store.open(tmp_path)
        caller = asyncio.create_task(store.run(work, then=heard.append))
        await asyncio.to_thread(begun.wait)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        go_on.set()
        await store.run(lambda session: None)
        store.close()

    asyncio.run(run())

    assert heard == ["committed"]


@pytest.mark.parametrize("name", ["", "coffer.toml", "coffer.db"])
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_state_that_others_may_write_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    (tmp_path / "coffer.toml").touch(0o644)
    (tmp_path / "coffer.db").touch(0o600)
    (tmp_path / name).chmod(mode)

    with pytest.raises(FolderUnsafe, match="may be written by other users") as raised:
        FolderLock.take(tmp_path)
    assert "chmod go-w" in raised.value.remedy
