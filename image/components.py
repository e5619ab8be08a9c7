"""What an image is made of, as components with names, versions, hashes and licences."""

import email.parser
import hashlib
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from email.message import Message
from enum import Enum
from pathlib import Path
from typing import Final

from image.lock import Package
from image.ownership import COFFER, Contents
from image.wheels import Wheels

_DEP5: Final = re.compile(r"^format:.*copyright-format", re.IGNORECASE | re.MULTILINE)
_LICENCE: Final = re.compile(r"^license:[ \t]*(\S[^\n]*)$", re.IGNORECASE | re.MULTILINE)
_LIBRARY: Final = re.compile(r"(^|/)lib[^/]+\.so(\.[0-9.]+)?$")


class Kind(Enum):
    """What a component is."""

    DEBIAN = "deb"
    PYTHON = "wheel"
    NATIVE = "library"
    COFFER = "application"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Component:
    """One thing with a name and a version that files of the image come from.

    reference: its name in the inventory; part_of: the component that it came in, if in one
    url: a package URL; licences: names as its authors give them, maybe none
    sets: what it is needed for: ``image``, ``initrd``
    """

    reference: str
    kind: Kind
    name: str
    version: str
    sha256: str
    url: str
    licences: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    part_of: str = ""


def of_packages(packages: Iterable[Package], contents: Mapping[str, Contents]) -> list[Component]:
    """Return Debian packages as components."""
    return [
        Component(
            reference=f"deb:{one.name}",
            kind=Kind.DEBIAN,
            name=one.name,
            version=one.version,
            sha256=one.sha256,
            url=f"pkg:deb/debian/{one.name}@{_quoted(one.version)}"
            f"?arch={one.architecture}&distro=debian-13",
            licences=licences_of(contents[one.name].copyright),
            sets=tuple(name for name in one.sets if name != "tools"),
        )
        for one in packages
    ]


def licences_of(text: str) -> tuple[str, ...]:
    """Return the licences that a machine-readable copyright file names; none if it is not one."""
    if not _DEP5.search(text):
        return ()
    return tuple(sorted({name.strip() for name in _LICENCE.findall(text)}))


def of_wheels(wheels: Wheels, version: str) -> list[Component]:
    """Return Python packages, the native libraries in them, and Coffer, as components.

    version: of the image, which is Coffer's
    """
    found: list[Component] = []
    for file in sorted((wheels.locked / "wheels").glob("*.whl")):
        found += of_wheel(file)
    for file in sorted((wheels.source / "wheels").glob("*.whl")):
        own = of_wheel(file)[0]
        url = f"pkg:generic/coffer@{own.version}"
        found.append(replace(own, reference=COFFER, kind=Kind.COFFER, url=url, sets=("image",)))
    return found


def of_wheel(file: Path) -> list[Component]:
    """Return a wheel as a component, and after it the shared libraries that it brings along."""
    name, version = file.name.split("-")[:2]
    normal = re.sub(r"[-_.]+", "-", name).lower()
    found = []
    with zipfile.ZipFile(file) as held:
        described = next(one for one in held.namelist() if one.endswith(".dist-info/METADATA"))
        metadata = email.parser.Parser().parsestr(held.read(described).decode("utf-8", "replace"))
        package = Component(
            reference=f"wheel:{name}",
            kind=Kind.PYTHON,
            name=normal,
            version=version,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            url=f"pkg:pypi/{normal}@{_quoted(version)}",
            licences=_wheel_licences(metadata.get_all("License-Expression"), metadata),
            sets=("image",),
        )
        for path in filter(_LIBRARY.search, held.namelist()):
            found.append(_library(path, held.read(path), package))
    return [package, *found]


def _library(path: str, content: bytes, package: Component) -> Component:
    name = path.rsplit("/", 1)[-1]
    return Component(
        reference=f"library:{path}",
        kind=Kind.NATIVE,
        name=name,
        version=package.version,
        sha256=hashlib.sha256(content).hexdigest(),
        url=f"{package.url}#{path}",
        sets=("image",),
        part_of=package.reference,
    )


def _wheel_licences(expressions: list[str] | None, metadata: Message) -> tuple[str, ...]:
    if expressions:
        return tuple(expressions)
    classifiers = [
        value.rsplit(" :: ", 1)[-1]
        for name, value in metadata.items()
        if name == "Classifier" and value.startswith("License :: ")
    ]
    if classifiers:
        return tuple(sorted(classifiers))
    stated = metadata.get("License", "")
    return (stated,) if 0 < len(stated) < 60 else ()


def _quoted(version: str) -> str:
    return version.replace("+", "%2B").replace(":", "%3A").replace("~", "%7E")
