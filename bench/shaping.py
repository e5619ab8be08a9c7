"""A slow link between two nodes: TCP relays that pace and delay what passes.

It is for kernels that have no netem. Each direction is a token bucket, as ``tc tbf``, followed by a
delay, as ``tc netem``. Where a relay has to wait it stops reading, and TCP slows the sender down.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

_PIECE_BYTES: Final = 16 << 10
_SOCKET_BYTES: Final = 256 << 10
"""A relay's room for what came: more would hide from the sender that the link is slow."""


@dataclass(kw_only=True)
class Pacer:
    """One direction of a link. Times are seconds on any clock that never goes back.

    bytes_per_second: in the long run; burst_bytes may pass at once after a rest.
    delay_seconds:    from when a byte leaves to when it arrives.
    carried_bytes:    how much has passed.
    """

    bytes_per_second: float
    burst_bytes: int
    delay_seconds: float
    carried_bytes: int = 0
    _paid_until: float = field(default=float("-inf"), repr=False)

    def leave(self, now: float, size: int) -> float:
        """Take ``size`` bytes up and return when the last of them may leave."""
        earliest = now - self.burst_bytes / self.bytes_per_second  # the bucket is full
        self._paid_until = max(self._paid_until, earliest) + size / self.bytes_per_second
        self.carried_bytes += size
        return max(now, self._paid_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a link is like, the same both ways."""

    title: str
    bytes_per_second: float
    burst_bytes: int
    delay_seconds: float

    def pacer(self) -> Pacer:
        """Return one direction of such a link."""
        return Pacer(
            bytes_per_second=self.bytes_per_second,
            burst_bytes=self.burst_bytes,
            delay_seconds=self.delay_seconds,
        )


_PAYLOAD_SHARE: Final = 1448 / 1514
"""Of an Ethernet frame that TCP fills. tc counts frames, a relay sees what they carry."""

WAN: Final = Line(
    title="100 Mbit/s and 10 ms each way",
    bytes_per_second=100e6 / 8 * _PAYLOAD_SHARE,
    burst_bytes=128 << 10,
    delay_seconds=0.01,
)
"""As SecretFlow's PSI benchmark has it: by tc at each party, so 20 ms there and back."""


class Link:
    """A link between two ends, 0 and 1; all connections share its two directions."""

    def __init__(self, line: Line, loop: asyncio.AbstractEventLoop) -> None:
        self.towards: Final = (line.pacer(), line.pacer())  # what goes to end 0, to end 1
        self._loop = loop

    def relay_to(self, end: int, port: int) -> int:
        """Return a port that leads over the link to ``port``, which is at one end."""
        opened = asyncio.run_coroutine_threadsafe(self._listen(end, port), self._loop)
        return opened.result()

    async def _listen(self, end: int, port: int) -> int:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BYTES)
        await asyncio.start_server(partial(self._carry, end, port), sock=listening)
        return int(listening.getsockname()[1])

    async def _carry(
        self,
        end: int,
        port: int,
        near_reader: asyncio.StreamReader,
        near_writer: asyncio.StreamWriter,
    ) -> None:
        """Carry one connection until both directions have ended."""
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            near_writer.close()
            return
        try:
            await asyncio.gather(
                carry(near_reader, far_writer, self.towards[end]),
                carry(far_reader, near_writer, self.towards[1 - end]),
            )
        finally:
            far_writer.close()
            near_writer.close()


async def carry(
    source: asyncio.StreamReader,
    target: asyncio.StreamWriter,
    pacer: Pacer,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Carry bytes one way at the pacer's rate and delay, until the source ends."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    arriving = asyncio.create_task(_deliver(under_way, target, clock))
    with suppress(OSError):
        while data := await source.read(_PIECE_BYTES):
            leaves = pacer.leave(clock(), len(data))
            under_way.put_nowait((leaves + pacer.delay_seconds, data))
            await _sleep_until(leaves, clock)
    under_way.put_nowait((clock() + pacer.delay_seconds, b""))
    await arriving


async def _deliver(
    under_way: asyncio.Queue[tuple[float, bytes]],
    target: asyncio.StreamWriter,
    clock: Callable[[], float],
) -> None:
    with suppress(OSError):
        while True:
            arrives, data = await under_way.get()
            await _sleep_until(arrives, clock)
            if not data:
                break
            target.write(data)
            await target.drain()
        target.write_eof()


async def _sleep_until(moment: float, clock: Callable[[], float]) -> None:
    wait = moment - clock()
    if wait > 0:
        await asyncio.sleep(wait)


@contextmanager
def shaped(line: Line) -> Iterator[Link]:
    """Return a link whose relays run in a thread of their own until the end."""
    loop = asyncio.new_event_loop()
    running = threading.Thread(target=loop.run_forever)
    running.start()
    try:
        yield Link(line, loop)
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        running.join()
        loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
