"""One agent for each state folder: a lock that the kernel drops when its holder dies."""

import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from appliance.store.errors import FolderInUse, FolderUnsafe, FolderUnusable

FILE_NAME: Final = "lock"


class FolderLock:
    """The sole right to a state folder, from :meth:`take` to :meth:`release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Make the folder if it is missing (0700) and lock it.

        Raises: FolderInUse, naming the process that holds it; FolderUnusable; FolderUnsafe if
            another user could change what lies in it.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for place in (folder, *folder.iterdir()):
                _require_safe(place)
            path = folder / FILE_NAME
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise FolderUnusable(folder, error.strerror or str(error)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0)
            os.close(descriptor)
            raise FolderInUse(folder, int(holder) if holder.strip().isdigit() else None) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Give the folder up. The file stays: were it removed, two could lock different files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _require_safe(place: Path) -> None:
    found = place.lstat()
    if stat.S_ISSOCK(found.st_mode) or stat.S_ISLNK(found.st_mode):
        return
    if found.st_uid not in (os.geteuid(), 0):
        raise FolderUnsafe(place, f"belongs to user {found.st_uid}", f"chown {os.geteuid()}")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise FolderUnsafe(place, "may be written by other users", "chmod go-w")
