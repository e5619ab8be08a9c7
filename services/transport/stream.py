"""Messages over a connected stream socket, each behind its length in four bytes."""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from services import wire
from services.errors import PeerLost, PeerProtocolError

_LENGTH: Final = struct.Struct(">I")
_BUFFER_BYTES: Final = 2**20
"""What the socket may hold on its way out, where the system grants it: less means more waiting."""


class Stream:
    """The transport to ``peer`` over a socket, which it owns from now on.

    Bytes go from the caller's arrays to the socket, and from the socket to an array, uncopied.
    """

    def __init__(self, connected: socket.socket, *, peer: int) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self.peer = peer
        self._socket = connected

    async def send(self, parts: Sequence[wire.Part]) -> None:
        """Send one message; waits while the socket is full."""
        length = sum(map(len, parts))
        pending = [memoryview(part) for part in (_LENGTH.pack(length), *parts)]
        while pending:
            try:
                pending = _without(pending, self._socket.sendmsg(pending))
            except BlockingIOError:
                loop = asyncio.get_running_loop()
                await self._ready(loop.add_writer, loop.remove_writer)
            except OSError as error:
                raise PeerLost(self.peer, "the connection was closed") from error

    async def receive(self, limit: int) -> memoryview:
        """Return the next message; its announced length is checked before any of it is read."""
        # Messages that already lie in the socket are read without waiting: let others run too.
        await asyncio.sleep(0)
        (length,) = _LENGTH.unpack(await self._read(_LENGTH.size))
        if length > limit:
            raise PeerProtocolError(
                self.peer, f"a message of {length} bytes, at most {limit} were due"
            )
        return await self._read(length)

    def close(self) -> None:
        """Hang up: the far end receives the rest and then meets PeerLost."""
        self._socket.close()

    async def _read(self, count: int) -> memoryview:
        # An array, as a bytearray would first be filled with zeros.
        data = np.empty(count, np.uint8).data
        filled = 0
        while filled < count:
            try:
                got = self._socket.recv_into(data[filled:])
            except BlockingIOError:
                loop = asyncio.get_running_loop()
                await self._ready(loop.add_reader, loop.remove_reader)
                continue
            except OSError as error:
                raise PeerLost(self.peer, "the connection was closed") from error
            if got == 0:
                raise PeerLost(self.peer, "the connection was closed")
            filled += got
        return data

    async def _ready(
        self,
        watch: Callable[[int, Callable[[asyncio.Future[None]], None], asyncio.Future[None]], None],
        unwatch: Callable[[int], bool],
    ) -> None:
        ready = asyncio.get_running_loop().create_future()
        watch(self._socket.fileno(), _mark, ready)
        try:
            await ready
        finally:
            unwatch(self._socket.fileno())


def _mark(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _without(parts: list[memoryview], sent: int) -> list[memoryview]:
    """Return what is left of ``parts`` after their first ``sent`` bytes."""
    for place, part in enumerate(parts):
        if sent < len(part):
            return [part[sent:], *parts[place + 1 :]]
        sent -= len(part)
    return []
