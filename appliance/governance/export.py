"""The ledger sent to a collector of logs: syslog (RFC 5424) over TLS (RFC 5425), entry by entry.

Syslog has no word for "received". An entry counts as sent once the receiver's machine has
acknowledged all bytes and the connection has gone on standing for a while; only then does the
position on disk move. So whoever receives may hear of entries twice, after any lost connection
and any restart, and tells them by their index. What a receiver loses that its machine has taken,
because that lost power or its program stopped reading long before it died, nobody here can know.
"""

import asyncio
import fcntl
import json
import logging
import ssl
import struct
import termios
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from appliance.identity.node_id import NodeId
from appliance.ledger import store as table
from appliance.ledger.facts import Kind
from appliance.store.database import Store
from appliance.store.errors import StoreError

_LOG_AUDIT: Final = 13
_WARNING: Final = 4
_INFORMATIONAL: Final = 6
_WARNED_OF: Final = frozenset({Kind.LEDGER_REFUSED.value, Kind.LOGIN_FAILED.value})
_KINDS: Final = frozenset(kind.value for kind in Kind)
_BATCH_ENTRIES: Final = 500
# Little enough for the slowest link: all of it must have gone before the export gives up.
_BATCH_BYTES: Final = 256 * 1024
_READ_BYTES: Final = 4096
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the export waits for what, in seconds.

    first, longest: before it connects again, doubled each time.
    settle: how long a connection stands after a batch before the batch counts as sent.
    stalled: how long connecting, and a batch, may take; poll: how often new entries are looked for.
    shutdown: how long a receiver may take to say goodbye.
    """

    first: float = 1.0
    longest: float = 60.0
    settle: float = 1.0
    stalled: float = 60.0
    poll: float = 1.0
    shutdown: float = 2.0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Messages, and the entry that comes after them. skipped: the last one that was pruned."""

    messages: bytes
    next_number: int
    skipped: int | None


class Export:
    """Sends the ledger of a node to one receiver, which its certificate must prove to be.

    address:   HOST:PORT; the certificate must be for the host, a name or an IP address.
    authority: a file (PEM) with the CA that alone vouches for the receiver, read at each try.
    """

    def __init__(
        self,
        store: Store,
        node: NodeId,
        address: str,
        authority: Path,
        pace: Pace = Pace(),
    ) -> None:
        self._store = store
        self._node = node
        self._address = address
        self._authority = authority
        self._pace = pace
        # What was logged last, so that each trouble is logged when it comes, not at each try.
        self._trouble: str | None = None
        self._has_sent = False

    async def run(self) -> None:
        """Send what there is and what comes, for ever; connect again whenever that fails."""
        wait = self._pace.first
        clock = asyncio.get_running_loop().time
        while True:
            began, self._has_sent = clock(), False
            await self._try()
            if self._has_sent or clock() - began > self._pace.longest:
                wait = self._pace.first
            await asyncio.sleep(wait)
            wait = min(2 * wait, self._pace.longest)

    async def _try(self) -> None:
        """Connect, and send until that fails."""
        try:
            reader, writer = await self._connect()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_until_closed(reader))
                    tasks.create_task(self._send_on(writer))
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
        except* (OSError, StoreError) as failed:
            self._tell(failed.exceptions[0])

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to who has proved to be the receiver. Raises: OSError."""
        host, _, port = self._address.rpartition(":")
        context = await asyncio.to_thread(trusting, self._authority)
        try:
            async with asyncio.timeout(self._pace.stalled):
                return await asyncio.open_connection(
                    host.removeprefix("[").removesuffix("]"),
                    int(port),
                    ssl=context,
                    ssl_shutdown_timeout=self._pace.shutdown,
                )
        except ValueError as error:  # of what can be no host's name
            raise OSError(f"there is no host {host!r}: {error}") from None

    async def _send_on(self, writer: asyncio.StreamWriter) -> None:
        """Send batch after batch. Raises: OSError, TimeoutError among them; StoreError."""
        # So that drain returns late; with 0 asyncio's TLS would never let it return.
        writer.transport.set_write_buffer_limits(high=1)
        while True:
            batch = await self._store.run(self._read_batch)
            if batch is None:
                await asyncio.sleep(self._pace.poll)
                continue
            if batch.messages:
                await self._send(writer, batch.messages)
            await self._store.run(
                partial(
                    table.move_export,
                    destination=self._address,
                    next_number=batch.next_number,
                )
            )
            if batch.skipped is not None:
                log.warning(
                    "entries up to %d were pruned before %s had them", batch.skipped, self._address
                )
            self._has_sent = True
            self._tell(None)

    async def _send(self, writer: asyncio.StreamWriter, messages: bytes) -> None:
        """Return when the receiver's machine has it all and the connection still stands."""
        async with asyncio.timeout(self._pace.stalled):
            writer.write(messages)
            await writer.drain()
            settled = False
            while not settled:
                while _unacknowledged(writer):
                    await asyncio.sleep(self._pace.settle / 10)
                # Meanwhile what asyncio still held goes to the kernel, and the connection of a
                # receiver that has died since is closed, which ends this task.
                await asyncio.sleep(self._pace.settle)
                settled = not _unacknowledged(writer)

    def _read_batch(self, session: Session) -> _Batch | None:
        position = table.export_position(session, self._address)
        rows = table.entries_from(session, position, _BATCH_ENTRIES)
        if not rows:
            return None
        messages, number, skipped = bytearray(), position, None
        for number, at, kind, _, content, _ in rows:
            if content is None:
                skipped = number
            else:
                messages += frame(message(self._node, at, kind, content))
            if len(messages) >= _BATCH_BYTES:
                break
        return _Batch(bytes(messages), number + 1, skipped)

    def _tell(self, trouble: Exception | None) -> None:
        text = None if trouble is None else str(trouble) or "it did not answer in time"
        if text == self._trouble:
            return
        self._trouble = text
        if text is None:
            log.info("the ledger is exported to %s again", self._address)
        else:
            log.warning("the ledger is not exported to %s: %s", self._address, text)


