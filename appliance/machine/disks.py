"""The machine's disks and file systems, as the kernel tells anybody."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SECTOR_BYTES: Final = 512
"""The unit of sizes in sysfs, whatever the disk's own."""

# Devices that are no disk of the machine's: mapped, looped, in memory, optical.
_NO_DISKS: Final = ("dm-", "loop", "ram", "zram", "sr", "md", "fd")
_SHOWN_KINDS: Final = frozenset({"ext4", "erofs", "vfat", "xfs", "btrfs", "squashfs"})
_MOST_CHARACTERS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A whole disk."""

    name: str
    model: str
    size_bytes: int
    rotates: bool
    is_removable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Filesystem:
    """What is mounted at a place."""

    place: str
    kind: str
    size_bytes: int
    free_bytes: int
    is_read_only: bool


def read_disks(root: Path = Path("/")) -> tuple[Disk, ...]:
    """Return the disks, by name; ``root`` is for tests."""
    folders = sorted((root / "sys/block").glob("*"))
    return tuple(
        Disk(
            name=folder.name,
            model=_word(folder / "device/model"),
            size_bytes=int(_word(folder / "size") or 0) * _SECTOR_BYTES,
            rotates=_word(folder / "queue/rotational") == "1",
            is_removable=_word(folder / "removable") == "1",
        )
        for folder in folders
        if not folder.name.startswith(_NO_DISKS)
    )


def read_filesystems(
    root: Path = Path("/"), figures: Callable[[str], os.statvfs_result] = os.statvfs
) -> tuple[Filesystem, ...]:
    """Return those that lie on disks, each once, by place."""
    found: dict[str, Filesystem] = {}
    for line in (
        (root / "proc/self/mounts").read_text(encoding="utf-8", errors="replace").split("\n")
    ):
        words = line.split()
        if len(words) < 4 or words[2] not in _SHOWN_KINDS or words[0] in found:
            continue
        place = words[1].encode("ascii", "replace").decode("unicode_escape")
        try:
            told = figures(place)
        except OSError:
            continue  # it went away meanwhile, or is none of ours to see
        found[words[0]] = Filesystem(
            place=place,
            kind=words[2],
            size_bytes=told.f_blocks * told.f_frsize,
            free_bytes=told.f_bavail * told.f_frsize,
            is_read_only="ro" in words[3].split(","),
        )
    return tuple(sorted(found.values(), key=lambda one: one.place))


def _word(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return "".join(one for one in text.strip() if one.isprintable())[:_MOST_CHARACTERS]
