"""Tables that come from afar: what is taken, where it lies, and what is left when it fails."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.datasets import uploads as module
from appliance.datasets.errors import (
    DatasetNameInvalid,
    DatasetPathInvalid,
    FileOfTheNode,
    UploadBroken,
    UploadFull,
    UploadTooLarge,
)
from appliance.datasets.source import require_outside
from appliance.datasets.uploads import FOLDER, Announced, Uploads

CONTENT = b"id,age\na,1\n"


async def parts(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def announce(
    name: str = "patients", suffix: str = ".csv", size_bytes: int = len(CONTENT)
) -> Announced:
    return Announced(name=name, suffix=suffix, size_bytes=size_bytes)


def receive(state: Path, announced: Announced, *chunks: bytes, most_bytes: int = 1 << 20) -> Path:
    uploads = Uploads(state, most_bytes=most_bytes)
    return asyncio.run(uploads.receive(announced, parts(*chunks)))


def left_in(state: Path) -> list[str]:
    folder = state / FOLDER
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_table_lies_whole_in_the_nodes_folder_for_the_node_alone(tmp_path: Path) -> None:
    path = receive(tmp_path, announce(), CONTENT[:4], CONTENT[4:])

    assert path.parent == tmp_path / FOLDER
    assert path.name.startswith("patients-") and path.suffix == ".csv"
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert left_in(tmp_path) == [path.name]


def test_a_second_table_of_the_same_name_does_not_touch_the_first(tmp_path: Path) -> None:
    first = receive(tmp_path, announce(), CONTENT)
    second = receive(tmp_path, announce(), CONTENT.replace(b"1", b"2"))

    assert first != second
    assert first.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\0b", ".hidden", "x" * 65, "a b"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetNameInvalid):
        receive(tmp_path, announce(name=name), CONTENT)

    assert left_in(tmp_path) == []


@pytest.mark.parametrize("suffix", ["", "csv", ".exe", ".csv/../../x", "/../x.csv", ".csv\0"])
def test_a_suffix_that_is_none_of_a_table_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DatasetPathInvalid):
        receive(tmp_path, announce(suffix=suffix), CONTENT)

    assert left_in(tmp_path) == []


@pytest.mark.parametrize("size_bytes", [0, 101, 1 << 63])
def test_a_table_that_is_empty_or_too_large_is_refused_before_it_comes(
    tmp_path: Path, size_bytes: int
) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("asked for the content")
        yield b""

    uploads = Uploads(tmp_path, most_bytes=100)
    with pytest.raises(UploadTooLarge):
        asyncio.run(uploads.receive(announce(size_bytes=size_bytes), never()))


@pytest.mark.parametrize(
    "chunks", [(), (CONTENT[:-1],), (CONTENT, b"x"), (CONTENT + b"x",), (b"x" * ((1 << 20) + 1),)]
)
def test_less_or_more_than_was_announced_leaves_nothing(
    tmp_path: Path, chunks: tuple[bytes, ...]
) -> None:
    with pytest.raises(UploadBroken):
        receive(tmp_path, announce(), *chunks)

    assert left_in(tmp_path) == []


def test_who_sends_nothing_more_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.1)

    async def silent() -> AsyncIterator[bytes]:
        yield CONTENT[:3]
        await asyncio.sleep(60)

    with pytest.raises(UploadBroken, match="nothing more"):
        asyncio.run(Uploads(tmp_path, most_bytes=100).receive(announce(), silent()))

    assert left_in(tmp_path) == []


def test_a_sender_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async def silent() -> AsyncIterator[bytes]:
            yield CONTENT[:3]
            await asyncio.sleep(60)

        uploads = Uploads(tmp_path, most_bytes=100)
        task = asyncio.create_task(uploads.receive(announce(), silent()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert left_in(tmp_path) == []


def test_the_nodes_own_room_on_the_disk_is_never_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = os.statvfs(tmp_path)
    monkeypatch.setattr(module, "RESERVE_BYTES", state.f_bavail * state.f_frsize + (1 << 40))

    with pytest.raises(UploadFull, match="no room"):
        receive(tmp_path, announce(), CONTENT)

    assert left_in(tmp_path) == []


def test_a_disk_that_cannot_hold_it_says_so_at_once(tmp_path: Path) -> None:
    with pytest.raises(UploadFull, match="no room"):
        receive(tmp_path, announce(size_bytes=1 << 60), CONTENT, most_bytes=1 << 62)

    assert left_in(tmp_path) == []


def test_what_no_dataset_reads_goes_and_what_one_reads_stays(tmp_path: Path) -> None:
    used, unused = (receive(tmp_path, announce(), CONTENT) for _ in range(2))
    (tmp_path / FOLDER / ".x.csv.part").write_bytes(b"half")
    uploads = Uploads(tmp_path, most_bytes=100)

    uploads.discard_unused({str(used)}, before_seconds=0)
    assert len(left_in(tmp_path)) == 3
    uploads.discard_unused({str(used)}, before_seconds=unused.stat().st_mtime + 60)

    assert left_in(tmp_path) == [used.name]


def test_only_what_lies_in_the_folder_is_discarded(tmp_path: Path) -> None:
    own = receive(tmp_path, announce(), CONTENT)
    other = tmp_path / "other.csv"
    other.write_bytes(CONTENT)

    Uploads(tmp_path, most_bytes=100).discard([str(own), str(other)])

    assert other.exists() and left_in(tmp_path) == []


def test_of_the_nodes_own_files_these_alone_may_be_datasets(tmp_path: Path) -> None:
    own = receive(tmp_path, announce(), CONTENT)
    folder = tmp_path / FOLDER
    key = tmp_path / "identity.csv"
    key.write_text("secret")
    (folder / "link.csv").symlink_to(key)

    require_outside(tmp_path, [str(own)], but=folder)

    for path in (key, folder / "link.csv", folder / ".." / "identity.csv"):
        with pytest.raises(FileOfTheNode):
            require_outside(tmp_path, [str(path)], but=folder)
