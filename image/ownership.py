"""Which component each file of ``/usr`` comes from: a Debian package, a wheel, or Coffer itself."""

import json
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image import places
from image.errors import ImageError
from image.lock import Package
from image.staging import SITE
from image.wheels import Wheels

COFFER: Final = "coffer"
FACTORY: Final = "usr/share/factory/"
_MERGED: Final = ("bin", "lib", "lib64", "sbin")
_MOST_COPYRIGHT_BYTES: Final = 1 << 20
# Files in no package's list, since a package's scripts or the image's definition make them, and the
# component that they belong to. What a pattern names in its groups, the component's name repeats.
_MADE: Final = (
    (r"usr/lib/modules/(?P<kernel>[^/]+)/(modules\..*|vmlinuz)", "deb:linux-image-{kernel}"),
    (r"usr/lib/udev/hwdb\.bin", "deb:udev"),
    (r"usr/lib/systemd/catalog/database", "deb:systemd"),
    (r"usr/bin/n?awk|etc/alternatives/n?awk", "deb:mawk"),
    (r"usr/(bin/mt|sbin/rmt)|etc/alternatives/(mt|rmt)", "deb:cpio"),
    (r"(usr/bin|etc/alternatives)/which", "deb:debianutils"),
    (r"(usr/bin|etc/alternatives)/pager", "deb:util-linux"),
    (r"etc/(passwd|group|shadow|gshadow)", "deb:base-passwd"),
    (r"etc/(environment|security/opasswd|pam\.d/common-.*)", "deb:libpam-runtime"),
    (r"etc/(nsswitch\.conf|networks|profile|inputrc|mtab)", "deb:base-files"),
    (r"etc/(modules|modules-load\.d/.*)", "deb:kmod"),
    (r"etc/ld\.so\.cache", "deb:libc-bin"),
    (r"etc/shells", "deb:debianutils"),
    (r"etc/localtime|etc/timezone", "deb:tzdata"),
    (r"etc/(ca-certificates\.conf|ssl/certs/.*)", "deb:ca-certificates"),
    (r"etc/chrony/chrony\.keys", "deb:chrony"),
    (r"etc/apparmor\.d/local/usr\.sbin\.chronyd", "deb:chrony"),
    (r"etc/initramfs-tools/modules", "deb:initramfs-tools-core"),
    (r"etc/lighttpd/.*javascript.*", "deb:javascript-common"),
    # Of mkosi's settings and of mkosi.finalize: they say of the image as a whole what it is.
    (r"etc/systemd/(system|user)/.*", COFFER),
    (r"usr/lib/(clock-epoch|credstore/(firstboot|passwd)\..*)", COFFER),
    (r"usr/lib/coffer/apparmor", COFFER),
    (r"etc/(fstab|hostname|hosts|resolv\.conf|locale\.conf|vconsole\.conf|default/locale)", COFFER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a package file holds: paths of files without a leading slash, and its copyright."""

    files: tuple[str, ...]
    copyright: str


def read_contents(packages: Iterable[Package], archive: Path) -> dict[str, Contents]:
    """Return what each package holds, by its name; what was read once is kept in the cache.

    Raises: ImageError if a package file is damaged.
    """
    kept = places.cache() / "contents"
    kept.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as at_once:
        both = at_once.map(lambda one: (one.name, _contents(one, archive, kept)), packages)
        return dict(both)


def _contents(package: Package, archive: Path, kept: Path) -> Contents:
    file = kept / f"{package.sha256}.json"
    if file.exists():
        held = json.loads(file.read_text(encoding="utf-8"))
        return Contents(files=tuple(held["files"]), copyright=held["copyright"])
    contents = read_package(archive / "pool" / f"{package.sha256}.deb", package.name)
    held = {"files": contents.files, "copyright": contents.copyright}
    file.write_text(json.dumps(held), encoding="utf-8")
    return contents


def read_package(file: Path, name: str) -> Contents:
    """Return what a package file holds.

    Raises: ImageError if it cannot be read.
    """
    files, copyright_text = [], ""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as reading:
        try:
            with tarfile.open(fileobj=reading.stdout, mode="r|") as held:
                for one in held:
                    path = merged(one.name)
                    if not one.isdir():
                        files.append(path)
                    if path == f"usr/share/doc/{name}/copyright" and one.isfile():
                        content = held.extractfile(one)
                        text = content.read(_MOST_COPYRIGHT_BYTES) if content else b""
                        copyright_text = text.decode("utf-8", errors="replace")
        except tarfile.TarError as error:
            raise ImageError(
                f"{file} cannot be read: {error}", "remove it and build again"
            ) from None
    return Contents(files=tuple(files), copyright=copyright_text)


def merged(path: str) -> str:
    """Return a path as it is in a system whose ``/bin``, ``/lib`` and ``/sbin`` lie in ``/usr``."""
    clean = path.removeprefix("./").strip("/")
    return f"usr/{clean}" if clean.split("/", 1)[0] in _MERGED else clean


def read_wheel(file: Path) -> list[str]:
    """Return the paths that a wheel installs, as they lie in the image.

    Raises: ImageError if it is none.
    """
    try:
        with zipfile.ZipFile(file) as held:
            names = [one.filename for one in held.infolist() if not one.is_dir()]
    except zipfile.BadZipFile as error:
        raise ImageError(f"{file} is no wheel: {error}", "remove it and build again") from None
    site = str(SITE).lstrip("/")
    installed = (re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", name) for name in names)
    return [f"{site}/{name}" for name in installed]


def owners(
    contents: Mapping[str, Contents], wheels: Wheels, staged: Iterable[Path]
) -> dict[str, str]:
    """Return the component of each path: ``deb:name``, ``wheel:name`` or ``coffer``.

    staged: trees that are laid over the image as they are
    """
    found = {path: f"deb:{name}" for name, one in contents.items() for path in one.files}
    for folder in (wheels.locked, wheels.source):
        for wheel in sorted((folder / "wheels").glob("*.whl")):
            name = wheel.name.split("-")[0]
            owner = COFFER if folder == wheels.source else f"wheel:{name}"
            found |= dict.fromkeys(read_wheel(wheel), owner)
    for tree in staged:
        for path in tree.rglob("*"):
            if not path.is_dir() or path.is_symlink():
                found[str(path.relative_to(tree))] = COFFER
    return found


def owner_of(path: str, known: Mapping[str, str]) -> str | None:
    """Return the component of one file of the image; None if it has none.

    path: without a leading slash. A file of the factory's ``/etc`` is its package's file of
    ``/etc``; a compiled module is its source's.
    """
    plain = path.removeprefix(FACTORY)
    for name in (path, plain, _source(path)):
        if name in known:
            return known[name]
    for pattern, component in _MADE:
        matched = re.fullmatch(pattern, plain)
        if matched:
            return component.format(**matched.groupdict())
    return None


def _source(path: str) -> str:
    return re.sub(r"__pycache__/([^/]+)\.cpython-\d+(\.opt-\d)?\.pyc$", r"\1.py", path)
