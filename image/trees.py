"""Read what lies in a build's parts, as values that can be compared: trees, archives, tables."""

import hashlib
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image.errors import ImageError

_NEWC: Final = b"070701"
_CPIO_HEADER_BYTES: Final = 110
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_LAST_CPIO: Final = "TRAILER!!!"
_REMEDY: Final = "the build may be damaged: build again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, folder, link or device of a tree.

    mode: with its type; modified_seconds: since 1970; content: SHA-256, or where a link leads
    """

    mode: int
    owner: int
    group: int
    size_bytes: int
    modified_seconds: int
    content: str


def read_tree(top: Path) -> dict[str, Entry]:
    """Return all that lies below a folder, by its path from there."""
    return {str(path.relative_to(top)): _entry(path) for path in top.rglob("*")}


def _entry(path: Path) -> Entry:
    status = path.lstat()
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    elif kind == stat.S_IFLNK:
        content = str(path.readlink())
    else:
        content = f"{status.st_rdev}"
    return Entry(
        mode=status.st_mode,
        owner=status.st_uid,
        group=status.st_gid,
        size_bytes=0 if kind == stat.S_IFDIR else status.st_size,
        modified_seconds=int(status.st_mtime),
        content=content,
    )


def read_initrd(packed: bytes, zstd: Sequence[str]) -> dict[str, Entry]:
    """Return what lies in an initrd: archives one behind the other, packed or not.

    zstd: the command that calls zstd
    Raises: ImageError if it is none.
    """
    found: dict[str, Entry] = {}
    at = 0
    while at < len(packed):
        if packed[at : at + 4] == _ZSTD:
            end = at + zstd_frame_bytes(packed[at:])
            found |= _read_archives(_unpack(packed[at:end], zstd))
            at = end
        elif packed[at : at + 6] == _NEWC:
            at = _read_archive(packed, at, found)
        elif packed[at] == 0:
            at += 1
        else:
            raise ImageError(f"the initrd has something unknown at byte {at}", _REMEDY)
    return found


def zstd_frame_bytes(packed: bytes) -> int:
    """Return the size of the frame that begins here.

    Source: RFC 8878 §3.1.1.
    Raises: ImageError if it is cut off.
    """
    try:
        described = packed[4]
        is_single = bool(described & 0x20)
        at = 5 + (not is_single) + (0, 1, 2, 4)[described & 3]
        at += (int(is_single), 2, 4, 8)[described >> 6]
        is_last = False
        while not is_last:
            header = int.from_bytes(packed[at : at + 3], "little")
            is_last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
            at += 3 + (1 if kind == 1 else size)
            if at > len(packed):
                raise IndexError
    except IndexError:
        raise ImageError("the initrd is cut off", _REMEDY) from None
    return at + (4 if described & 4 else 0)


def _unpack(frame: bytes, zstd: Sequence[str]) -> bytes:
    ran = subprocess.run([*zstd, "-dcq"], input=frame, capture_output=True, check=False)
    if ran.returncode != 0:
        raise ImageError(f"the initrd cannot be unpacked: {ran.stderr.decode()}", _REMEDY)
    return ran.stdout


def _read_archives(data: bytes) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    at = 0
    while at < len(data):
        at = _read_archive(data, at, found) if data[at] != 0 else at + 1
    return found


def _read_archive(data: bytes, begin: int, found: dict[str, Entry]) -> int:
    """Add what an archive in cpio's form "newc" holds; return where it ends."""
    at = begin
    for header, name, content in _cpio_entries(data, begin):
        at = header
        if name == _LAST_CPIO:
            break
        found[name] = content
    return at


def _cpio_entries(data: bytes, begin: int) -> Iterator[tuple[int, str, Entry]]:
    at = begin
    while data[at : at + 6] == _NEWC and at + _CPIO_HEADER_BYTES <= len(data):
        numbers = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        _, mode, owner, group, _, modified, size, _, _, _, _, name_bytes, _ = numbers
        name_at = at + _CPIO_HEADER_BYTES
        name = data[name_at : name_at + name_bytes - 1].decode(errors="replace")
        content_at = begin + _aligned(name_at + name_bytes - begin)
        content = data[content_at : content_at + size]
        is_link = stat.S_ISLNK(mode)
        entry = Entry(
            mode=mode,
            owner=owner,
            group=group,
            size_bytes=size,
            modified_seconds=modified,
            content=content.decode() if is_link else hashlib.sha256(content).hexdigest(),
        )
        at = begin + _aligned(content_at + size - begin)
        yield at, name, entry


def _aligned(number: int) -> int:
    return -(-number // 4) * 4
