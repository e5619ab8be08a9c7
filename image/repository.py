"""A Debian archive on this machine that has the packages of the lock, and nothing else.

mkosi and mmdebstrap install from it, so what is not locked cannot get in.
"""

import hashlib
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import quote

from image import places
from image.errors import LockError
from image.lock import REMEDY, Lock, Package
from image.mirror import SUITE

_AT_ONCE: Final = 4
_SECONDS: Final = 60.0
# Names that do not resolve and connections that break are tried again, this many times in all.
_TRIES: Final = 4


def prepare(lock: Lock, sources: Sequence[str]) -> Path:
    """Return the archive's folder, made unless it is there; the packages lie in its ``pool``.

    sources: URIs of archives that may have what the cache has not, in order
    Raises: LockError if a package cannot be had, or is not what the lock says.
    """
    packages = places.cache() / "debs"
    packages.mkdir(parents=True, exist_ok=True)
    sets = sorted({name for one in lock.packages for name in one.sets})
    digest = hashlib.sha256("".join(map(lock.digest, sets)).encode()).hexdigest()
    archive = places.cache() / f"archive-{digest[:16]}"
    if not archive.exists():
        with ThreadPoolExecutor(_AT_ONCE) as at_once:
            files = list(at_once.map(lambda one: fetch(one, packages, sources), lock.packages))
            paragraphs = list(at_once.map(paragraph, lock.packages, files))
        unfinished = archive.with_name(f"{archive.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        (unfinished / "pool").mkdir(parents=True)
        for package, file in zip(lock.packages, files, strict=True):
            os.link(file, unfinished / place_of(package))
        _write_indexes(unfinished, "\n".join(paragraphs))
        unfinished.rename(archive)
    return archive


def sources(archive: Path) -> str:
    """Return an archive of ours as apt's sources, in its deb822 form; the lock vouches for it."""
    return f"Types: deb\nURIs: copy://{archive}\nSuites: {SUITE}\nComponents: main\nTrusted: yes\n"


def fetch(package: Package, folder: Path, sources: Iterable[str]) -> Path:
    """Return a package's file in a folder, fetched from the first source that has it.

    Raises: LockError if none has it, or a source has another file of its name.
    """
    file = folder / package.file_name
    if not file.exists():
        content = _download(package, sources)
        require_locked(package, content, "the mirror")
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.rename(file)
        return file
    require_locked(package, file.read_bytes(), str(file))
    return file


def require_locked(package: Package, content: bytes, where: str) -> None:
    """Refuse what is not the very file that was locked.

    Raises: LockError
    """
    if hashlib.sha256(content).hexdigest() != package.sha256:
        raise LockError(
            f"{package.name} {package.version} in {where} is not the file that was locked",
            "it may be damaged or forged: remove it, and see what another mirror has",
        )


def _download(package: Package, sources: Iterable[str]) -> bytes:
    for source in sources:
        content = _try_source(package, f"{source}/{quote(package.file)}")
        if content is not None:
            return content
    raise LockError(
        f"{package.name} {package.version} is locked, and neither the cache nor the mirror has it",
        f"name an archive that keeps old packages (--snapshot URI), or {REMEDY}",
    )


def _try_source(package: Package, uri: str) -> bytes | None:
    """Return a file of an archive; None if the archive does not have it."""
    for left in reversed(range(_TRIES)):
        try:
            return _read(uri, package.size_bytes)
        except urllib.error.HTTPError as error:
            if error.code in (403, 404, 410):
                return None
            reason: OSError = error
        except OSError as error:
            reason = error
        if left:
            time.sleep(_TRIES - left)
    raise LockError(
        f"{package.name} {package.version} could not be fetched: {reason}",
        "check the network, then run the same command again",
    )


def _read(uri: str, size_bytes: int) -> bytes:
    if not uri.startswith(("http://", "https://")):
        raise LockError(f"{uri} is no address of the web", "name an archive by http:// or https://")
    with urllib.request.urlopen(uri, timeout=_SECONDS) as answer:  # noqa: S310 (looked at above)
        content: bytes = answer.read(size_bytes + 1)
    return content


def paragraph(package: Package, file: Path) -> str:
    """Return what an index of packages says of a package.

    Raises: LockError if it is another one than its name says.
    """
    asked = subprocess.run(
        ["dpkg-deb", "--field", str(file)], capture_output=True, text=True, check=False
    )
    fields = dict(
        line.split(": ", 1) for line in asked.stdout.splitlines() if ": " in line and line[0] != " "
    )
    is_it = (package.name, package.version, package.architecture)
    if (fields.get("Package"), fields.get("Version"), fields.get("Architecture")) != is_it:
        raise LockError(f"{file} does not hold {' '.join(is_it)}", REMEDY)
    return (
        f"{asked.stdout.rstrip()}\nFilename: {place_of(package)}\n"
        f"Size: {package.size_bytes}\nSHA256: {package.sha256}\n"
    )


def place_of(package: Package) -> str:
    """Return where an archive of ours has a package: without characters that apt would escape."""
    return f"pool/{package.sha256}.deb"


def _write_indexes(archive: Path, packages: str) -> None:
    index = archive / "dists" / SUITE / "main" / "binary-amd64" / "Packages"
    index.parent.mkdir(parents=True)
    index.write_text(packages, encoding="utf-8")
    content = packages.encode()
    (archive / "dists" / SUITE / "Release").write_text(
        f"Origin: Coffer\nLabel: Coffer\nSuite: {SUITE}\nCodename: {SUITE}\n"
        "Architectures: amd64\nComponents: main\nDate: Thu, 01 Jan 1970 00:00:00 UTC\nSHA256:\n"
        f" {hashlib.sha256(content).hexdigest()} {len(content)} main/binary-amd64/Packages\n"
    )
