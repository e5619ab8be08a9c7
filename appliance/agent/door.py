"""The local API's front door: admits each connection under the uid that the kernel vouches for.

gRPC does not tell a servicer who is at the other end of a Unix socket. So the door listens
instead, asks the kernel (SO_PEERCRED), and passes the connection on to the agent's inner socket
from an abstract address that carries the uid and an unguessable word; ``uid_of`` reads it back
from ``context.peer()``. The inner socket lies in a folder that only the agent's uid can enter.
"""

import asyncio
import contextlib
import secrets
import socket
import struct
from pathlib import Path
from typing import Final

_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid
_PREFIX: Final = "coffer-uid"
_CHUNK_BYTES: Final = 1 << 16
_MOST_CONNECTIONS: Final = 256


class Door:
    """Listens at ``outer`` and passes admitted connections on to ``inner``."""

    def __init__(self, outer: Path, inner: Path) -> None:
        self._outer = outer
        self._inner = inner
        self._names: dict[str, int] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Start to listen; a socket file that a dead agent left is replaced."""
        self._outer.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._welcome, path=self._outer)
        self._outer.chmod(0o666)  # the uid is what is checked, not the file's mode

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._outer.unlink(missing_ok=True)

    def uid_of(self, peer: str) -> int | None:
        """Return the uid behind a ``context.peer()``; None if it came another way."""
        return self._names.get(peer)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= _MOST_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        uid = _uid_behind(writer.get_extra_info("socket"))
        name = f"{_PREFIX}-{uid}-{secrets.token_hex(16)}"
        peer = f"unix-abstract:{name}"
        self._names[peer] = uid
        try:
            await self._pass_on(name, reader, writer)
        finally:
            del self._names[peer]
            writer.close()

    async def _pass_on(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        onward = socket.socket(socket.AF_UNIX)
        onward.setblocking(False)
        onward.bind(b"\0" + name.encode())
        await asyncio.get_running_loop().sock_connect(onward, str(self._inner))
        inner_reader, inner_writer = await asyncio.open_unix_connection(sock=onward)
        with contextlib.closing(inner_writer):
            ways = (
                asyncio.create_task(_copy(reader, inner_writer)),
                asyncio.create_task(_copy(inner_reader, writer)),
            )
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


def _uid_behind(connection: socket.socket) -> int:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(raw)[1]
    return uid


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
