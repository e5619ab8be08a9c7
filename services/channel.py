"""A conversation with one peer in typed messages: all that a role may talk through."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from services import wire
from services.errors import CheatingDetected, PeerProtocolError

M = TypeVar("M")


class Transport(Protocol):
    """Carries whole messages to and from one peer, reliably and in order.

    One task may send while another receives; two tasks must not send, or receive, at once.
    """

    @property
    def peer(self) -> int:
        """The rank of the peer at the far end."""

    async def send(self, parts: Sequence[wire.Part]) -> None:
        """Send one message given in parts; waits while the peer is slow. Raises PeerLost."""

    async def receive(self, limit: int) -> memoryview:
        """Return the next message; PeerLost, or PeerProtocolError if longer than ``limit``."""


class Channel:
    """One conversation with one peer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def peer(self) -> int:
        """The rank of the peer."""
        return self._transport.peer

    async def send(self, message: object) -> None:
        """Send a message; waits while the peer is slow to take it."""
        await self._transport.send(wire.encode(message))

    async def receive(self, message_type: type[M], *, rows: int = 0) -> M:
        """Return the next message: of this type, with at most ``rows`` rows in each column."""
        data = await self._transport.receive(wire.most_bytes(message_type, rows))
        return wire.decode(message_type, data, sender=self.peer, rows=rows)

    def require(self, condition: bool, what: str) -> None:
        """Blame the peer for ``what`` unless the condition holds."""
        if not condition:
            raise PeerProtocolError(self.peer, what)

    def require_proof(self, condition: bool, what: str) -> None:
        """Hold ``what`` to be cheating by the peer unless the condition, a check of it, holds."""
        if not condition:
            raise CheatingDetected(self.peer, what)


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Run the parts of a role that speak and listen at once; the first to fail stops the others.

    Raises: the error of the part that failed first, by itself, so that a role raises the same
            errors whether it has parts or not.
    """
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
