"""The lock: every Debian package of the image, its initrd and the tools, by version and hash."""

import datetime
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from image.errors import LockError
from image.mirror import SUITE

FILE: Final = Path(__file__).with_name("lock.toml")
# What each image needs. Others are of a profile, by its name, or ``drivers``: built, not installed.
SETS: Final = ("image", "initrd", "tools")
REMEDY: Final = "write the lock anew, read what changed, and commit it: make image-lock"
_HEADER: Final = (
    "# Every Debian package of the image, its initrd and the tools that make them, at the only "
    "version and content that a build takes.\n"
    '# Written by "make image-lock"; do not edit. file: below an archive; sets: what needs it.\n'
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Package:
    """One Debian package file.

    file: its path below the archive that has it; sets: what it is needed for
    """

    name: str
    version: str
    architecture: str
    size_bytes: int
    sha256: str
    file: str
    sets: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """The name of the file in a folder of packages: no two packages share it."""
        version = self.version.replace(":", "%3a")
        return f"{self.name}_{version}_{self.architecture}.deb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All packages that a build may take, and the day that they were chosen on."""

    written: datetime.date
    packages: tuple[Package, ...]

    def of(self, name: str) -> tuple[Package, ...]:
        """Return the packages of one set."""
        return tuple(package for package in self.packages if name in package.sets)

    def only(self, sets: Iterable[str]) -> "Lock":
        """Return the lock of what some sets need."""
        wanted = frozenset(sets)
        needed = tuple(one for one in self.packages if not wanted.isdisjoint(one.sets))
        return replace(self, packages=needed)

    def digest(self, name: str) -> str:
        """Return one hash over all packages of a set, in hexadecimal."""
        lines = sorted(f"{one.file_name} {one.sha256}\n" for one in self.of(name))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def get(self, name: str, version: str) -> Package:
        """Return a package.

        Raises: LockError if it is not in the lock, or in another version.
        """
        for package in self.packages:
            if package.name == name:
                if package.version != version:
                    raise LockError(f"{name} {version} is not the locked {package.version}", REMEDY)
                return package
        raise LockError(f"{name} {version} is not in the lock", REMEDY)


def require_complete(lock: Lock, asked: Mapping[str, Iterable[str]]) -> None:
    """Refuse a lock without a package that is asked for by name.

    Raises: LockError, which names what is missing.
    """
    for kind, names in asked.items():
        has = {package.name for package in lock.of(kind)}
        missing = sorted(name for name in names if not name.startswith("?") and name not in has)
        if missing:
            raise LockError(f"the lock has no {', '.join(missing)} for the {kind}", REMEDY)


def read(file: Path = FILE) -> Lock:
    """Return the lock in the tree.

    Raises: LockError if it is missing or damaged.
    """
    try:
        return parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LockError(f"there is no {file}", REMEDY) from None


def parse(text: str) -> Lock:
    """Return the lock that a text holds.

    Raises: LockError if it holds none, or two packages of one name.
    """
    try:
        held = tomllib.loads(text)
        packages = tuple(_package(one) for one in held["packages"])
        lock = Lock(written=held["written"], packages=packages)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise LockError(f"the lock cannot be read: {error!r}", REMEDY) from None
    if len({package.name for package in packages}) != len(packages):
        raise LockError("the lock names a package twice", REMEDY)
    return lock


def _package(fields: Mapping[str, object]) -> Package:
    sets, size = fields["sets"], fields["size"]
    if not isinstance(sets, list) or not isinstance(size, int):
        raise ValueError(f"no package: {fields}")
    texts = {name: str(fields[name]) for name in ("name", "version", "architecture", "file")}
    sha256 = str(fields["sha256"])
    if len(bytes.fromhex(sha256)) != 32:
        raise ValueError(f"no hash: {sha256}")
    return Package(**texts, sha256=sha256, size_bytes=size, sets=tuple(map(str, sets)))


def changes(before: Lock | None, after: Lock) -> list[str]:
    """Return a line for each package that came, went, or is another than before."""
    old = {one.name: one for one in before.packages} if before else {}
    new = {one.name: one for one in after.packages}
    lines = [f"gone: {name} {old[name].version}" for name in sorted(old.keys() - new.keys())]
    lines += [f"new: {name} {new[name].version}" for name in sorted(new.keys() - old.keys())]
    for name in sorted(old.keys() & new.keys()):
        if old[name].sha256 != new[name].sha256:
            lines.append(f"changed: {name} {old[name].version} to {new[name].version}")
    return lines


def format_lock(lock: Lock) -> str:
    """Return a lock as the text that it is read from; a line for each package."""
    lines = [
        f'  {{ name = "{one.name}", version = "{one.version}", '
        f'architecture = "{one.architecture}", sets = {list(one.sets)!r}, '
        f'size = {one.size_bytes}, sha256 = "{one.sha256}", file = "{one.file}" }},'.replace(
            "'", '"'
        )
        for one in sorted(lock.packages)
    ]
    head = f'{_HEADER}release = "{SUITE}"\nwritten = {lock.written.isoformat()}\n'
    return "\n".join([f"{head}packages = [", *lines, "]", ""])
