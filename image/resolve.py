"""Choose the packages of the lock: apt says what it would install on an empty machine.

apt works in a folder of its own, with the build machine's mirrors and none of its settings.
"""

import configparser
import datetime
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from image import command, places, toolchain
from image.drivers import recipes
from image.errors import LockError
from image.lock import Lock, Package
from image.mirror import COMPONENTS, Mirror

# What mkosi installs before anything else, and mmdebstrap likewise for a system that can run.
FIRST: Final = ("?essential", "base-files")
_FIRST_OF_TOOLS: Final = (*FIRST, "?priority(required)", "apt")
_REMEDY: Final = (
    "check the network, and the names of packages in image/definition and image/toolchain.py"
)
_SETTINGS: Final = """
Dir::State "{top}/state";
Dir::State::status "{top}/status";
Dir::Cache "{top}/cache";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{top}/sources";
Dir::Etc::Parts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
"""


def wanted() -> dict[str, tuple[str, ...]]:
    """Return what apt is asked for, by set: as the definition and the list of tools name it."""
    initrd = places.DEFINITION / "mkosi.images" / "initrd" / "mkosi.conf"
    return {
        "image": (*FIRST, *read_packages(places.DEFINITION / "mkosi.conf")),
        "initrd": (*FIRST, *read_packages(initrd)),
        "tools": (*_FIRST_OF_TOOLS, *toolchain.PACKAGES),
    }


def read_packages(definition: Path) -> tuple[str, ...]:
    """Return the packages that a file of mkosi's asks for."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.read(definition, encoding="utf-8")
    return tuple(parser["Content"].get("packages", "").split())


def wanted_of_profiles() -> dict[str, tuple[str, ...]]:
    """Return what each profile adds to what apt is asked for, by the profile's name."""
    return {
        folder.name: read_packages(folder / "mkosi.conf")
        for folder in sorted(places.PROFILES.iterdir())
    }


def resolve_all(mirror: Mirror, *, today: datetime.date) -> Lock:
    """Return the lock of everything: the images, their profiles, and what drivers are built of.

    Only what profiles and drivers ask for may come from outside of Debian's main archive.
    Raises: as :func:`resolve`; ImageError if the image has not one kernel.
    """
    chosen = resolve(mirror, wanted(), today=today)
    image = [one.name for one in chosen.of("image")]
    profiles = {name: (*image, *more) for name, more in wanted_of_profiles().items() if more}
    drivers = recipes.packages(recipes.find_kernel(image))
    added = resolve(
        mirror, profiles, today=today, components=COMPONENTS, fetched={"drivers": drivers}
    )
    known = {one.name: one for one in chosen.packages}
    for one in added.packages:
        before = known.get(one.name)
        if before is None:
            known[one.name] = one
        elif "image" not in before.sets:
            known[one.name] = replace(before, sets=(*before.sets, *one.sets))
    return replace(chosen, packages=tuple(sorted(known.values())))


def resolve(
    mirror: Mirror,
    asked: Mapping[str, Iterable[str]],
    *,
    today: datetime.date,
    components: str = "main",
    fetched: Mapping[str, Iterable[str]] = MappingProxyType({}),
) -> Lock:
    """Return the newest packages of the mirror that satisfy each set; some seconds.

    fetched: sets of packages that nobody installs, so what they depend on is left out
    Raises: CommandFailed if a set cannot be satisfied, LockError if apt's answer has no hashes.
    """
    with tempfile.TemporaryDirectory(prefix="coffer-lock-") as name:
        top = Path(name)
        environment = _set_up(top, mirror, components)
        command.run(["apt-get", "update", "-q"], remedy=_REMEDY, environment=environment)
        found: dict[str, Package] = {}
        verbs = [("install", *one) for one in asked.items()]
        verbs += [("download", *one) for one in fetched.items()]
        for verb, kind, names in verbs:
            said = command.run(
                ["apt-get", "--yes", "--print-uris", verb, *names],
                remedy=_REMEDY,
                environment=environment,
            )
            for package in parse_uris(said, mirror.uris, kind):
                before = found.get(package.name)
                sets = (*before.sets, kind) if before else (kind,)
                found[package.name] = replace(package, sets=sets)
    return Lock(written=today, packages=tuple(sorted(found.values())))


def _set_up(top: Path, mirror: Mirror, components: str) -> dict[str, str]:
    for folder in ("state/lists/partial", "cache/archives/partial", "sources"):
        (top / folder).mkdir(parents=True)
    (top / "status").touch()
    (top / "sources" / "mirror.sources").write_text(mirror.sources(components))
    settings = top / "apt.conf"
    settings.write_text(_SETTINGS.format(top=top))
    return {
        **toolchain.network(),
        "PATH": toolchain.PATH,
        "APT_CONFIG": str(settings),
        "LANG": "C.UTF-8",
    }


def parse_uris(said: str, archives: Iterable[str], kind: str) -> list[Package]:
    """Return the packages that ``apt-get --print-uris`` lists: ``'uri' file size SHA256:hash``.

    Raises: LockError if a line has no hash, or a package comes from none of the archives.
    """
    lines = [line for line in said.splitlines() if line.startswith("'")]
    return [_parse_uri(line, tuple(archives), kind) for line in lines]


def _parse_uri(line: str, archives: tuple[str, ...], kind: str) -> Package:
    words = line.split()
    if len(words) != 4 or not words[3].startswith("SHA256:"):
        raise LockError(f"apt names a package without its hash: {line}", _REMEDY)
    uri, file, size, digest = words
    below = [unquote(uri.strip("'").removeprefix(f"{top}/")) for top in archives if top in uri]
    parts = file.removesuffix(".deb").split("_")
    if not below or len(parts) != 3:
        raise LockError(f"apt names a package that is of no archive: {line}", _REMEDY)
    return Package(
        name=parts[0],
        version=unquote(parts[1]),
        architecture=parts[2],
        size_bytes=int(size),
        sha256=digest.removeprefix("SHA256:"),
        file=min(below, key=len),
        sets=(kind,),
    )
