"""Two roles of which one's messages are changed on the way, and what they produce checked."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from services.channel import Channel, Transport
from services.kernels import correlation
from services.kernels.blocks import Blocks, from_bytes
from services.kernels.reference import field128 as twin
from services.primitives.silent_vole import ReceiverVole, SenderVole
from tests.doubles import Seeded

Change = Callable[[Any], Any]


class Tampered(Channel):
    """A channel that changes what is sent, of one type of message."""

    def __init__(self, transport: Transport, message_type: type[Any], change: Change) -> None:
        super().__init__(transport)
        self._message_type = message_type
        self._change = change

    async def send(self, message: object) -> None:
        is_meant = isinstance(message, self._message_type)
        await super().send(self._change(message) if is_meant else message)


def replaced(message: Any, **changes: Change) -> Any:
    """Return a message with some of its fields changed."""
    values = {field.name: getattr(message, field.name) for field in fields(message)}
    return type(message)(**values | {name: to(values[name]) for name, to in changes.items()})


def flipped(place: int) -> Change:
    """Return what flips one bit of the row at a place."""

    def flip(column: Any) -> Any:
        changed = column.copy()
        changed[place, 0] ^= type(changed[place, 0])(1)
        return changed

    return flip


def multiply(column: Blocks, delta: Blocks) -> list[int]:
    """Return each block of a column times Δ."""
    factor = twin.to_ints(delta)[0]
    return [twin.multiply(block, factor) for block in twin.to_ints(column)]


def is_correlated(ours: ReceiverVole, theirs: SenderVole) -> bool:
    """Return whether C = A·Δ + B, entry by entry."""
    pairs = zip(multiply(ours.a, theirs.delta), twin.to_ints(theirs.b), strict=True)
    return [product ^ b for product, b in pairs] == twin.to_ints(ours.c)


def is_correlated_by_hash(ours: ReceiverVole, theirs: SenderVole) -> bool:
    """Return whether C = A·Δ + B, by a linear hash, which errs once in 2^100."""
    point = from_bytes(Seeded(77).draw(16))[0]
    a, b, c = (
        correlation.linear_hash(column[None], point) for column in (ours.a, theirs.b, ours.c)
    )
    return is_correlated(ReceiverVole(a=a, c=c), SenderVole(delta=theirs.delta, b=b))
