"""All files of ``/usr`` as they lie on the disk, each with the component that it comes from."""

import json
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image import ownership, trees
from image.errors import ImageError
from image.sign import Output
from image.toolchain import TOP, Place, Toolchain
from image.trees import Entry

# Of all files; the rest must be nameable, and is named.
LEAST_COVERAGE: Final = 0.995
_REMEDY: Final = "the disk may be damaged: build again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Each file of ``/usr`` by its path, which begins with ``usr/``.

    owners: the component of each path that has one
    """

    files: Mapping[str, Entry]
    owners: Mapping[str, str]

    @property
    def unowned(self) -> list[str]:
        """The paths of files that belong to no component."""
        return sorted(self.files.keys() - self.owners.keys())

    @property
    def coverage(self) -> float:
        """The part of all files that belongs to a component."""
        return len(self.owners) / max(len(self.files), 1)

    @property
    def summary(self) -> str:
        """A line on how much of it belongs to a component, and what does not."""
        rest = f"; none has {', '.join(self.unowned)}" if self.unowned else ""
        return f"{self.coverage:.2%} of {len(self.files)} files belong to a component{rest}"


def unpack_usr(build: Output, folder: Path, tools: Toolchain) -> dict[str, Entry]:
    """Return all that lies in a build's ``/usr``; it is left in a folder, which must be empty.

    Raises: CommandFailed if its file system cannot be read.
    """
    inside = TOP / "unpacked"
    tools.run(
        ["fsck.erofs", f"--extract={inside}/tree", "--preserve", str(TOP / "usr.raw")],
        seen=(
            Place(outside=folder, inside=inside),
            Place(outside=build.partition("usr"), inside=TOP / "usr.raw"),
        ),
        remedy=_REMEDY,
    )
    return trees.read_tree(folder / "tree")


def take(build: Output, tools: Toolchain, known: Mapping[str, str]) -> Inventory:
    """Return the inventory of a build.

    known: the components of paths that packages name
    """
    with tempfile.TemporaryDirectory(prefix="coffer-inventory-") as name:
        entries = unpack_usr(build, Path(name), tools)
    files = {f"usr/{p}": one for p, one in entries.items() if not stat.S_ISDIR(one.mode)}
    owned = {path: ownership.owner_of(path, known) for path in files}
    return Inventory(files=files, owners={path: name for path, name in owned.items() if name})


def require_covered(inventory: Inventory) -> None:
    """Refuse an image with too many files that nobody answers for.

    Raises: ImageError, which names them.
    """
    if inventory.coverage < LEAST_COVERAGE:
        names = "\n  ".join(inventory.unowned[:40])
        raise ImageError(
            f"only {inventory.coverage:.2%} of the files in /usr belong to a component; none has\n"
            f"  {names}",
            "say in image/ownership.py what makes them",
        )


def format_inventory(inventory: Inventory) -> str:
    """Return an inventory as JSON, in an order that depends on its content alone."""
    listed = {
        path: {
            "component": inventory.owners.get(path, ""),
            "mode": f"{entry.mode:o}",
            "size": entry.size_bytes,
            "content": entry.content,
        }
        for path, entry in sorted(inventory.files.items())
    }
    return json.dumps(listed, indent=0) + "\n"


def read_owners(file: Path) -> dict[str, str]:
    """Return the component of each path that an inventory on disk names; none if it is missing."""
    if not file.exists():
        return {}
    listed = json.loads(file.read_text(encoding="utf-8"))
    return {path: one["component"] for path, one in listed.items() if one["component"]}
