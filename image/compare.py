"""Say what differs between two builds, and why as far as that can be told.

Compared is what no key has touched: two builds of one tree must be equal there, byte for byte.
"""

import hashlib
import json
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from firmware.boot import pe
from image import inventory, sign, trees
from image.errors import ImageError
from image.sign import Output
from image.toolchain import TOP, Place, Toolchain
from image.trees import Entry

MOST_SHOWN_BYTES: Final = 512
MOST_ALIKE: Final = 10
_ONLY_TIME: Final = re.compile(r": (time \d+ and \d+)$")
_REMEDY: Final = "one of the builds may be damaged: build it again"
_PIECE_BYTES: Final = 1 << 20


OwnerOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not the same in both builds.

    part: of the build; what: in it; why: the likely reason, empty if none is known
    """

    part: str
    what: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.part}: {self.what}" + (f" ({self.why})" if self.why else "")


Differences = Iterator[Difference]


def compare(one: Output, other: Output, tools: Toolchain) -> list[Difference]:
    """Return all differences; none if the builds are equal.

    Raises: ImageError if a build is incomplete.
    """
    owner_of = inventory.read_owners(one.file("files.json")).get
    found = [
        *compare_parts(one, other),
        *_compare_kernels(one, other, tools, owner_of),
        *_compare_usr(one, other, tools, owner_of),
        *_compare_disks(one, other, tools),
    ]
    return fold(found)


def fold(found: Iterable[Difference]) -> list[Difference]:
    """Return differences with those told once that many files have alike: times of two sources."""
    kept: list[Difference] = []
    alike: dict[tuple[str, str], list[Difference]] = {}
    for one in found:
        matched = _ONLY_TIME.search(one.what)
        if matched:
            alike.setdefault((one.part, matched[1]), []).append(one)
        else:
            kept.append(one)
    for (part, times), same in alike.items():
        if len(same) <= MOST_ALIKE:
            kept += same
        else:
            what = f"{len(same)} files differ in their {times} alone"
            kept.append(Difference(part=part, what=what, why=same[0].why))
    return kept


def read_output(folder: Path) -> Output:
    """Return the unsigned build that a folder names: it, or one with it in ``unsigned``.

    Raises: ImageError if there is none.
    """
    inner = folder / "unsigned"
    return sign.find(inner if inner.is_dir() else folder)


def compare_parts(one: Output, other: Output) -> Differences:
    """Compare versions and lists of packages: what is other there makes all else differ."""
    if one.version != other.version:
        yield Difference(part="version", what=f"{one.version} is not {other.version}")
    parts = [_read_parts(build) for build in (one, other)]
    for name in sorted(parts[0].keys() | parts[1].keys()):
        first, second = (part.get(name, "missing") for part in parts)
        if first != second:
            yield Difference(part="packages", what=f"{name}: {first} is not {second}")


def _read_parts(build: Output) -> dict[str, str]:
    file = build.file("manifest.json")
    try:
        parts = json.loads(file.read_text(encoding="utf-8"))["parts"]
    except (OSError, json.JSONDecodeError, KeyError) as error:
        raise ImageError(f"{file} cannot be read: {error!r}", _REMEDY) from None
    return {f"{one['kind']} {one['name']}": f"{one['version']} {one['sha256']}" for one in parts}


def _compare_kernels(
    one: Output, other: Output, tools: Toolchain, owner_of: OwnerOf
) -> Differences:
    images = [pe.parse_image(build.kernel.read_bytes()) for build in (one, other)]
    held = [{part.name: image.contents(part) for part in image.sections} for image in images]
    yield from compare_sections(*held)
    initrds = [sections.get(".initrd", b"") for sections in held]
    if initrds[0] != initrds[1]:
        zstd = tools.command(["zstd"], (), {})
        contents = [trees.read_initrd(packed, zstd) for packed in initrds]
        found = list(compare_trees("initrd", contents[0], contents[1], owner_of))
        yield from found or [
            Difference(part="initrd", what="order or packing", why="all files in it are equal")
        ]
    if held[0] == held[1] and images[0].data != images[1].data:
        yield Difference(part="kernel image", what="its headers")


def compare_sections(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> Differences:
    """Compare the sections of two unified kernel images."""
    for name in sorted(one.keys() | other.keys()):
        first, second = one.get(name, b""), other.get(name, b"")
        if first != second:
            yield Difference(part="kernel image", what=f"section {name}", why=_shown(first, second))


def _compare_usr(one: Output, other: Output, tools: Toolchain, owner_of: OwnerOf) -> Differences:
    hashes = [sign.root_hash(build.kernel.read_bytes()) for build in (one, other)]
    if hashes[0] != hashes[1]:
        yield Difference(part="root hash of /usr", what=f"{hashes[0]} is not {hashes[1]}")
        with tempfile.TemporaryDirectory(prefix="coffer-compare-") as name:
            folders = [Path(name) / "one", Path(name) / "other"]
            for folder in folders:
                folder.mkdir()
            first = inventory.unpack_usr(one, folders[0], tools)
            second = inventory.unpack_usr(other, folders[1], tools)
            owner = _below_usr(owner_of)
            found = list(compare_trees("/usr", first, second, owner))
        yield from found
        if not found:
            yield Difference(part="/usr", what="its packing", why="all files in it are equal")


def _below_usr(owner_of: OwnerOf) -> OwnerOf:
    return lambda path: owner_of(f"usr/{path}")


def compare_trees(
    part: str,
    one: Mapping[str, Entry],
    other: Mapping[str, Entry],
    owner_of: OwnerOf,
) -> Differences:
    """Compare two trees, file by file."""
    for path in sorted(one.keys() | other.keys()):
        first, second = one.get(path), other.get(path)
        if first == second:
            continue
        owner = owner_of(path) or "no component"
        if first is None or second is None:
            where = "first" if second is None else "second"
            yield Difference(part=part, what=f"{path} of {owner} is in the {where} alone")
        else:
            what = f"{path} of {owner}: {', '.join(differing(first, second))}"
            yield Difference(part=part, what=what, why=reason(path, first, second))


def differing(one: Entry, other: Entry) -> Iterator[str]:
    """Yield what is not the same of a file, with both values."""
    if one.mode != other.mode:
        yield f"mode {stat.filemode(one.mode)} and {stat.filemode(other.mode)}"
    if (one.owner, one.group) != (other.owner, other.group):
        yield f"owner {one.owner}:{one.group} and {other.owner}:{other.group}"
    if one.size_bytes != other.size_bytes:
        yield f"{one.size_bytes} and {other.size_bytes} bytes"
    elif one.content != other.content:
        yield "content"
    if one.modified_seconds != other.modified_seconds:
        yield f"time {one.modified_seconds} and {other.modified_seconds}"


def reason(path: str, one: Entry, other: Entry) -> str:
    """Return the likely reason why a file differs; empty if none is known."""
    name = path.rsplit("/", 1)[-1]
    if one.content == other.content and one.modified_seconds != other.modified_seconds:
        return "written during the build, at another time"
    if name.endswith(".pyc"):
        return "a compiled module that holds its source's time or path"
    if name.endswith((".signed", ".auth", ".p7s")):
        return "a signature with its time"
    if name in ("ld.so.cache", "aux-cache", "hwdb.bin", "shadow") or name.endswith(".log"):
        return "made by a program during the build"
    if name.endswith(".so") or ".so." in name:
        return "a library built with other paths, tools or processors"
    return ""


def _shown(one: bytes, other: bytes) -> str:
    if max(len(one), len(other)) > MOST_SHOWN_BYTES:
        return f"SHA-256 {_short(one)} and {_short(other)}"
    return f"{one.decode(errors='replace')!r} and {other.decode(errors='replace')!r}"


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _compare_disks(one: Output, other: Output, tools: Toolchain) -> Differences:
    tables = [_read_table(build, tools) for build in (one, other)]
    for number, (first, second) in enumerate(zip(*tables, strict=False), 1):
        for field in sorted(first.keys() | second.keys()):
            if first.get(field) != second.get(field):
                what = (
                    f"{field} of partition {number}: {first.get(field)} is not {second.get(field)}"
                )
                yield Difference(part="disk", what=what)
    if len(tables[0]) != len(tables[1]):
        yield Difference(part="disk", what=f"{len(tables[0])} and {len(tables[1])} partitions")
    if not _same_content(one.boot_partition, other.boot_partition):
        yield Difference(part="disk", what="content of the boot partition")


def _read_table(build: Output, tools: Toolchain) -> list[dict[str, object]]:
    said = tools.run(
        ["sfdisk", "--json", str(TOP / "disk.raw")],
        seen=(Place(outside=build.disk, inside=TOP / "disk.raw"),),
        remedy=_REMEDY,
    )
    table = json.loads(said)["partitiontable"]
    partitions: list[dict[str, object]] = table["partitions"]
    return [{"table": table["id"]} | one for one in partitions]


def _same_content(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while piece := first.read(_PIECE_BYTES):
            if piece != second.read(_PIECE_BYTES):
                return False
        return not second.read(1)
