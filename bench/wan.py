"""A slow, far network on one machine: ``python -m bench.wan PORT TARGET MBIT DELAY_MS``.

Relays connections to PORT on to TARGET. In each direction of each connection bytes leave at the
rate given, one after another, and arrive after the delay. What waits is bounded, as in a router's
queue, so that a sender feels it.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from appliance.demo.nodes import free_ports
from bench.parties import ROOT

CHUNK_BYTES: Final = 1 << 14
MOST_QUEUED: Final = 64
"""Chunks under way in one direction: 1 MiB."""


@dataclass(slots=True, kw_only=True)
class Pace:
    """When bytes that are sent one after another arrive."""

    bytes_a_second: float
    delay_seconds: float
    is_free_at: float = 0.0

    def arrival(self, now: float, size: int) -> float:
        """Return when ``size`` bytes arrive that are there to be sent at ``now``."""
        self.is_free_at = max(now, self.is_free_at) + size / self.bytes_a_second
        return self.is_free_at + self.delay_seconds


@contextmanager
def slowed(target: int, *, mbit: float, delay_ms: float) -> Iterator[int]:
    """Give a port that leads to the port ``target`` over a network of such rate and delay."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "bench.wan", *map(str, (port, target, mbit, delay_ms))]
    relay = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        if relay.stdout is None or not relay.stdout.readline():
            raise RuntimeError("the relay does not start")
        yield port
    finally:
        relay.kill()
        relay.wait()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pace: Pace) -> None:
    """Carry bytes until the reader ends."""
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MOST_QUEUED)

    async def take_in() -> None:
        while data := await reader.read(CHUNK_BYTES):
            await queue.put((pace.arrival(time.monotonic(), len(data)), data))
        await queue.put((0.0, b""))

    taking = asyncio.ensure_future(take_in())
    try:
        while True:
            due, data = await queue.get()
            if not data:
                return
            await asyncio.sleep(due - time.monotonic())
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        taking.cancel()
        writer.close()


async def serve(port: int, target: int, mbit: float, delay_ms: float) -> None:
    """Relay until killed."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        paces = [
            Pace(bytes_a_second=mbit * 1e6 / 8, delay_seconds=delay_ms / 1000) for _ in range(2)
        ]
        await asyncio.gather(pump(reader, far_writer, paces[0]), pump(far_reader, writer, paces[1]))

    server = await asyncio.start_server(relay, "127.0.0.1", port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
