"""What is in an image: each Debian package and each wheel, by version and hash."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from image.build import Build
from image.errors import ImageError
from image.lock import Package
from image.wheels import Wheels


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Part:
    """Something that was put into the image as a whole.

    kind: ``deb`` or ``wheel``; sha256: of its file as fetched or built, in hexadecimal
    """

    kind: str
    name: str
    version: str
    sha256: str


def write(build: Build, wheels: Wheels) -> None:
    """Write the manifest beside the disk.

    Raises: ImageError if mkosi's own is missing or names a package that the lock has not.
    """
    made = build.workspace / "output"
    debs = parse_packages((made / f"coffer_{build.version}.manifest").read_text(encoding="utf-8"))
    parts = [deb_part(build.lock.get(name, version)) for name, version in debs]
    parts += [parse_wheel(line) for line in wheels.read_hashes()]
    (made / f"coffer_{build.version}.manifest").unlink()
    file = made / f"coffer_{build.version}.manifest.json"
    file.write_text(format_manifest(build.version, build.profiles, parts), encoding="utf-8")


def format_manifest(version: str, profiles: Iterable[str], parts: Iterable[Part]) -> str:
    """Return the manifest as JSON, in an order that depends on its content alone."""
    listed = [asdict(part) for part in sorted(parts)]
    held = {"image": "coffer", "version": version, "profiles": list(profiles), "parts": listed}
    return json.dumps(held, indent=1) + "\n"


def read_profiles(file: Path) -> tuple[str, ...]:
    """Return the profiles of the image that a manifest is of.

    Raises: ImageError if it is none.
    """
    try:
        return tuple(map(str, json.loads(file.read_text(encoding="utf-8"))["profiles"]))
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ImageError(f"{file} cannot be read: {error!r}", "build again") from None


def parse_packages(text: str) -> list[tuple[str, str]]:
    """Return name and version of each Debian package in mkosi's manifest.

    Raises: ImageError if there is none.
    """
    packages = json.loads(text).get("packages", [])
    found = [(one["name"], one["version"]) for one in packages if one["type"] == "deb"]
    if not found:
        raise ImageError("mkosi's manifest names no package", "read the build log")
    return found


def deb_part(package: Package) -> Part:
    """Return a package of the lock as a part."""
    return Part(kind="deb", name=package.name, version=package.version, sha256=package.sha256)


def parse_wheel(line: str) -> Part:
    """Return the part that a line of ``sha256sum`` over wheels names.

    Raises: ImageError if it is no such line.
    """
    words = line.split()
    names = words[1].split("-") if len(words) == 2 else []
    if len(names) < 5:
        raise ImageError(f"this is no wheel's hash: {line}", "build again")
    return Part(kind="wheel", name=names[0], version=names[1], sha256=words[0])
