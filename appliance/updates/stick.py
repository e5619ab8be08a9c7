"""Finds the bundle on a USB stick that is plugged into the machine, and opens it.

The stick is a stranger's file system, read by the kernel alone, for as long as the bundle is read:
nothing on it is run, no device file on it works, and its names are only compared.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from appliance.updates.errors import InstallFailed
from appliance.updates.gpt import find_disk
from services.errors import ServiceError

KINDS: Final = ("vfat", "exfat")
OPTIONS: Final = "ro,nosuid,nodev,noexec"
MOUNT_SECONDS: Final = 60.0
_NAME: Final = re.compile(r"coffer_[0-9]{8}\.[0-9]{6}\.bundle")
_MOST_NAMES: Final = 10_000


class Run(Protocol):
    """Runs one of the system's programs."""

    def __call__(self, *words: str, seconds: float) -> str:
        """Run it. Raises: ServiceError."""


def find_volumes(root: Path) -> list[Path]:
    """Return the volumes that hang on USB, partitions or whole disks; never the system's own."""
    own, found = find_disk(root).name, []
    for entry in sorted((root / "sys/class/block").iterdir()):
        device = entry.resolve()
        disk = device.parent.name if (device / "partition").exists() else device.name
        is_whole = disk == device.name
        has_partitions = is_whole and any(device.glob("*/partition"))
        if (
            disk != own
            and not has_partitions
            and any(part.startswith("usb") for part in device.parts)
        ):
            found.append(root / "dev" / entry.name)
    return found


@contextmanager
def open_bundle(root: Path, run: Run) -> Iterator[BinaryIO]:
    """Open the newest bundle on any stick; the stick is let go of afterwards.

    Raises: InstallFailed if there is none.
    """
    unread = []
    for volume in find_volumes(root):
        with tempfile.TemporaryDirectory() as folder:
            if not _mounted(volume, folder, run):
                unread.append(volume.name)
                continue
            try:
                names = sorted(_names(Path(folder)), reverse=True)
                if names:
                    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
                    with os.fdopen(os.open(Path(folder) / names[0], flags), "rb") as file:
                        yield file
                    return
            finally:
                run("umount", "--lazy", folder, seconds=MOUNT_SECONDS)
    besides = f", and what is on {', '.join(unread)} cannot be read" if unread else ""
    raise InstallFailed(
        f"there is no bundle on a USB stick{besides}",
        remedy="plug in one of FAT or exFAT, with a file coffer_VERSION.bundle in its first folder",
    )


def _mounted(volume: Path, folder: str, run: Run) -> bool:
    for kind in KINDS:
        try:
            run(
                *("mount", "-t", kind, "-o", OPTIONS, "--source", str(volume), "--target", folder),
                seconds=MOUNT_SECONDS,
            )
        except ServiceError:
            continue
        return True
    return False


def _names(folder: Path) -> Iterator[str]:
    for count, entry in enumerate(os.scandir(folder)):
        if count == _MOST_NAMES:
            return
        if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
            yield entry.name
