"""Tables that operators sent from afar: files of the node, kept as long as a dataset reads them.

A file is written under a name that no reader looks for, and gets its own once it is whole and on
disk. Names are the node's: of what was sent, only the dataset's name and a known suffix go in.
"""

import asyncio
import errno
import os
import secrets
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from appliance.datasets.errors import (
    DatasetNameInvalid,
    DatasetPathInvalid,
    UploadBroken,
    UploadFull,
    UploadTooLarge,
)
from appliance.datasets.publication import is_name
from appliance.datasets.source import SUFFIXES

FOLDER: Final = "tables"
# What no upload may take of the disk: the node's own facts need room.
RESERVE_BYTES: Final = 256 << 20
MOST_AT_ONCE: Final = 2
MOST_CHUNK_BYTES: Final = 1 << 20
SILENCE_SECONDS: Final = 60.0
# How long a file that nobody registered is kept.
UNUSED_SECONDS: Final = 3600.0
Part = TypeVar("Part")

_UNFINISHED: Final = ".part"
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What is to come: for which dataset, how the file's name ends, how long it is."""

    name: str
    suffix: str
    size_bytes: int


class Uploads:
    """The folder of tables that were sent, below the state folder."""

    def __init__(self, state: Path, *, most_bytes: int) -> None:
        self._folder = state / FOLDER
        self._most_bytes = most_bytes
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._reserving = asyncio.Lock()

    async def receive(self, announced: Announced, chunks: AsyncIterator[bytes]) -> Path:
        """Write what comes, and return where it lies, whole and on disk.

        Raises: DatasetNameInvalid, DatasetPathInvalid, UploadTooLarge, UploadFull, UploadBroken.
        """
        self._require_fit(announced)
        async with self._turns:
            try:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                return await self._write(announced, chunks)
            except OSError as error:
                if error.errno in _FULL:
                    raise UploadFull(self._folder, announced.size_bytes) from error
                raise UploadBroken(
                    f"the table cannot be written at the node: {error.strerror}",
                    remedy="look at the node's disk and log",
                ) from error

    def discard(self, paths: Iterable[str]) -> None:
        """Remove those of the files that lie here."""
        for path in map(Path, paths):
            if path.parent == self._folder:
                path.unlink(missing_ok=True)

    def discard_unused(self, used: Collection[str], before_seconds: float) -> None:
        """Remove the files that no dataset reads, and what was left unfinished.

        used: paths of the files that are read. before_seconds: since 1970; what was written later
            may still be registered.
        """
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if str(path) not in used and path.lstat().st_mtime < before_seconds:
                    path.unlink()

    def _require_fit(self, announced: Announced) -> None:
        if not is_name(announced.name):
            raise DatasetNameInvalid(announced.name)
        if announced.suffix not in SUFFIXES:
            raise DatasetPathInvalid(
                "the file's name does not say whether it is CSV or Parquet",
                remedy=f"let it end in one of {', '.join(SUFFIXES)}",
            )
        if not 0 < announced.size_bytes <= self._most_bytes:
            raise UploadTooLarge(announced.size_bytes, self._most_bytes)

    async def _write(self, announced: Announced, chunks: AsyncIterator[bytes]) -> Path:
        path = self._folder / f"{announced.name}-{secrets.token_hex(8)}{announced.suffix}"
        unfinished = path.with_name(f".{path.name}{_UNFINISHED}")
        try:
            with os.fdopen(os.open(unfinished, _NEW, 0o600), "wb") as file:
                async with self._reserving:
                    await asyncio.to_thread(_reserve, file.fileno(), announced.size_bytes)
                await _copy(announced.size_bytes, chunks, file)
                await asyncio.to_thread(os.fsync, file.fileno())
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
        await asyncio.to_thread(_sync_folder, self._folder)
        return path


async def next_of(parts: AsyncIterator[Part]) -> Part | None:
    """Return the next of what comes, None at the end. Raises: UploadBroken if nothing comes."""
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await anext(parts, None)
    except TimeoutError:
        raise UploadBroken("nothing more of the table came") from None


async def _copy(size_bytes: int, chunks: AsyncIterator[bytes], file: BinaryIO) -> None:
    """Write chunks until all is there. Raises: UploadBroken if less or more comes, or nothing."""
    left = size_bytes
    while True:
        chunk = await next_of(chunks)
        if chunk is None:
            break
        left -= len(chunk)
        if left < 0 or len(chunk) > MOST_CHUNK_BYTES:
            raise UploadBroken("more of the table came than was announced")
        await asyncio.to_thread(file.write, chunk)
    if left:
        raise UploadBroken(f"the table ended {left} bytes early")


def _reserve(descriptor: int, size_bytes: int) -> None:
    """Have the disk promise room for a file, beyond what others need. Raises: OSError."""
    state = os.fstatvfs(descriptor)
    if size_bytes > state.f_bavail * state.f_frsize - RESERVE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.posix_fallocate(descriptor, 0, size_bytes)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
