"""A job's own files, as a service sees them: the Scratch of :mod:`services.service`."""

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class FolderScratch:
    """Files in a folder that is this job's alone. Raises: OSError, as when the disk is full."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, name: str, data: NDArray[Any]) -> None:
        """Add an array's bytes to the end of a file, which is made if there is none."""
        with self._path(name).open("ab", buffering=0) as file:
            file.write(np.ascontiguousarray(data).data.cast("B"))

    def keep(self, name: str, data: NDArray[Any]) -> None:
        """Write an array's bytes as a whole file, which is on disk, or not there at all."""
        partial = self._path(f".{name}.partial")
        with partial.open("wb") as file:
            file.write(np.ascontiguousarray(data).data.cast("B"))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path(name))
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def load(self, name: str) -> NDArray[np.uint8] | None:
        """Return the bytes of a file, mapped, not read; None if there is none."""
        path = self._path(name)
        if not path.exists():
            return None
        if not path.stat().st_size:
            return np.empty(0, np.uint8)
        with path.open("rb") as file:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)

    def drop(self, name: str) -> None:
        """Remove a file if it is there."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / name
