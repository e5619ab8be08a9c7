"""A job's files: results in ``staging`` until every party has succeeded, then in ``results``.

In ``scratch`` lies what its worker keeps, across attempts, until the job has ended here; in
``repeat`` what comes of a run that is only for a peer's sake.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

STAGING: Final = "staging"
RESULTS: Final = "results"
SCRATCH: Final = "scratch"
REPEAT: Final = "repeat"
_CHUNK_BYTES: Final = 256 << 10
_PASSING: Final = (STAGING, SCRATCH, REPEAT)


class ResultFolders:
    """The folder of each job below the state folder's ``jobs``. All methods can be repeated."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def make_staging(self, job_id: str) -> Path:
        """Return an empty folder for a worker's results."""
        return self._make(job_id, STAGING)

    def make_repeat(self, job_id: str) -> Path:
        """Return an empty folder for results that this node has already."""
        return self._make(job_id, REPEAT)

    def release(self, job_id: str) -> None:
        """Move the results from staging to where they are handed out, and remove what else is left.

        Nothing if that is done.
        """
        folder = self._root / job_id
        if (folder / STAGING).is_dir() and not (folder / RESULTS).exists():
            _sync(folder / STAGING)
            (folder / STAGING).rename(folder / RESULTS)
            _sync(folder)
        for name in (SCRATCH, REPEAT):
            self._remove(job_id, name)

    def discard(self, job_id: str) -> None:
        """Remove what a worker has written, and the job's folder once it is empty."""
        folder = self._root / job_id
        for name in _PASSING:
            self._remove(job_id, name)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def path_of(self, job_id: str, name: str) -> Path:
        """Return where a result file lies, once released."""
        return self._root / job_id / RESULTS / name

    def unfinished(self) -> list[str]:
        """Return the jobs with files that are neither released nor discarded."""
        if not self._root.is_dir():
            return []
        return [
            folder.name
            for folder in self._root.iterdir()
            if any((folder / name).is_dir() for name in _PASSING)
        ]

    def _make(self, job_id: str, name: str) -> Path:
        self._remove(job_id, name)
        made = self._root / job_id / name
        made.mkdir(mode=0o700, parents=True)
        return made

    def _remove(self, job_id: str, name: str) -> None:
        if (self._root / job_id / name).is_dir():
            shutil.rmtree(self._root / job_id / name)


async def chunks_of(path: Path) -> AsyncIterator[bytes]:
    """Yield a file in parts."""
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk


def _sync(folder: Path) -> None:
    """Put the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
