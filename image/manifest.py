"""What is in an image: each Debian package and each wheel, by version and hash."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from image.build import Build
from image.errors import ImageError
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

    Raises: ImageError if mkosi's own is missing or names a package that the cache has not.
    """
    made = build.workspace / "output"
    debs = parse_packages((made / f"coffer_{build.version}.manifest").read_text(encoding="utf-8"))
    hashes = parse_index(read_indexes(build.cache / "packages"))
    parts = [deb_part(name, version, hashes) for name, version in debs]
    parts += [parse_wheel(line) for line in wheels.read_hashes()]
    (made / f"coffer_{build.version}.manifest").unlink()
    file = made / f"coffer_{build.version}.manifest.json"
    file.write_text(format_manifest(build.version, parts), encoding="utf-8")


def format_manifest(version: str, parts: Iterable[Part]) -> str:
    """Return the manifest as JSON, in an order that depends on its content alone."""
    listed = [asdict(part) for part in sorted(parts)]
    return json.dumps({"image": "coffer", "version": version, "parts": listed}, indent=1) + "\n"


def parse_packages(text: str) -> list[tuple[str, str]]:
    """Return name and version of each Debian package in mkosi's manifest.

    Raises: ImageError if there is none.
    """
    packages = json.loads(text).get("packages", [])
    found = [(one["name"], one["version"]) for one in packages if one["type"] == "deb"]
    if not found:
        raise ImageError("mkosi's manifest names no package", "read the build log")
    return found


def parse_index(text: str) -> dict[tuple[str, str], str]:
    """Return the SHA-256 of each package in apt's ``Packages`` form, by name and version."""
    found = {}
    for paragraph in text.split("\n\n"):
        pairs = (line.partition(":") for line in paragraph.splitlines() if line[:1] != " ")
        fields = {name: value.strip() for name, _, value in pairs}
        if "SHA256" in fields:
            found[fields["Package"], fields["Version"]] = fields["SHA256"]
    return found


def read_indexes(cache: Path) -> str:
    """Return all indexes of packages that apt has fetched, as one text."""
    lists = sorted(cache.glob("**/*_Packages"))
    return "\n\n".join(path.read_text(encoding="utf-8") for path in lists)


def deb_part(name: str, version: str, hashes: dict[tuple[str, str], str]) -> Part:
    """Return a package with its hash.

    Raises: ImageError if no index has it.
    """
    if (name, version) not in hashes:
        raise ImageError(
            f"no index of packages has {name} {version}",
            "remove the folder packages from the cache and build again",
        )
    return Part(kind="deb", name=name, version=version, sha256=hashes[name, version])


def parse_wheel(line: str) -> Part:
    """Return the part that a line of ``sha256sum`` over wheels names.

    Raises: ImageError if it is no such line.
    """
    words = line.split()
    names = words[1].split("-") if len(words) == 2 else []
    if len(names) < 5:
        raise ImageError(f"this is no wheel's hash: {line}", "build again")
    return Part(kind="wheel", name=names[0], version=names[1], sha256=words[0])
