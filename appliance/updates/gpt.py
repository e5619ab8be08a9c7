"""Reads a disk's partition table itself: the kernel keeps the labels that it saw when it started.

The layout is that of the UEFI specification 2.10, section 5.3.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from appliance.updates.errors import InstallFailed

_SECTORS: Final = (512, 4096)
_HEADER: Final = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY: Final = struct.Struct("<16s16sQQQ72s")
_SIGNATURE: Final = b"EFI PART"
_MOST_ENTRIES: Final = 1024
_MOST_ENTRY_BYTES: Final = 4096
_MOST_SECTORS: Final = 1 << 48


@dataclass(frozen=True, slots=True)
class Partition:
    """Where a partition lies on its disk, in bytes."""

    label: str
    start: int
    size: int


def read_partitions(disk: BinaryIO) -> dict[str, Partition]:
    """Return the partitions of a disk by label; of several with one label, the last.

    Where the table is damaged, as power may have failed while it was written, the copy at the
    disk's end counts. Raises: InstallFailed if neither is sound.
    """
    wrong = InstallFailed("the disk has no partition table", remedy=_REMEDY)
    end = disk.seek(0, os.SEEK_END)
    for sector in _SECTORS:
        for place in (sector, end - sector):
            disk.seek(max(place, 0))
            data = disk.read(_HEADER.size)
            if not data.startswith(_SIGNATURE) or len(data) < _HEADER.size:
                continue
            try:
                return _read_entries(disk, data, sector)
            except InstallFailed as error:
                wrong = error
    raise wrong


_REMEDY: Final = "see the disk's health in the log"


def _read_entries(disk: BinaryIO, data: bytes, sector: int) -> dict[str, Partition]:
    fields = _HEADER.unpack(data)
    size, header_crc, first, count, each, entries_crc = (fields[n] for n in (2, 3, 10, 11, 12, 13))
    is_usual = size == _HEADER.size and count <= _MOST_ENTRIES and first < _MOST_SECTORS
    if not is_usual or not _ENTRY.size <= each <= _MOST_ENTRY_BYTES:
        raise InstallFailed("the disk's partition table is unusual", remedy=_REMEDY)
    disk.seek(first * sector)
    entries = disk.read(count * each)
    blank = data[:16] + bytes(4) + data[20:]
    if zlib.crc32(blank) != header_crc or zlib.crc32(entries) != entries_crc:
        raise InstallFailed("the disk's partition table is damaged", remedy=_REMEDY)
    found = {}
    for place in range(0, len(entries), each):
        kind, _, begin, end, _, label = _ENTRY.unpack_from(entries, place)
        if any(kind):
            name = label.decode("utf-16-le", "replace").split("\0")[0]
            found[name] = Partition(name, begin * sector, (end - begin + 1) * sector)
    return found


def find_disk(root: Path) -> Path:
    """Return the disk that the running /usr lies on.

    Raises: InstallFailed if it is on none.
    """
    for mapped in sorted((root / "sys/block").glob("dm-*")):
        if (mapped / "dm/name").read_text().strip() == "usr":
            for slave in sorted((mapped / "slaves").iterdir()):
                return root / "dev" / slave.resolve().parent.name.replace("!", "/")
    raise InstallFailed("/usr lies on no disk", remedy="is this the appliance?")
