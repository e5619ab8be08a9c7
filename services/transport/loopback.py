"""Two ends of a conversation inside one process."""

import asyncio
from collections.abc import Sequence
from typing import Final

from services import wire
from services.errors import PeerLost, PeerProtocolError

DEPTH: Final = 2
"""Messages under way each way: few, so that a role which relies on buffers stalls in a test."""


class Loopback:
    """One end; what it sends, the far end receives."""

    def __init__(
        self,
        peer: int,
        outward: "asyncio.Queue[bytes | None]",
        inward: "asyncio.Queue[bytes | None]",
    ) -> None:
        self.peer = peer
        self._outward = outward
        self._inward = inward

    async def send(self, parts: Sequence[wire.Part]) -> None:
        """Put one message on its way; waits while too many are."""
        await self._outward.put(wire.join(parts))

    async def receive(self, limit: int) -> memoryview:
        """Return the next message."""
        data = await self._inward.get()
        if data is None:
            raise PeerLost(self.peer, "hung up")
        if len(data) > limit:
            raise PeerProtocolError(
                self.peer, f"a message of {len(data)} bytes, at most {limit} were due"
            )
        return memoryview(data)

    async def close(self) -> None:
        """Hang up: the far end meets PeerLost once it has received the rest."""
        await self._outward.put(None)


def pair() -> tuple[Loopback, Loopback]:
    """Return the ends of a conversation held by rank 0 and rank 1."""
    up: asyncio.Queue[bytes | None] = asyncio.Queue(DEPTH)
    down: asyncio.Queue[bytes | None] = asyncio.Queue(DEPTH)
    return Loopback(1, up, down), Loopback(0, down, up)
