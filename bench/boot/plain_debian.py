"""The disk of a plain Debian 13, as in a cloud, beside which the appliance's start is measured.

Debian's own image cannot be had where only its archive of packages can be reached. This one has the
same packages as ``genericcloud``, by the cloud team's lists, without what is only recommended, as
there: the cloud kernel with the initrd of initramfs-tools, shim and GRUB as Debian signed them, one
ext4 file system, cloud-init, the same kernel command line, the same units enabled. It differs:

- cloud-init finds its data in the image and asks no cloud, which can only be faster;
- one unit more, whose shell says on the console that the multi-user target is reached;
- the firmware is the same, but holds no keys, as only the appliance's disk enrols its own: so no
  signature is looked at;
- ``grub.cfg`` is written by hand, without fonts and other entries;
- the boot partition has 512 MiB, it comes first, and nothing is there for a BIOS;
- documentation and manual pages are left out, as is what tells Debian's builds apart.

Its packages are the newest of the mirror on the day that it is made, each by its hash, but not by
``image/lock.toml``: so its versions may be a few days older or younger than the appliance's.
"""

import datetime
import shutil
import time
from pathlib import Path
from typing import Final

from image import lock, mirror, places, repository, resolve, staging, wheels
from image.toolchain import TOP, Place, Toolchain

DEFINITION: Final = Path(__file__).with_name("debian")
_MADE_OF: Final = "packages.toml"
_DISK: Final = "debian.raw"
_WORK: Final = TOP / "work"
_ARCHIVE: Final = TOP / "archive"
_REMEDY: Final = "read the log's end; a package of bench/boot/debian may have another name by now"


def prepare(tools: Toolchain) -> Path:
    """Return its disk, made unless the cache has it; some minutes, 150 MB fetched, 4 GB of space.

    It is made anew when its definition or the toolchain is another, or its folder is removed.
    Raises: ImageError if a package or the mirror is missing; CommandFailed if mkosi fails.
    """
    digest = wheels.digest([str(DEFINITION.relative_to(places.TREE))])[:12]
    kept = places.cache() / "plain-debian" / f"{tools.root.name}-{digest}"
    if not kept.exists():
        unfinished = kept.with_name(f"{kept.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _make(tools, unfinished)
        unfinished.rename(kept)
    return kept / _DISK


def _make(tools: Toolchain, folder: Path) -> None:
    """Make the disk in a folder, and beside it the list of what is in it."""
    work = folder / "work"
    for name in ("output", "scratch", "packages"):
        (work / name).mkdir(parents=True)
    shutil.copytree(DEFINITION, work / "definition", symlinks=True)
    staging.settle(work / "definition", int(time.time()))
    from_here = mirror.read_mirror()
    asked = (*resolve.FIRST, *resolve.read_packages(DEFINITION / "mkosi.conf"))
    today = datetime.datetime.now(datetime.UTC).date()
    chosen = resolve.resolve(from_here, {"image": asked}, today=today)
    (folder / _MADE_OF).write_text(lock.format_lock(chosen), encoding="utf-8")
    sources = work / "sandbox/etc/apt/sources.list.d/mkosi.sources"
    sources.parent.mkdir(parents=True)
    sources.write_text(repository.sources(_ARCHIVE))
    tools.run_logged(
        _mkosi_command(),
        remedy=_REMEDY,
        log=folder / "build.log",
        seen=(
            Place(outside=work, inside=_WORK),
            Place(outside=repository.prepare(chosen, from_here.uris), inside=_ARCHIVE),
        ),
    )
    (work / "output" / _DISK).rename(folder / _DISK)
    shutil.rmtree(work)


def _mkosi_command() -> list[str]:
    settings = {
        "directory": _WORK / "definition",
        "output-directory": _WORK / "output",
        "workspace-directory": _WORK / "scratch",
        "package-cache-dir": _WORK / "packages",
        "sandbox-tree": _WORK / "sandbox",
        "local-mirror": f"file://{_ARCHIVE}",
    }
    return ["mkosi", *(f"--{name}={value}" for name, value in settings.items()), "build"]
