"""The build as a table of contents: each line of :func:`build_image` is a step, in order."""

import datetime
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from firmware.cards.catalogue import Profile
from image import (
    bundle,
    keys,
    lock,
    manifest,
    materials,
    measure,
    mirror,
    places,
    repository,
    resolve,
    sign,
    staging,
    sums,
    toolchain,
)
from image.build import Build
from image.drivers import recipes, support, workshop
from image.errors import ImageError
from image.sign import Output
from image.signing import Signer, Token
from image.toolchain import TOP, Place
from image.wheels import Wheels

_VERSION: Final = "%Y%m%d.%H%M%S"
_ARCHIVE: Final = TOP / "archive"
_REMEDY: Final = (
    "read the log's end; a name of a package or module in image/definition may be wrong"
)


def build_image(
    say: Callable[[str], None],
    *,
    is_quick: bool = False,
    is_signed: bool = True,
    snapshots: Sequence[str] = (),
    profiles: Sequence[str] = (),
    token: Token | None = None,
) -> Path:
    """Make the disk image and all that goes with it in ``image/out``; return the disk.

    is_signed: else stop at the unsigned one, which :func:`sign_image` takes up
    profiles: folders of image/definition/mkosi.profiles: what it has beyond the base
    snapshots: URIs of archives that have packages which the mirror has no more
    token: where keys lie that are no files
    Raises: ImageError, with cause and remedy.
    """
    began = time.monotonic()
    kind = "warm" if toolchain.is_made() else "cold"
    signs = in_files(token) & set(keys.NAMES if is_signed else keys_of_layout(profiles))
    build = prepare(say, is_quick=is_quick, snapshots=snapshots, profiles=profiles, signs=signs)
    for gap in support.gaps(build.profiles):
        say(gap)
    say("laying out Coffer")
    packages = staging.lay_out(build, signer_of(build, token))
    say("making the disk")
    make_disk(build, packages)
    say("writing what is in it")
    manifest.write(build, packages)
    made = Output(folder=build.workspace / "output", version=build.version)
    say(materials.write(build, made, packages).summary)
    unsigned = publish(build, places.UNSIGNED)
    disk = _finish(say, build, token) if is_signed else unsigned
    note_time(places.TIMES, kind, time.monotonic() - began)
    return disk


def sign_image(say: Callable[[str], None], token: Token | None) -> Path:
    """Sign the unsigned disk in ``image/out``, also again; return the signed disk.

    token: where keys lie that are no files
    Raises: ImageError if there is none, or a key fails.
    """
    return _finish(say, prepare_again(say, sign.find(places.UNSIGNED), in_files(token)), token)


def renew_index(say: Callable[[str], None], token: Token | None) -> None:
    """Say for another month that the bundle in ``image/out`` is the newest.

    token: where keys lie that are no files
    Raises: ImageError if there is none, or a key fails.
    """
    made = sign.find(places.OUT)
    build = prepare_again(say, made, in_files(token) & {sums.KEY})
    signer = signer_of(build, token)
    bundle.say_newest(places.OUT, made.version, signer)
    sums.write(places.OUT, made.version, signer)


def signer_of(build: Build, token: Token | None) -> Signer:
    """Return who signs a build: with keys in files, but for those that lie in a token."""
    return Signer(keys=build.keys, tools=build.toolchain, token=token)


def in_files(token: Token | None) -> frozenset[str]:
    """Return the names of the keys that do not lie in a token."""
    return frozenset(keys.NAMES) - (token.holds if token else frozenset())


