"""A stretch of network between two nodes that a test can cut."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Wire:
    """Passes connections on to a port of this machine; every cut drops those that are up."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_open = True
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._join, "127.0.0.1", 0), self._loop
        ).result()
        self.port: int = server.sockets[0].getsockname()[1]
        self.passed_bytes = 0

    def cut(self) -> None:
        """Drop all connections; new ones may come."""
        self._loop.call_soon_threadsafe(self._drop)

    def break_off(self) -> None:
        """Drop all connections and let none come."""
        self._is_open = False
        self.cut()

    def mend(self) -> None:
        """Let connections come again."""
        self._is_open = True

    def close(self) -> None:
        self.break_off()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_open:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer, there_writer}
        self._writers |= ends
        await asyncio.gather(self._copy(reader, there_writer), self._copy(there_reader, writer))
        self._writers -= ends

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 16):
                self.passed_bytes += len(chunk)
                writer.write(chunk)
                await writer.drain()
        writer.close()


@contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    wire = Wire(port)
    try:
        yield wire
    finally:
        wire.close()
