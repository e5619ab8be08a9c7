"""A disk image as an attacker edits it: partitions of its table, bytes flipped, files exchanged."""

import json
import mmap
import re
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from image.toolchain import Place, Toolchain

SECTOR_BYTES: Final = 512
LUKS2: Final = re.compile(rb"LUKS\xba\xbe\x00\x02(\x00{5}[\x00-\x0f][\x00-\xff]{2})")
"""The first bytes of a volume's header, and how long it is with its area of JSON."""
AREA_BYTES: Final = 4096
"""Where that begins."""
_EXTENT: Final = re.compile(r"^\s*0:.*:\s*(\d+)\.\.\s*(\d+)", re.MULTILINE)
"""The first line of dump.erofs about where a file lies: begin and end, in bytes."""
STICK_ROOM_BYTES: Final = 64 << 20
_WORK: Final = Path("/coffer/disk")
_STICKS_FILE: Final = Path("/coffer/stick/file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition's label, and where it lies, in bytes."""

    label: str
    start: int
    length: int


def read_partitions(disk: Path) -> list[Partition]:
    """Return the partitions of a disk's GPT, in the order of the table."""
    with disk.open("rb") as file:
        file.seek(SECTOR_BYTES)
        header = file.read(92)
        assert header.startswith(b"EFI PART")
        first, count, entry_bytes = struct.unpack_from("<QII", header, 72)
        file.seek(first * SECTOR_BYTES)
        entries = [file.read(entry_bytes) for _ in range(count)]
    found = []
    for entry in entries:
        if any(entry[:16]):
            start, last = struct.unpack_from("<QQ", entry, 32)
            label = entry[56:128].decode("utf-16-le").rstrip("\0")
            found.append(
                Partition(
                    label=label,
                    start=start * SECTOR_BYTES,
                    length=(last + 1 - start) * SECTOR_BYTES,
                )
            )
    return found


def read_bindings(disk: Path) -> list[dict[str, Any]]:
    """Return what binds encrypted volumes to a TPM, of each header found in a disk, also a QCOW2.

    A header is whole in a cluster of such a disk, as both begin at multiples of more than it has.
    """
    found = []
    with disk.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for match in re.finditer(LUKS2, content):
            length = int.from_bytes(match[1], "big")
            area = content[match.start() + AREA_BYTES : match.start() + length].split(b"\0")[0]
            if area.startswith(b"{"):  # else it is a program that knows such headers
                tokens: dict[str, dict[str, Any]] = json.loads(area)["tokens"]
                found += [token for token in tokens.values() if token["type"] == "systemd-tpm2"]
    return found


def make_stick(stick: Path, file: Path, tools: Toolchain) -> None:
    """Write a USB stick without partitions: a FAT file system with one file."""
    with stick.open("wb") as made:
        made.truncate(file.stat().st_size + STICK_ROOM_BYTES)
    within = ["bash", "-c", 'cd "$0" && mformat -i "$1" -F :: && mcopy -n -i "$1" "$2" ::']
    seen = [
        Place(outside=stick.parent, inside=_WORK),
        Place(outside=file.resolve(), inside=_STICKS_FILE.with_name(file.name)),
    ]
    words = (str(_WORK), stick.name, str(_STICKS_FILE.with_name(file.name)))
    tools.run([*within, *words], seen=seen, remedy="read what it says")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """A copy of a disk image to be tampered with."""

    disk: Path
    tools: Toolchain

    @classmethod
    def of(cls, image: Path, folder: Path, tools: Toolchain) -> "Forgery":
        """Copy an image into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(disk=Path(shutil.copy2(image, folder / "forged.raw")), tools=tools)

    def partition(self, ending: str) -> Partition:
        """Return the one partition whose label ends so."""
        (found,) = (one for one in read_partitions(self.disk) if one.label.endswith(ending))
        return found

    @property
    def usr(self) -> Partition:
        """The partition with /usr: its label is the version alone."""
        return self.partition(self.partition("_verity").label.removesuffix("_verity"))

    def flip(self, offset: int) -> None:
        """Change one bit of a byte of the disk."""
        with self.disk.open("r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 1]))

    def middle_of(self, path: str) -> int:
        """Return where on the disk the middle of the first piece of a file of /usr lies."""
        words = (f"--offset={self.usr.start}", "-e", f"--path={path}", self.disk.name)
        first = _EXTENT.search(self.run("dump.erofs", *words))
        assert first
        return self.usr.start + (int(first[1]) + int(first[2])) // 2

    def find(self, partition: Partition, needle: bytes) -> int:
        """Return where on the disk bytes lie that the partition has once or more: the first."""
        with self.disk.open("rb") as file:
            file.seek(partition.start)
            kept = b""
            at = partition.start
            while at < partition.start + partition.length:
                piece = file.read(1 << 22)
                where = (kept + piece).find(needle)
                if where >= 0:
                    return at - len(kept) + where
                at += len(piece)
                kept = piece[-len(needle) :]
        raise AssertionError(f"{needle[:16]!r} is not on the disk")

    def take_kernel_image(self) -> Path:
        """Copy the kernel image from the boot partition to the disk's folder."""
        taken = self.disk.with_name("kernel.efi")
        self._mtool("mcopy", "-n", "-o", "::" + self.kernel_image(), taken.name)
        return taken

    def put_kernel_image(self, image: Path) -> None:
        """Put another kernel image in its place; it lies in the disk's folder."""
        self._mtool("mcopy", "-n", "-o", image.name, "::" + self.kernel_image())

    def kernel_image(self) -> str:
        """Return the path of the one kernel image in the boot partition."""
        listed = self._mtool("mdir", "-b", "::/EFI/Linux").split()
        (found,) = (line.removeprefix("::") for line in listed if line.endswith(".efi"))
        return found

    def run(self, *program: str, seen: tuple[Place, ...] = ()) -> str:
        """Run one of the toolchain's programs in the disk's folder."""
        within = ["bash", "-c", 'cd "$0" && exec "$@"', str(_WORK), *program]
        place = Place(outside=self.disk.parent, inside=_WORK)
        return self.tools.run(within, seen=(place, *seen), remedy="read what it says")

    def _mtool(self, tool: str, *words: str) -> str:
        drive = f"{self.disk.name}@@{self.partition('esp').start}"
        return self.run(tool, "-i", drive, *words)
