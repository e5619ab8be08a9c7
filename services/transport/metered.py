"""A transport that counts what passes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from services import wire
from services.channel import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What has passed so far, frames not counted.

    rounds: how often we received after having sent.
    """

    sent_bytes: int = 0
    received_bytes: int = 0
    sent_messages: int = 0
    received_messages: int = 0
    rounds: int = 0


class Metered:
    """A transport around another, with its :class:`Traffic`; ``changed`` hears of each message."""

    def __init__(
        self, transport: Transport, changed: Callable[[Traffic], None] = lambda traffic: None
    ) -> None:
        self._transport = transport
        self._changed = changed
        self._has_spoken = False
        self.traffic = Traffic()

    @property
    def peer(self) -> int:
        """The rank of the peer."""
        return self._transport.peer

    async def send(self, parts: Sequence[wire.Part]) -> None:
        """Send one message and count it."""
        await self._transport.send(parts)
        self._has_spoken = True
        was = self.traffic
        sent = was.sent_bytes + sum(map(len, parts))
        self._count(replace(was, sent_bytes=sent, sent_messages=was.sent_messages + 1))

    async def receive(self, limit: int) -> memoryview:
        """Return the next message, counted."""
        data = await self._transport.receive(limit)
        was = self.traffic
        self._count(
            replace(
                was,
                received_bytes=was.received_bytes + len(data),
                received_messages=was.received_messages + 1,
                rounds=was.rounds + self._has_spoken,
            )
        )
        self._has_spoken = False
        return data

    def _count(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self._changed(traffic)
