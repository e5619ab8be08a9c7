"""The bundle that waits to be installed: a file below the state folder, brought in some goes.

It is judged by root alone when it is installed; here it only has to come whole and not too big.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from appliance.updates.errors import InstallFailed, SourceUnusable
from appliance.updates.latest import MOST_BUNDLE_BYTES, write_json

FOLDER: Final = "updates"
BUNDLE: Final = "incoming.bundle"
_SAID: Final = "incoming.json"
MOST_CHUNK_BYTES: Final = 1 << 20
# What an upload leaves free of the disk: the node's own facts, and the parts that are laid out.
RESERVE_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What is to come, by its size and its SHA-256, so that a second go can tell what it is."""

    size_bytes: int
    sha256: str


class Incoming:
    """The one bundle that is being brought, or is there."""

    def __init__(self, state: Path) -> None:
        self.folder = state / FOLDER
        self.path = self.folder / BUNDLE

    def have(self) -> tuple[Announced | None, int]:
        """Return what was announced and how many bytes of it are there."""
        try:
            said = json.loads((self.folder / _SAID).read_text(encoding="utf-8"))
            announced = Announced(size_bytes=said["size_bytes"], sha256=said["sha256"])
            return announced, self.path.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            return None, 0

    def announce(self, announced: Announced) -> int:
        """Make ready for a bundle; return how many bytes of it are there already.

        Raises: InstallFailed if it is too big or there is no room.
        """
        if not 0 < announced.size_bytes <= MOST_BUNDLE_BYTES:
            raise InstallFailed(
                f"a bundle has at most {MOST_BUNDLE_BYTES >> 20} MiB",
                remedy="name a file that ends in .bundle",
            )
        self.folder.mkdir(mode=0o700, exist_ok=True)
        known, count = self.have()
        if known == announced and count <= announced.size_bytes:
            return count
        self.remove()
        free = shutil.disk_usage(self.folder).free
        if free < announced.size_bytes + RESERVE_BYTES:
            raise InstallFailed(
                f"the bundle has {announced.size_bytes >> 20} MiB, and {free >> 20} MiB are free",
                remedy="remove datasets or results, then try again",
            )
        write_json(self.folder / _SAID, asdict(announced))
        self.path.touch(mode=0o600)
        return 0

    async def receive(self, announced: Announced, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """Take a bundle, or its rest from an offset; return how many bytes are there at the end.

        Raises: SourceUnusable if the bytes are not those announced; InstallFailed as `announce`.
        """
        have = await asyncio.to_thread(self.announce, announced)
        if offset != have:
            raise SourceUnusable(
                f"{have} bytes of this bundle are here, and it goes on at {offset}",
                remedy="go on where it ended",
            )
        with self.path.open("r+b") as file:
            file.seek(have)
            async for chunk in chunks:
                if len(chunk) > MOST_CHUNK_BYTES or have + len(chunk) > announced.size_bytes:
                    raise SourceUnusable("more came than was announced", remedy="send it again")
                await asyncio.to_thread(file.write, chunk)
                have += len(chunk)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        return have

    def remove(self) -> None:
        """Forget the bundle."""
        for path in (self.path, self.folder / _SAID):
            path.unlink(missing_ok=True)
