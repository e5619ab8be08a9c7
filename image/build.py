"""The frozen inputs of one build, and where its parts lie while it is made."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image.keys import Keys
from image.lock import Lock
from image.toolchain import Toolchain

# Any fixed value serves: seeds are derived from it and from the version.
_SEEDS: Final = uuid.UUID("c0ffe2b0-0000-5000-8000-000000000004")


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What goes into an image, and the folders of its making.

    version: of the image, as systemd-sysupdate compares versions
    epoch_seconds: since 1970; no file in the image is younger
    profiles: folders of image/definition/mkosi.profiles, in order: what it has beyond the base
    is_quick: take the packages that the last quick build installed, newer ones or not
    archive: where the packages of the lock lie
    workspace: on one file system with ``out``; whatever is in it may go
    """

    version: str
    epoch_seconds: int
    keys: Keys
    lock: Lock
    archive: Path
    toolchain: Toolchain
    cache: Path
    workspace: Path
    out: Path
    profiles: tuple[str, ...] = ()
    is_quick: bool = False

    @property
    def seed(self) -> uuid.UUID:
        """Of all partition ids; by version, or both copies of ``/usr`` would share theirs."""
        return uuid.uuid5(_SEEDS, self.version)

    @property
    def chosen(self) -> str:
        """What names the packages of the image and its initrd: parts of the lock's hashes."""
        return "".join(self.lock.digest(name)[:8] for name in ("image", "initrd", *self.profiles))

    @property
    def staged(self) -> Path:
        """What of Coffer goes into the image, as a tree to be laid over it."""
        return self.workspace / "staged"

    @property
    def log(self) -> Path:
        """What the programs of the build say."""
        return self.out / "build.log"
