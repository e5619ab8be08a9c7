"""Coffer and the Python packages that it needs, laid out as the image will hold them.

Built in the toolchain, whose Python is the image's, at the versions and hashes of the locks.
"""

import hashlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from image import places
from image.toolchain import TOP, Place, Toolchain

LOCKS: Final = ("requirements-build.txt", "requirements.txt")
PROJECT: Final = ("CMakeLists.txt", "pyproject.toml", "README.md", "LICENSE")
_SCRIPT: Final = "image/wheels.sh"
INSIDE: Final = TOP / "python"
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
"""Of those whom this machine trusts, as Debian keeps them; a site may have added its own."""
_REMEDY: Final = "check the network and the free disk space, then run the same command again"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipSettings:
    """How pip reaches packages on this machine: as environment, and what that names on disk."""

    environment: dict[str, str]
    seen: tuple[Place, ...]


def read_pip_settings() -> PipSettings:
    """Return pip's settings here, from its configuration files and environment.

    Without one of its own it trusts whom this machine trusts, not whom the toolchain does.
    """
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    settings = {"PIP_CERT": str(CERTIFICATES)} if CERTIFICATES.exists() else {}
    settings |= parse_pip_settings(asked.stdout.splitlines())
    settings |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    named = sorted({path for value in settings.values() for path in local_paths(value)})
    seen = tuple(Place(outside=path, inside=path) for path in named if path.exists())
    return PipSettings(environment=settings, seen=seen)


def parse_pip_settings(lines: Iterable[str]) -> dict[str, str]:
    """Turn ``global.index-url='…'`` lines of pip into the environment that means the same."""
    found = {}
    for line in lines:
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        if section in ("global", "install", "download", "wheel"):
            words = value.strip().strip("'\"").replace("\\n", " ").split()
            found[f"PIP_{option.upper().replace('-', '_')}"] = " ".join(words)
    return found


def local_paths(value: str) -> list[Path]:
    """Return the folders and files of this machine that a setting of pip names.

    Of an index in files it is the folder above, since its pages lead to files beside it.
    """
    words = value.split()
    indexes = [Path(urlsplit(word).path).parent for word in words if word.startswith("file:/")]
    return indexes + [Path(word) for word in words if word.startswith("/")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheels:
    """Python packages, laid out as the image will hold them, each kind in a folder.

    locked: those of the locks; source: Coffer's own
    """

    locked: Path
    source: Path

    @property
    def sites(self) -> tuple[Path, Path]:
        """The folders whose content goes into one folder of the image."""
        return self.locked / "site", self.source / "site"

    def read_hashes(self) -> list[str]:
        """Return a line of hash and file name for each wheel."""
        files = (self.locked / "wheels.sha256", self.source / "wheels.sha256")
        return [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def build(toolchain: Toolchain, log: Path) -> Wheels:
    """Return Coffer's Python packages, made unless the cache has them; at most about 5 min.

    Raises: CommandFailed if pip or the native build fails.
    """
    kept = places.cache() / "wheels"
    kept.mkdir(parents=True, exist_ok=True)
    locked = f"locked-{digest((*LOCKS, _SCRIPT))[:16]}"
    sources = (*read_packages(), *PROJECT)
    source = f"source-{digest((*LOCKS, *sources, _SCRIPT))[:16]}"
    wheels = Wheels(locked=kept / locked, source=kept / source)
    if not (wheels.locked.exists() and wheels.source.exists()):
        pip = read_pip_settings()
        toolchain.run_logged(
            ["bash", str(INSIDE / "wheels.sh")],
            remedy=_REMEDY,
            seen=(
                *pip.seen,
                Place(outside=places.TREE, inside=INSIDE / "tree"),
                Place(outside=kept, inside=INSIDE / "kept"),
                Place(outside=places.TREE / _SCRIPT, inside=INSIDE / "wheels.sh"),
            ),
            environment=pip.environment
            | {"LOCKED": locked, "SOURCE": source, "SOURCES": " ".join(sources)},
            log=log,
        )
    return wheels


def read_packages() -> list[str]:
    """Return the folders that are Coffer's wheel, as pyproject.toml lists them."""
    with (places.TREE / "pyproject.toml").open("rb") as file:
        listed = tomllib.load(file)["tool"]["scikit-build"]["wheel"]["packages"]
    return [str(name) for name in listed]


def digest(names: Iterable[str]) -> str:
    """Return one hash over files and folders of the tree, with their names; in hexadecimal."""
    total = hashlib.sha256()
    for name in names:
        top = places.TREE / name
        inside = (
            sorted(path for path in top.rglob("*") if path.is_file()) if top.is_dir() else [top]
        )
        for path in inside:
            if "__pycache__" not in path.parts and path.suffix != ".so":
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                total.update(f"{path.relative_to(places.TREE)}\0{content}\n".encode())
    return total.hexdigest()
