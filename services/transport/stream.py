"""Messages over a connected stream socket, each behind its length in four bytes."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Final

import numpy as np

from services import wire
from services.errors import PeerLost, PeerProtocolError

_LENGTH: Final = struct.Struct(">I")


class Stream:
    """The transport to ``peer`` over a socket, which it owns from now on.

    Bytes go from the caller's arrays to the socket, and from the socket to an array, uncopied.
    """

    def __init__(self, connected: socket.socket, *, peer: int) -> None:
        connected.setblocking(False)
        self.peer = peer
        self._socket = connected

    async def send(self, parts: Sequence[wire.Part]) -> None:
        """Send one message; waits while the socket is full."""
        length = sum(map(len, parts))
        pending = [memoryview(part) for part in (_LENGTH.pack(length), *parts)]
        try:
            pending = _without(pending, self._socket.sendmsg(pending))
        except BlockingIOError:
            pass
        except OSError as error:
            raise PeerLost(self.peer, "the connection was closed") from error
        loop = asyncio.get_running_loop()
        try:
            for part in pending:
                await loop.sock_sendall(self._socket, part)
        except OSError as error:
            raise PeerLost(self.peer, "the connection was closed") from error

    async def receive(self, limit: int) -> memoryview:
        """Return the next message; its announced length is checked before any of it is read."""
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
        loop = asyncio.get_running_loop()
        while filled < count:
            try:
                got = await loop.sock_recv_into(self._socket, data[filled:])
            except OSError as error:
                raise PeerLost(self.peer, "the connection was closed") from error
            if got == 0:
                raise PeerLost(self.peer, "the connection was closed")
            filled += got
        return data


def _without(parts: list[memoryview], sent: int) -> list[memoryview]:
    """Return what is left of ``parts`` after their first ``sent`` bytes."""
    for place, part in enumerate(parts):
        if sent < len(part):
            return [part[sent:], *parts[place + 1 :]]
        sent -= len(part)
    return []
