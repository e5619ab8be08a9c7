"""Two roles that talk over a loopback, and what they need to do so in a test."""

import asyncio
import hashlib
from collections.abc import Coroutine, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services import wire
from services.channel import Channel, Transport
from services.primitives.group import Curve25519, Elements, Group, Scalar
from services.progress import Silent
from services.psi import ecdh
from services.randomness import Rng
from services.service import Keys
from services.transport.loopback import pair
from tests.doubles import Seeded

DOMAIN = b"a test's own domain"


class ToyGroup:
    """Odd numbers modulo 2^64 under multiplication, in 32 bytes: fast, and hides nothing."""

    def random_scalar(self, rng: Rng) -> Scalar:
        return Scalar((int.from_bytes(rng.draw(8), "little") | 1).to_bytes(8, "little"))

    async def hash(self, keys: Keys, rows: NDArray[np.int64]) -> Elements:
        digests = [
            hashlib.blake2b(keys.data[keys.offsets[i] : keys.offsets[i + 1]].tobytes()).digest()[:8]
            for i in rows
        ]
        return _padded(np.frombuffer(b"".join(digests), np.uint64) | np.uint64(1))

    async def exp(self, elements: Elements, scalar: Scalar) -> Elements:
        factor = np.frombuffer(scalar.encoded, np.uint64)
        return _padded(np.ascontiguousarray(elements[:, :8]).view(np.uint64)[:, 0] * factor)

    async def exp_received(self, channel: Channel, elements: Elements, scalar: Scalar) -> Elements:
        channel.require(bool(np.all(elements[:, 0] % 2 == 1)), "an element is not in the group")
        return await self.exp(elements, scalar)


def _padded(numbers: NDArray[np.uint64]) -> Elements:
    elements = np.zeros((len(numbers), 32), np.uint8)
    elements[:, :8] = numbers[:, None].view(np.uint8)
    return elements


class Recorded:
    """A loopback's end that keeps all it sends, message by message."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.sent: list[bytes] = []

    @property
    def peer(self) -> int:
        return self._transport.peer

    async def send(self, parts: Sequence[wire.Part]) -> None:
        self.sent.append(wire.join(parts))
        await self._transport.send(parts)

    async def receive(self, limit: int) -> memoryview:
        return await self._transport.receive(limit)

    def digest(self) -> str:
        return hashlib.sha256(b"".join(self.sent)).hexdigest()


def keys_of(words: Sequence[bytes]) -> Keys:
    offsets = np.cumsum([0, *map(len, words)]).astype(np.int64)
    return Keys(offsets, np.frombuffer(b"".join(words), np.uint8))


def both(left: Coroutine[Any, Any, Any], right: Coroutine[Any, Any, Any]) -> tuple[Any, Any]:
    """Run both ends; the first error at either stops the other and is raised by itself."""

    async def run() -> tuple[Any, Any]:
        tasks = [asyncio.ensure_future(left), asyncio.ensure_future(right)]
        try:
            async with asyncio.timeout(60):
                found = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return found[0], found[1]

    return asyncio.run(run())


def ends() -> tuple[Recorded, Recorded]:
    left, right = pair()
    return Recorded(left), Recorded(right)


def converse(
    receiver_keys: Sequence[bytes],
    sender_keys: Sequence[bytes],
    *,
    group: Group | None = None,
    is_shared: bool = False,
    seed: int = 1,
) -> tuple[list[int], list[int], Recorded, Recorded]:
    """Run an honest intersection: receiver's and sender's rows, and what each of them sent."""
    group = group or ToyGroup()
    left, right = ends()
    receiver = ecdh.receiver(
        Channel(left),
        keys_of(receiver_keys),
        len(sender_keys),
        group,
        Seeded(seed),
        Silent(),
        is_shared=is_shared,
    )
    sender = ecdh.sender(
        Channel(right),
        keys_of(sender_keys),
        len(receiver_keys),
        group,
        Seeded(seed + 1),
        Silent(),
        is_shared=is_shared,
    )
    found, learned = both(receiver, sender)
    return found.tolist(), learned.tolist(), left, right


def real_group() -> Curve25519:
    return Curve25519(DOMAIN)
