"""Letters on their way out: written with the fact that they tell, delivered in order, retried."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.orm import Session

from appliance.identity.node_id import NodeId
from appliance.mailbox import store as table
from appliance.mailbox.letters import (
    Body,
    Kind,
    Letter,
    LetterRefused,
    Receipt,
    Refusal,
    Undelivered,
    Void,
    parse_letter,
    write_body,
)
from appliance.store.database import Store
from services.errors import ServiceError

SHORTEST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 15.0
# Of one kind, to one peer.
MOST_WAITING_ANSWERS: Final = 8

Send = Callable[[NodeId, Letter], Awaitable[Receipt]]
AfterCommit = Callable[[], None]
# Called in the transaction that takes the refused letter from the outbox.
WhenRefused = Callable[[Session, NodeId, Any, Refusal], AfterCommit | None]

log = logging.getLogger(__name__)


class Outbox:
    """Delivers letters to peers, each peer's in order and exactly once in effect.

    ``send`` hands one letter over and returns the peer's receipt; it raises a ServiceError
    (Undelivered, or what the link says) when the peer cannot be reached now.
    """

    def __init__(
        self,
        store: Store,
        send: Send,
        now_milliseconds: Callable[[], int],
        *,
        shortest_wait_seconds: float = SHORTEST_WAIT_SECONDS,
    ) -> None:
        self._store = store
        self._send = send
        self._now_milliseconds = now_milliseconds
        self._shortest_wait_seconds = shortest_wait_seconds
        self._refused: dict[Kind, WhenRefused] = {}
        self._wakers: dict[NodeId, asyncio.Event] = {}
        self._new_peers: asyncio.Queue[NodeId] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None

    def when_refused(self, kind: Kind, handler: WhenRefused) -> None:
        """Have ``handler`` called when a peer refuses a letter of this kind for good."""
        self._refused[kind] = handler

    def put(self, session: Session, peer: NodeId, kind: Kind, body: Body) -> None:
        """Write a letter in the caller's transaction; it leaves once that has been committed."""
        data = write_body(kind, body)
        table.add_letter(session, peer, kind, data, self._now_milliseconds())
        event.listen(session, "after_commit", lambda _: self._wake_from_thread(peer), once=True)

    def answer(self, session: Session, peer: NodeId, kind: Kind, body: Body) -> None:
        """Write a letter that answers one of the peer's, unless too many such answers wait.

        A peer that asks and never takes an answer could have us write without end.
        """
        if table.count_of_kind(session, peer, kind) < MOST_WAITING_ANSWERS:
            self.put(session, peer, kind, body)

    def drop(self, session: Session, peer: NodeId) -> None:
        """Take back all letters that wait for a peer, in the caller's transaction.

        One that is under way may still arrive; so each leaves a void letter in its place.
        """
        table.void_letters(session, peer, write_body(Kind.VOID, Void()))

    async def pending_count(self, peer: NodeId) -> int:
        """Return how many letters wait for a peer."""
        return await self._store.run(lambda session: table.count_letters(session, peer))

    def wake(self, peer: NodeId) -> None:
        """Try at once to deliver what waits for a peer, as it has just been seen."""
        if peer not in self._wakers:
            self._wakers[peer] = asyncio.Event()
            self._new_peers.put_nowait(peer)
        self._wakers[peer].set()

    async def deliver(self) -> None:
        """Deliver letters until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._wakers.clear()
        for peer in await self._store.run(table.peers_with_letters):
            self.wake(peer)
        try:
            async with asyncio.TaskGroup() as deliveries:
                while True:
                    peer = await self._new_peers.get()
                    deliveries.create_task(self._deliver_to(peer, self._wakers[peer]))
        finally:
            self._loop = None

    def _wake_from_thread(self, peer: NodeId) -> None:
        # Nothing is lost if nobody delivers yet: deliver() begins with what the table holds.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.wake, peer)

    async def _deliver_to(self, peer: NodeId, waker: asyncio.Event) -> None:
        wait_seconds = self._shortest_wait_seconds
        trouble = ""
        while True:
            waker.clear()
            try:
                letter = await self._store.run(lambda session: table.first_letter(session, peer))
                if letter is None:
                    await waker.wait()
                    continue
                await self._deliver_one(peer, letter)
            except ServiceError as error:
                if error.what != trouble:
                    log.info("letters to %s wait: %s", peer.short, error.what)
                trouble = error.what
                await _pause(waker, wait_seconds)
                wait_seconds = min(wait_seconds * 2, LONGEST_WAIT_SECONDS)
            else:
                wait_seconds, trouble = self._shortest_wait_seconds, ""

    async def _deliver_one(self, peer: NodeId, letter: Letter) -> None:
        receipt = await self._send(peer, letter)
        if receipt.number != letter.number:
            raise Undelivered(f"a receipt for letter {receipt.number} answers {letter.number}")
        refusal = receipt.refusal
        if refusal is not None and refusal.is_passing:
            raise Undelivered(f"the peer refuses letter {letter.number}: {refusal.value}")
        after = await self._store.run(
            lambda session: self._acknowledge(session, peer, letter, refusal)
        )
        if after is not None:
            after()

    def _acknowledge(
        self, session: Session, peer: NodeId, letter: Letter, refusal: Refusal | None
    ) -> AfterCommit | None:
        table.remove_letter(session, peer, letter.number)
        if refusal is None:
            return None
        log.warning("%s refused a letter: %s, %s", peer.short, letter.kind, refusal.value)
        try:
            kind, body = parse_letter(letter)
        except LetterRefused:  # an older version of this node wrote it; nobody waits for it
            return None
        handler = self._refused.get(kind)
        return None if handler is None else handler(session, peer, body, refusal)


async def _pause(waker: asyncio.Event, wait_seconds: float) -> None:
    """Wait until woken, or about so long: scattered, so that nodes do not knock in step."""
    scattered = wait_seconds * (0.75 + secrets.randbelow(500) / 1000)
    with suppress(TimeoutError):
        # Not wait_for: in Python 3.11 it swallows a cancellation that comes with the waking.
        async with asyncio.timeout(scattered):
            await waker.wait()
