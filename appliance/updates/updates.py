"""Updates as the node's people ask for them: shown, fetched, installed by root, taken back."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from appliance.updates.errors import BundleOlder, InstallFailed, SourceUnusable, StateUnreadable
from appliance.updates.incoming import Announced, Incoming
from appliance.updates.latest import Index, Server, index_name, read_index, write_json
from appliance.updates.record import Record, Update
from appliance.updates.rules import Here
from appliance.updates.trust import MOST_ENVELOPE_BYTES, Trust

_SOURCE: Final = "source.json"
LINKED: Final = "linked.json"
POLL_SECONDS: Final = 0.5
# Until root's program has noted that it is at work: its Python is read from a slow disk.
BEGIN_SECONDS: Final = 180.0


class Helper(Protocol):
    """Has root do what only it can. Each returns when that has begun, or raises ServiceError."""

    def install(self, *, from_stick: bool) -> None:
        """Begin to install the bundle that has come, or the one on a USB stick."""

    def cancel(self) -> None:
        """Stop the installation, or take an update that waits for a restart off the list."""

    def start_other(self) -> None:
        """Have the other slot start next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What people see. source: where updates are fetched from, empty if from nowhere.

    incoming: what was announced of a bundle, and how many bytes of it are here.
    """

    version: str
    record: Record
    source: str
    incoming: Announced | None
    incoming_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an installation is. stage: fetching, or a state of the update."""

    stage: str
    done_bytes: int
    total_bytes: int
    update: Update | None = None


@dataclass(slots=True, kw_only=True)
class Updates:
    """linked: the peers that are linked now, as the health check after an update asks for them."""

    state: Path
    helper: Helper
    here: Callable[[], Here]
    linked: Callable[[], Sequence[Mapping[str, str]]]
    root: Path = Path("/")
    poll_seconds: float = POLL_SECONDS
    begin_seconds: float = BEGIN_SECONDS
    incoming: Incoming = field(init=False)
    _turn: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Join the parts."""
        self.incoming = Incoming(self.state)

    def show(self) -> View:
        """Return slots, the last update, and where updates come from."""
        announced, count = self.incoming.have()
        return View(
            version=self.here().version,
            record=Record.read(self.root),
            source=str(self._source().get("url", "")),
            incoming=announced,
            incoming_bytes=count,
        )

    async def receive(self, announced: Announced, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """Take a bundle that an operator sends; see :meth:`Incoming.receive`."""
        async with self._turn:
            return await self.incoming.receive(announced, offset, chunks)

    def set_source(self, url: str, authority: str) -> View:
        """Have updates fetched from a server, from nowhere if there is no URL.

        Raises: SourceUnusable.
        """
        if url:
            Server(url=url, authority=authority)
        self.incoming.folder.mkdir(mode=0o700, exist_ok=True)
        seen = self._source().get("seen", 0)
        said = {"url": url, "authority": authority, "seen": seen}
        write_json(self.incoming.folder / _SOURCE, said)
        return self.show()

    async def check(self) -> Index | None:
        """Return what the server says is newest, None if that runs already.

        Raises: SourceUnusable, IndexStale and what else is wrong with an index.
        """
        index = await asyncio.to_thread(self._read_index)
        return None if index.version <= self.here().version else index

    async def install(
        self, *, fetch: bool = False, from_stick: bool = False
    ) -> AsyncIterator[Progress]:
        """Install the bundle that has come; yield how far it is.

        fetch: the newest before; from_stick: the one on a USB stick instead.

        Raises: ServiceError with the reason if it is refused or fails.
        """
        if self._turn.locked():
            raise InstallFailed(
                "an update is being brought or installed",
                remedy='wait, or: "coffer updates cancel"',
            )
        async with self._turn:
            if fetch:
                async for progress in self._fetch():
                    yield progress
            if not from_stick:
                self._require_whole()
            self.incoming.folder.mkdir(mode=0o700, exist_ok=True)
            write_json(self.incoming.folder / LINKED, [dict(one) for one in self.linked()])
            before = Record.read(self.root).update
            await asyncio.to_thread(self.helper.install, from_stick=from_stick)
            async for progress in self._follow(before):
                yield progress

    async def cancel(self) -> View:
        """Stop what is under way, or withdraw what waits for a restart.

        Raises: NothingToCancel, UpdateOutOfOrder.
        """
        if not self._turn.locked():  # else an installation may have begun and not be recorded yet
            Record.read(self.root).cancelled()
        await asyncio.to_thread(self.helper.cancel)
        return self.show()

    async def start_other(self) -> View:
        """Have the other slot start at the next restart.

        Raises: StateUnreadable if it cannot read the database as it is now.
        """
        here, record = self.here(), Record.read(self.root)
        for slot in record.slots:
            if not slot.is_running and here.revision not in record.reads.get(slot.version, ()):
                raise StateUnreadable(slot.version, here.revision)
        await asyncio.to_thread(self.helper.start_other)
        return self.show()

    async def _fetch(self) -> AsyncIterator[Progress]:
        index = await asyncio.to_thread(self._read_index)
        here = self.here()
        if index.version <= here.version:
            raise BundleOlder(index.version, here.version)
        announced = Announced(size_bytes=index.size_bytes, sha256=index.sha256)
        done = [await asyncio.to_thread(self.incoming.announce, announced)]

        def tell(count: int) -> None:
            done[0] = count

        server, path = self._server(), self.incoming.path
        fetching = asyncio.create_task(asyncio.to_thread(server.fetch, index, path, tell))
        while not fetching.done():
            yield Progress(stage="fetching", done_bytes=done[0], total_bytes=index.size_bytes)
            await asyncio.wait({fetching}, timeout=self.poll_seconds)
        await fetching

    async def _follow(self, before: Update | None) -> AsyncIterator[Progress]:
        """Yield how far root's program is, until it has ended."""
        last, deadline = before, time.monotonic() + self.begin_seconds
        while True:
            await asyncio.sleep(self.poll_seconds)
            update = Record.read(self.root).update
            if update == before:
                if time.monotonic() > deadline:
                    raise InstallFailed(
                        "the installation did not begin",
                        remedy='its log says why: "coffer machine logs"',
                    )
                continue
            if update is not None and update != last:
                last = update
                yield Progress(
                    stage=update.state.value,
                    done_bytes=update.done_bytes,
                    total_bytes=update.total_bytes,
                    update=update,
                )
            if update is None or not update.state.is_under_way:
                break
        if update is not None and update.reason:
            raise InstallFailed(update.reason, remedy=update.remedy)
        self.incoming.remove()

    def _require_whole(self) -> None:
        announced, count = self.incoming.have()
        if announced is None or count != announced.size_bytes:
            raise InstallFailed("no whole bundle is here", remedy="send it, or go on sending it")

    def _read_index(self) -> Index:
        here, source = self.here(), self._source()
        data = self._server().read(index_name(here), MOST_ENVELOPE_BYTES)
        index = read_index(data, Trust.read(self.root), here, seen=int(source.get("seen", 0)))
        write_json(self.incoming.folder / _SOURCE, source | {"seen": index.created})
        return index

    def _server(self) -> Server:
        said = self._source()
        if not said.get("url"):
            raise SourceUnusable(
                "no server of updates is set", remedy='set one: "coffer updates source URL"'
            )
        return Server(url=said["url"], authority=said["authority"])

    def _source(self) -> dict[str, Any]:
        try:
            said = json.loads((self.incoming.folder / _SOURCE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}
