"""Figures of the image that was built last: what is in it, how large it is, how long it took.

How long it takes to start, and how much memory it then uses, :mod:`bench.boot` measures.
"""

import json
import re
import stat
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.asked import Asked
from bench.bars import Bar
from image import lock, places, repository, sign
from image.errors import ImageError
from image.sign import Output

MOST_PACKAGES: Final = 160
MOST_USR_MIB: Final = 200
MOST_EXECUTABLES: Final = 300
MOST_COLD_SECONDS: Final = 720
MOST_WARM_SECONDS: Final = 360
# What Coffer's own code and its wheels call, by name; with all that these depend on, the stack.
STACK: Final = (
    "libpython3-stdlib",
    "libseccomp2",
    "libsodium23",
    "libstdc++6",
    "libtss2-esys-3.0.2-0t64",
    "libtss2-mu-4.0.1-0t64",
    "libtss2-rc0t64",
    "libtss2-tcti-device0t64",
    "python3-minimal",
)
_LIBRARY: Final = re.compile(r"\.so(\.[0-9.]+)?$")
_EROFS_MAGIC: Final = 0xE0F5E1E2
_SUPERBLOCK_AT: Final = 1024


def run(_: Asked) -> dict[str, Any]:
    """Take the figures from the files in ``image/out``.

    Raises: ImageError if no image was built.
    """
    build = sign.find(places.UNSIGNED)
    bars = [*content_bars(build), *time_bars(places.TIMES)]
    return {
        "bars": [bar.as_dict() for bar in bars],
        "version": build.version,
        "passed": not any(bar.is_missed for bar in bars),
    }


def content_bars(build: Output) -> list[Bar]:
    """Return the figures of what is in an image."""
    parts = json.loads(build.file("manifest.json").read_text(encoding="utf-8"))["parts"]
    installed = {part["name"] for part in parts if part["kind"] == "deb"}
    archive = repository.prepare(lock.read(), ())
    index = next((archive / "dists").glob("*/main/binary-amd64/Packages"))
    stack = closure(STACK, read_depends(index.read_text(encoding="utf-8"))) & installed
    files = json.loads(build.file("files.json").read_text(encoding="utf-8"))
    return [
        Bar(what="Debian packages", figure=len(installed)),
        Bar(
            what="Debian packages beyond the Python stack",
            figure=len(installed - stack),
            limit=MOST_PACKAGES,
        ),
        Bar(
            what="/usr, compressed, MiB",
            figure=erofs_bytes(build.partition("usr")) / 2**20,
            limit=MOST_USR_MIB,
        ),
        Bar(what="files in /usr", figure=len(files)),
        Bar(what="executables", figure=count_executables(files), limit=MOST_EXECUTABLES),
        Bar(what="kernel image, MiB", figure=build.kernel.stat().st_size / 2**20),
    ]


def time_bars(file: Path) -> list[Bar]:
    """Return how long builds took, of those that were timed."""
    times = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    limits = {"cold": MOST_COLD_SECONDS, "warm": MOST_WARM_SECONDS}
    return [
        Bar(what=f"{kind} build, seconds", figure=times[kind], limit=limit)
        for kind, limit in limits.items()
        if kind in times
    ]


def read_depends(index: str) -> dict[str, list[list[str]]]:
    """Return what each package of an index depends on: names, in groups of which one will do."""
    found = {}
    for paragraph in index.split("\n\n"):
        pairs = (line.partition(": ") for line in paragraph.splitlines() if line[:1] != " ")
        fields = {name: value for name, _, value in pairs}
        if "Package" in fields:
            listed = [fields.get(name, "") for name in ("Depends", "Pre-Depends")]
            groups = ", ".join(filter(None, listed)).split(", ")
            found[fields["Package"]] = [
                [re.split(r"[ :(]", one.strip())[0] for one in group.split("|")]
                for group in groups
                if group
            ]
    return found


def closure(names: Iterable[str], depends: Mapping[str, list[list[str]]]) -> set[str]:
    """Return packages with all that they depend on; of alternatives, those that there are."""
    found: set[str] = set()
    left = [name for name in names if name in depends]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [one for group in depends[name] for one in group if one in depends]
    return found


def count_executables(files: Mapping[str, Mapping[str, str]]) -> int:
    """Return how many files of an inventory can be run as programs; libraries are none."""
    modes = {path: int(one["mode"], 8) for path, one in files.items()}
    return sum(
        stat.S_ISREG(mode) and bool(mode & 0o111) and not _LIBRARY.search(path)
        for path, mode in modes.items()
    )


def erofs_bytes(partition: Path) -> int:
    """Return how much of a partition its file system uses.

    Raises: ImageError if there is no erofs in it.
    """
    with partition.open("rb") as file:
        file.seek(_SUPERBLOCK_AT)
        head = file.read(40)
    if len(head) < 40 or struct.unpack_from("<I", head)[0] != _EROFS_MAGIC:
        raise ImageError(f"{partition} holds no erofs", "build again")
    blocks: int = struct.unpack_from("<I", head, 36)[0]
    return blocks << head[12]
