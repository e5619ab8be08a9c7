"""The build as a table of contents: each line of :func:`build_image` is a step, in order."""

import datetime
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from image import bundle, keys, manifest, measure, mirror, places, staging, toolchain
from image.build import Build
from image.errors import ImageError
from image.toolchain import TOP, Place
from image.wheels import Wheels

_REMEDY: Final = (
    "read the log's end; a name of a package or module in image/definition may be wrong"
)


def build_image(say: Callable[[str], None], *, is_quick: bool = False) -> Path:
    """Make the disk image and all that goes with it in ``image/out``; return the disk.

    Raises: ImageError, with cause and remedy.
    """
    build = prepare(say, is_quick=is_quick)
    say("laying out Coffer")
    packages = staging.lay_out(build)
    say("making the disk")
    make_disk(build, packages)
    say("writing what is in it, and what it measures")
    manifest.write(build, packages)
    measure.write(build)
    say("writing the update bundle")
    bundle.write(build)
    return publish(build)


def prepare(say: Callable[[str], None], *, is_quick: bool) -> Build:
    """Gather all inputs of a build.

    Raises: ImageError if a key, the mirror or a tool is missing.
    """
    require_root()
    places.OUT.mkdir(exist_ok=True)
    log = places.OUT / "build.log"
    log.unlink(missing_ok=True)
    signing = keys.read(places.keys())
    archive = mirror.read_mirror()
    say("preparing the tools")
    tools = toolchain.prepare(archive, log)
    workspace = places.cache() / "work"
    workspace.mkdir(parents=True, exist_ok=True)
    epoch = read_epoch()
    return Build(
        version=version_at(epoch),
        epoch_seconds=epoch,
        keys=signing,
        mirror=archive,
        toolchain=tools,
        cache=places.cache(),
        workspace=workspace,
        out=places.OUT,
        is_quick=is_quick,
    )


def require_root() -> None:
    """Refuse anyone who cannot mount.

    Raises: ImageError
    """
    if os.geteuid() != 0:
        raise ImageError("an image can be made by root alone", "run this as root or with sudo")


def read_epoch() -> int:
    """Return the time of the commit that the tree is at, in seconds since 1970.

    Raises: ImageError if this is no checkout.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdecimal():
        return int(given)
    asked = subprocess.run(
        ["git", "log", "-1", "--format=%ct"],
        cwd=places.TREE,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0:
        raise ImageError(
            f"git does not say when this tree was written: {asked.stderr.strip()}",
            "build from a checkout, or set SOURCE_DATE_EPOCH",
        )
    return int(asked.stdout)


def version_at(epoch_seconds: int) -> str:
    """Return the image's version: the date and time of its sources, so later ones compare later."""
    when = datetime.datetime.fromtimestamp(epoch_seconds, datetime.UTC)
    return when.strftime("%Y%m%d.%H%M%S")


def make_disk(build: Build, packages: Wheels) -> None:
    """Have mkosi install, sign and assemble; about two minutes.

    Raises: CommandFailed with the end of what mkosi said.
    """
    definition = build.workspace / "definition"
    shutil.rmtree(definition, ignore_errors=True)
    shutil.copytree(places.DEFINITION, definition, symlinks=True)
    sources = build.workspace / "sandbox/etc/apt/sources.list.d/mkosi.sources"
    sources.parent.mkdir(parents=True, exist_ok=True)
    sources.write_text(build.mirror.sources())
    made = build.workspace / "output"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    (build.workspace / "scratch").mkdir(exist_ok=True)
    (build.workspace / "installed").mkdir(exist_ok=True)
    (build.cache / "packages").mkdir(exist_ok=True)
    build.toolchain.run_logged(
        [*mkosi_command(build), *_python_trees(), "build"],
        remedy=_REMEDY,
        log=build.log,
        seen=(
            Place(outside=build.workspace, inside=TOP / "build"),
            Place(outside=build.cache / "packages", inside=TOP / "packages"),
            Place(outside=build.keys.folder, inside=TOP / "keys"),
            Place(outside=packages.locked, inside=TOP / "locked"),
            Place(outside=packages.source, inside=TOP / "source"),
        ),
    )


def mkosi_command(build: Build) -> list[str]:
    """Return how mkosi is called inside the toolchain."""
    top, secrets = TOP / "build", TOP / "keys"
    settings = {
        "directory": top / "definition",
        "output-directory": top / "output",
        "workspace-directory": top / "scratch",
        "package-cache-dir": TOP / "packages",
        "sandbox-tree": top / "sandbox",
        "extra-tree": top / "staged",
        "image-version": build.version,
        "source-date-epoch": build.epoch_seconds,
        "seed": build.seed,
        "secure-boot": "yes",
        "secure-boot-auto-enroll": "no",
        "secure-boot-key": secrets / "boot.key",
        "secure-boot-certificate": secrets / "boot.crt",
        "verity-key": secrets / "verity.key",
        "verity-certificate": secrets / "verity.crt",
        "sign-expected-pcr": "yes",
        "sign-expected-pcr-key": secrets / "pcr.key",
        "sign-expected-pcr-certificate": secrets / "pcr.crt",
    }
    words = [f"--{name}={value}" for name, value in settings.items()]
    if build.is_quick:
        words += ["--incremental=yes", f"--cache-directory={top / 'installed'}"]
    return ["mkosi", "--force", *words]


def _python_trees() -> list[str]:
    return [f"--extra-tree={TOP / kind / 'site'}:{staging.SITE}" for kind in ("locked", "source")]


def publish(build: Build) -> Path:
    """Move what was made into ``image/out``, in place of what was there; return the disk."""
    made = build.workspace / "output"
    for old in build.out.glob("coffer_*"):
        old.unlink()
    for file in sorted(made.glob("coffer_*")):
        if not file.is_symlink():
            shutil.move(file, build.out / file.name)
    return build.out / f"coffer_{build.version}.raw"


def describe(disk: Path) -> str:
    """Return a line on a disk: its size, and how much of it is in use."""
    allocated = disk.stat().st_blocks * 512
    return f"{disk.name}: {disk.stat().st_size >> 20} MiB, {allocated >> 20} MiB of them written"


def read_json(path: Path) -> object:
    """Return a JSON file's content."""
    return json.loads(path.read_text(encoding="utf-8"))