def trusting(authority: Path) -> ssl.SSLContext:
    """Return TLS of which the other end must be certified by this CA alone. Raises: OSError."""
    try:
        # Given a CA, Python loads none of the system's.
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise OSError(f"{authority} cannot be read: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def message(node: NodeId, at: int, kind: str, content: bytes) -> bytes:
    """Return an entry as one message (RFC 5424): its bytes as they were hashed, under a header.

    Whatever an entry was changed into in the database is sent too, and warned of.
    """
    level = _WARNING if is_warned_of(kind, content) else _INFORMATIONAL
    word = kind if kind in _KINDS else "-"
    head = f"<{_LOG_AUDIT * 8 + level}>1 {_timestamp(at)} {node.text} coffer - {word} - "
    return head.encode("ascii") + content


def frame(one: bytes) -> bytes:
    """Return a message behind the count of its bytes (RFC 5425, 4.3)."""
    return b"%d %b" % (len(one), one)


def is_warned_of(kind: str, content: bytes) -> bool:
    """Tell whether an entry is of something that somebody should look at."""
    try:
        entry = json.loads(content)
        refused = kind == Kind.JOB_DECIDED.value and entry["facts"]["decision"] == "refused"
    except (ValueError, KeyError, TypeError, RecursionError):
        return True
    return refused or kind in _WARNED_OF or kind not in _KINDS


def _timestamp(at: int) -> str:
    try:
        time = _EPOCH + timedelta(milliseconds=at)
    except OverflowError:
        return "-"
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _until_closed(reader: asyncio.StreamReader) -> None:
    """Take no notice of what a receiver says. Raises: OSError once the connection has ended."""
    while await reader.read(_READ_BYTES):
        pass
    raise ConnectionResetError("the receiver has closed the connection")


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """Return how many bytes the receiver's machine has not acknowledged. Raises: OSError."""
    connection = writer.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        raise ConnectionResetError("the connection has ended")
    asked = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", asked)[0])
