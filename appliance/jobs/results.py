"""A job's result files: in ``staging`` until every party has succeeded, then in ``results``."""

import os
import shutil
from pathlib import Path
from typing import Final

STAGING: Final = "staging"
RESULTS: Final = "results"


class ResultFolders:
    """The folder of each job below the state folder's ``jobs``. All methods can be repeated."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def make_staging(self, job_id: str) -> Path:
        """Return an empty folder for a worker's results."""
        staging = self._root / job_id / STAGING
        if staging.exists():
            shutil.rmtree(staging)
        staging.mkdir(mode=0o700, parents=True)
        return staging

    def release(self, job_id: str) -> None:
        """Move the results from staging to where they are handed out; nothing if that is done."""
        folder = self._root / job_id
        if (folder / STAGING).is_dir() and not (folder / RESULTS).exists():
            _sync(folder / STAGING)
            (folder / STAGING).rename(folder / RESULTS)
            _sync(folder)

    def discard(self, job_id: str) -> None:
        """Remove what a worker has written, and the job's folder once it is empty."""
        folder = self._root / job_id
        if (folder / STAGING).is_dir():
            shutil.rmtree(folder / STAGING)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def path_of(self, job_id: str, name: str) -> Path:
        """Return where a result file lies, once released."""
        return self._root / job_id / RESULTS / name

    def staged(self) -> list[str]:
        """Return the jobs with results that are neither released nor discarded."""
        if not self._root.is_dir():
            return []
        return [folder.name for folder in self._root.iterdir() if (folder / STAGING).is_dir()]


def _sync(folder: Path) -> None:
    """Put the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