def keys_of_layout(profiles: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the keys that sign what is laid out in an image of these profiles."""
    return (workshop.KEY,) if recipes.of_profiles(recipes.read(), profiles) else ()


def prepare_again(say: Callable[[str], None], made: Output, signs: Collection[str] = ()) -> Build:
    """Gather the inputs of a build that is made, to go on with it.

    signs: names of the keys that are to sign and are files
    Raises: ImageError if one is missing.
    """
    profiles = manifest.read_profiles(made.file("manifest.json"))
    given = prepare(say, is_quick=True, snapshots=(), profiles=profiles, signs=signs)
    return replace(given, version=made.version, epoch_seconds=epoch_of(made.version))


def _finish(say: Callable[[str], None], build: Build, token: Token | None) -> Path:
    say("signing it")
    made = build.workspace / "output"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    signer = signer_of(build, token)
    signed_at = datetime.datetime.fromtimestamp(build.epoch_seconds, datetime.UTC)
    sign.sign(sign.find(places.UNSIGNED), signer, made, signed_at)
    say("predicting what it measures")
    measure.write(build)
    say("writing the update bundle")
    bundle.write(build, signer)
    sums.write(made, build.version, signer)
    return publish(build, build.out)


def prepare(
    say: Callable[[str], None],
    *,
    is_quick: bool,
    snapshots: Sequence[str],
    profiles: Sequence[str] = (),
    signs: Collection[str] = (),
) -> Build:
    """Gather all inputs of a build.

    signs: names of the keys that are to sign and are files
    Raises: ImageError if a key, the mirror or a tool is missing.
    """
    require_root()
    os.umask(0o022)
    places.OUT.mkdir(exist_ok=True)
    log = places.OUT / "build.log"
    log.unlink(missing_ok=True)
    locked = lock.read()
    chosen = require_profiles(profiles)
    added = resolve.wanted_of_profiles()
    lock.require_complete(locked, resolve.wanted() | {name: added[name] for name in chosen})
    built = ("drivers",) if recipes.of_profiles(recipes.read(), chosen) else ()
    signing = keys.read(places.keys(), sign=signs)
    needed = locked.only((*lock.SETS, *chosen, *built))
    say("preparing the packages and the tools")
    archive = repository.prepare(needed, [*mirror.read_mirror().uris, *snapshots])
    tools = toolchain.prepare(archive, log)
    workspace = places.cache() / "work"
    workspace.mkdir(parents=True, exist_ok=True)
    epoch = read_epoch()
    return Build(
        version=version_at(epoch),
        epoch_seconds=epoch,
        keys=signing,
        lock=locked,
        archive=archive,
        toolchain=tools,
        cache=places.cache(),
        workspace=workspace,
        out=places.OUT,
        profiles=chosen,
        is_quick=is_quick,
    )


def require_profiles(names: Sequence[str]) -> tuple[str, ...]:
    """Return profiles in the order of their names, each once; the base is in all images.

    Raises: ImageError if there is none of a name.
    """
    known = sorted(resolve.wanted_of_profiles())
    for name in names:
        if name not in (*known, Profile.BASE.value):
            raise ImageError(f"there is no profile {name}", f"choose of {', '.join(known)}")
    return tuple(name for name in known if name in names)


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
    return when.strftime(_VERSION)


def epoch_of(version: str) -> int:
    """Return the time that a version is named for, in seconds since 1970.

    Raises: ImageError if it is no version.
    """
    try:
        when = datetime.datetime.strptime(version, _VERSION).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise ImageError(f"{version} is no version of an image", "build again") from None
    return int(when.timestamp())


def make_disk(build: Build, packages: Wheels) -> None:
    """Have mkosi install and assemble, without a key; about two minutes.

    Raises: CommandFailed with the end of what mkosi said.
    """
    definition = build.workspace / "definition"
    shutil.rmtree(definition, ignore_errors=True)
    shutil.copytree(places.DEFINITION, definition, symlinks=True)
    locked_on = datetime.datetime.combine(build.lock.written, datetime.time(), datetime.UTC)
    (definition / "locked-on").write_text(f"{int(locked_on.timestamp())}\n")
    for tree in (definition, build.staged):
        staging.settle(tree, build.epoch_seconds)
    sources = build.workspace / "sandbox/etc/apt/sources.list.d/mkosi.sources"
    sources.parent.mkdir(parents=True, exist_ok=True)
    sources.write_text(repository.sources(_ARCHIVE))
    made = build.workspace / "output"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    (build.workspace / "scratch").mkdir(exist_ok=True)
    _renew(build.workspace / "installed", build.chosen)
    _renew(build.cache / "packages", build.chosen)
    build.toolchain.run_logged(
        [*mkosi_command(build), *_python_trees(), "build"],
        remedy=_REMEDY,
        log=build.log,
        seen=(
            Place(outside=build.workspace, inside=TOP / "build"),
            Place(outside=build.cache / "packages" / build.chosen, inside=TOP / "packages"),
            Place(outside=build.archive, inside=_ARCHIVE),
            Place(outside=packages.locked, inside=TOP / "locked"),
            Place(outside=packages.source, inside=TOP / "source"),
        ),
    )


def mkosi_command(build: Build) -> list[str]:
    """Return how mkosi is called inside the toolchain."""
    top = TOP / "build"
    settings = {
        "directory": top / "definition",
        "output-directory": top / "output",
        "workspace-directory": top / "scratch",
        "package-cache-dir": TOP / "packages",
        "sandbox-tree": top / "sandbox",
        "extra-tree": top / "staged",
        # Bound where apt sees it; the sources above say how it is used.
        "local-mirror": f"file://{_ARCHIVE}",
        "image-version": build.version,
        "source-date-epoch": build.epoch_seconds,
        "seed": build.seed,
    }
    words = [f"--{name}={value}" for name, value in settings.items()]
    words += [f"--profile={name}" for name in build.profiles]
    if build.is_quick:
        words += ["--incremental=yes", f"--cache-directory={top / 'installed' / build.chosen}"]
    return ["mkosi", "--force", *words]


def _renew(folder: Path, name: str) -> None:
    """Leave of a folder only what it keeps for one choice of packages."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    for other in folder.iterdir():
        if other.name != name:
            shutil.rmtree(other) if other.is_dir() else other.unlink()


def _python_trees() -> list[str]:
    return [f"--extra-tree={TOP / kind / 'site'}:{staging.SITE}" for kind in ("locked", "source")]


def publish(build: Build, folder: Path) -> Path:
    """Move what was made into a folder, in place of what was there; return the disk."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("coffer_*"):
        old.unlink()
    for file in sorted((build.workspace / "output").glob("coffer_*")):
        if not file.is_symlink():
            shutil.move(file, folder / file.name)
    return folder / f"coffer_{build.version}.raw"


def note_time(file: Path, kind: str, seconds: float) -> None:
    """Note how long the last build of a kind took, beside those of other kinds."""
    held = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(json.dumps(held | {kind: round(seconds, 1)}), encoding="utf-8")


def describe(disk: Path) -> str:
    """Return a line on a disk: its size, and how much of it is in use."""
    allocated = disk.stat().st_blocks * 512
    return f"{disk.name}: {disk.stat().st_size >> 20} MiB, {allocated >> 20} MiB of them written"


def read_json(path: Path) -> object:
    """Return a JSON file's content."""
    return json.loads(path.read_text(encoding="utf-8"))
