"""Whether tables have changed is asked by many at once, and costs no more than it must."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from appliance.datasets import fingerprint
from appliance.datasets.errors import DatasetChanged
from appliance.datasets.source import FileStamp, Source
from appliance.datasets.unchanged import Unchanged
from tests.unit.dataset_doubles import csv_file, inspected


class SlowReads:
    """Stands before the reading of contents; counts how often, and how many at a time."""

    def __init__(self, read: Callable[[Source], tuple[FileStamp, ...]]) -> None:
        self.count = self.most = self._now = 0
        self._read = read
        self._lock = threading.Lock()

    def __call__(self, source: Source) -> tuple[FileStamp, ...]:
        with self._lock:
            self.count += 1
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.1)
        with self._lock:
            self._now -= 1
        return self._read(source)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> SlowReads:
    slow = SlowReads(fingerprint.require_unchanged)
    monkeypatch.setattr(fingerprint, "require_unchanged", slow)
    return slow


def ask(unchanged: Unchanged, sources: Iterable[Source]) -> set[object]:
    """Ask for all at once; return the kinds of what was raised, or None for what was not."""

    async def together() -> set[object]:
        asked = (unchanged.require(source) for source in sources)
        said = await asyncio.gather(*asked, return_exceptions=True)
        return {type(one) if isinstance(one, BaseException) else None for one in said}

    return asyncio.run(together())


def test_a_changed_table_is_read_once_for_all_who_ask(tmp_path: Path, reads: SlowReads) -> None:
    source = inspected(csv_file(tmp_path, "id\na\n"), "id").source
    unchanged = Unchanged(asyncio.Semaphore(2))
    path = csv_file(tmp_path, "id\nz\n")

    assert ask(unchanged, [source] * 20) == ask(unchanged, [source]) == {DatasetChanged}
    assert reads.count == 1

    path.touch()
    assert ask(unchanged, [source] * 20) == {DatasetChanged}
    assert reads.count == 2


def test_a_table_that_is_as_it_was_again_is_no_longer_refused(
    tmp_path: Path, reads: SlowReads
) -> None:
    source = inspected(csv_file(tmp_path, "id\na\n"), "id").source
    unchanged = Unchanged(asyncio.Semaphore(2))

    csv_file(tmp_path, "id\nz\n")
    assert ask(unchanged, [source]) == {DatasetChanged}
    csv_file(tmp_path, "id\na\n")
    assert ask(unchanged, [source]) == {None}


def test_no_more_tables_are_read_at_once_than_allowed(tmp_path: Path, reads: SlowReads) -> None:
    unchanged = Unchanged(asyncio.Semaphore(2))
    sources = []
    for number in range(5):
        path = csv_file(tmp_path, "id\na\n", f"{number}.csv")
        sources.append(inspected(path, "id").source)
        path.touch()

    assert ask(unchanged, sources) == {None}
    assert (reads.count, reads.most) == (5, 2)
