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
from typing import Final

from sqlalchemy.orm import Session

from appliance.governance.receiver import Receiver, find_receiver
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


class _Replaced(Exception):
    """Somebody else is to be sent the ledger now, or nobody."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Messages, and the entry that comes after them. skipped: the last one that was pruned."""

    messages: bytes
    next_number: int
    skipped: int | None


class Export:
    """Sends the ledger of a node to its receiver, which its certificate must prove to be.

    Who that is may change at any time, see :mod:`appliance.governance.receiver`.
    """

    def __init__(self, store: Store, node: NodeId, pace: Pace = Pace()) -> None:
        self._store = store
        self._node = node
        self._pace = pace
        self._receiver: Receiver | None = None
        # What was logged last, so that each trouble is logged when it comes, not at each try.
        self._trouble: str | None = None
        self._has_sent = False

    def trouble_with(self, receiver: Receiver) -> str:
        """Return why a receiver could not be sent the ledger last; empty if it could."""
        return (self._trouble or "") if receiver == self._receiver else ""

    async def run(self) -> None:
        """Send what there is and what comes, for ever; connect again whenever that fails."""
        wait = self._pace.first
        clock = asyncio.get_running_loop().time
        while True:
            found = await self._find()
            if found != self._receiver:
                self._receiver, wait, self._trouble = found, self._pace.first, None
            receiver = self._receiver
            if receiver is None:
                await asyncio.sleep(self._pace.poll)
                continue
            began, self._has_sent = clock(), False
            await self._try(receiver)
            if self._has_sent or clock() - began > self._pace.longest:
                wait = self._pace.first
            await self._pause(wait, receiver)
            wait = min(2 * wait, self._pace.longest)

    async def _find(self) -> Receiver | None:
        """Return whom the ledger is sent to, as far as can be known."""
        try:
            return await self._store.run(find_receiver)
        except StoreError as error:
            log.warning("whom the ledger is sent to cannot be read: %s", error.what)
            return self._receiver

    async def _pause(self, seconds: float, receiver: Receiver) -> None:
        """Wait for a while, or until somebody else is to be sent the ledger."""
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while (left := end - clock()) > 0 and await self._find() == receiver:
            await asyncio.sleep(min(left, self._pace.poll))

    async def _try(self, receiver: Receiver) -> None:
        """Connect, and send until that fails, or somebody else is to be sent the ledger."""
        try:
            reader, writer = await self._connect(receiver)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_until_closed(reader))
                    tasks.create_task(self._send_on(writer, receiver))
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
        except* _Replaced:
            pass
        except* (OSError, StoreError) as failed:
            self._tell(receiver, failed.exceptions[0])

    async def _connect(
        self, receiver: Receiver
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to who has proved to be the receiver. Raises: OSError."""
        host, _, port = receiver.address.rpartition(":")
        context = await asyncio.to_thread(trusting, receiver.authority)
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

    async def _send_on(self, writer: asyncio.StreamWriter, receiver: Receiver) -> None:
        """Send batch after batch. Raises: OSError, also as TimeoutError; StoreError; _Replaced."""
        # So that drain returns late; with 0 asyncio's TLS would never let it return.
        writer.transport.set_write_buffer_limits(high=1)
        while True:
            batch = await self._store.run(partial(self._read_batch, receiver))
            if batch is None:
                await asyncio.sleep(self._pace.poll)
                continue
            if batch.messages:
                await self._send(writer, batch.messages)
            await self._store.run(partial(self._move, receiver, batch.next_number))
            if batch.skipped is not None:
                log.warning(
                    "entries up to %d were pruned before %s had them",
                    batch.skipped,
                    receiver.address,
                )
            self._has_sent = True
            self._tell(receiver, None)

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

    def _read_batch(self, receiver: Receiver, session: Session) -> _Batch | None:
        if find_receiver(session) != receiver:
            raise _Replaced
        position = table.export_position(session, receiver.address)
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

    def _move(self, receiver: Receiver, next_number: int, session: Session) -> None:
        if find_receiver(session) != receiver:
            raise _Replaced
        table.move_export(session, receiver.address, next_number)

    def _tell(self, receiver: Receiver, trouble: Exception | None) -> None:
        text = None if trouble is None else str(trouble) or "it did not answer in time"
        if text == self._trouble:
            return
        self._trouble = text
        if text is None:
            log.info("the ledger is exported to %s again", receiver.address)
        else:
            log.warning("the ledger is not exported to %s: %s", receiver.address, text)


def trusting(authority: str) -> ssl.SSLContext:
    """Return TLS of which the other end must be certified by this CA (PEM) alone."""
    # Given a CA, Python loads none of the system's.
    context = ssl.create_default_context(cadata=authority)
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
