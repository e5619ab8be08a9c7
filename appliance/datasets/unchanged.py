"""Whether datasets are still what was registered: asked often, and by peers; answered from files.

Each content is hashed once for all who ask while that goes on. An answer holds for as long as the
files' stamps stay the same.
"""

import asyncio
from typing import Final

from appliance.datasets import fingerprint
from appliance.datasets.errors import DatasetChanged
from appliance.datasets.source import FileStamp, Source

Stamps = tuple[FileStamp, ...]

_MOST_REMEMBERED: Final = 256


class Unchanged:
    """Compares contents with what was registered; ``reading`` bounds how many at a time."""

    def __init__(self, reading: asyncio.Semaphore) -> None:
        self._reading = reading
        self._under_way: dict[Source, asyncio.Task[Stamps]] = {}
        # What a changed table was seen with: the same stamps need not be hashed again.
        self._changed: dict[Source, tuple[Stamps, DatasetChanged]] = {}

    async def require(self, source: Source) -> Stamps:
        """Return the files' stamps. Raises: DatasetChanged, FileVanished, FileUnreadable."""
        stamps = await asyncio.to_thread(_stamps_of, source)
        if stamps == source.files:
            return stamps
        known, error = self._changed.get(source, (None, None))
        if error is not None and stamps == known:
            raise DatasetChanged(error.path)
        check = self._under_way.get(source)
        if check is None:
            check = asyncio.create_task(self._check(source, stamps))
            self._under_way[source] = check
            check.add_done_callback(lambda done: self._under_way.pop(source, None))
            check.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(check)

    async def _check(self, source: Source, stamps: Stamps) -> Stamps:
        async with self._reading:
            try:
                return await asyncio.to_thread(fingerprint.require_unchanged, source)
            except DatasetChanged as error:
                self._changed.pop(source, None)
                self._changed[source] = stamps, error
                while len(self._changed) > _MOST_REMEMBERED:
                    self._changed.pop(next(iter(self._changed)))
                raise


def _stamps_of(source: Source) -> Stamps:
    return tuple(FileStamp.of(stamp.path) for stamp in source.files)
