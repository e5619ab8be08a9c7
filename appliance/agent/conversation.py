"""One tunnel at work, between a worker's socket and the gRPC stream that is up just now."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Set
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc
from grpc.aio import Channel, StreamStreamMultiCallable, UsageError

from appliance.agent import frames
from appliance.agent.frames import Abort, AbortCode, Open, Status
from appliance.agent.tunnel import Tunnel
from appliance.jobs.metering import Tally
from appliance.peering.allowance import Allowance
from services.errors import PeerLost, PeerProtocolError, ServiceError

METHOD: Final = "/coffer.peer.v1.Relay/Converse"
SHORTEST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 2.0
GOODBYE_SECONDS: Final = 1.0
# A worker reports at most ten times a second. What a link held up may come all at once.
STATUSES_PER_SECOND: Final = 50.0
STATUSES_AT_ONCE: Final = 5000

log = logging.getLogger(__name__)

_SAID: Final = {
    AbortCode.CANCELLED: "cancelled the job",
    AbortCode.FAILED: "ended the job because of a failure there",
    AbortCode.BROKE_RULES: "ended the job and says that this node broke the protocol",
}


class PeerAborted(PeerLost):
    """The peer ended the job; ``code`` is all that it says of why."""

    def __init__(self, rank: int, code: AbortCode) -> None:
        super().__init__(rank, _SAID[code])
        self.code = code


class PeerResumed(PeerLost):
    """The peer has begun a later attempt of the job, so that this one has come to nothing."""

    def __init__(self, rank: int, attempt: int) -> None:
        super().__init__(rank, f"it has begun attempt {attempt + 1}")
        self.attempt = attempt


@dataclass(frozen=True, slots=True, eq=False)
class _Stream:
    """A gRPC stream that carries, or carried, the tunnel; ``opening`` is its first frame."""

    opening: bytes


class Watcher(Protocol):
    """Hears what happens on one job's links; implemented by the supervisor."""

    def peer_progressed(self, rank: int, status: Status) -> None:
        """Hear how far the peer's worker is."""

    def link_changed(self, rank: int, *, is_up: bool) -> None:
        """Hear that the link came up, or went down and is being resumed."""

    def channel_failed(self, rank: int, error: ServiceError) -> None:
        """Hear that it is over: PeerLost, PeerAborted, PeerResumed or PeerProtocolError."""


class Conversation:
    """Keeps one worker's channel to one peer going; the relay holds one for each job and peer.

    It carries one attempt of the job. A peer at an earlier one hears which, and may come after us;
    one at a later one ends it.

    connected:     our end of the worker's channel; owned from now on.
    dial:          returns the gRPC channel to the peer; None at the party that waits to be dialled.
    grace_seconds: how long a link may be down before the peer counts as lost.
    tally:         counts what passes.
    """

    def __init__(
        self,
        *,
        job_id: str,
        peer: int,
        connected: socket.socket,
        window_bytes: int,
        grace_seconds: float,
        stages: Set[str],
        attempt: int,
        last_attempt: int,
        dial: Callable[[], Awaitable[Channel]] | None,
        watcher: Watcher,
        tally: Tally,
    ) -> None:
        connected.setblocking(False)
        self._peer = peer
        self._socket = connected
        self._grace_seconds = grace_seconds
        self._dial = dial
        self._watcher = watcher
        self._tunnel = Tunnel(
            job_id=job_id,
            peer=peer,
            window_bytes=window_bytes,
            stages=stages,
            attempt=attempt,
            last_attempt=last_attempt,
            tally=tally,
        )
        self._statuses = Allowance(per_second=STATUSES_PER_SECOND, burst=STATUSES_AT_ONCE)
        self._stream: _Stream | None = None
        self._to_send = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_arrived = asyncio.Event()
        self._may_finish = asyncio.Event()
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._down.set()
        self._said_goodbye = asyncio.Event()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._trouble = "it was never reached" if dial else "it never called"

    @property
    def dials(self) -> bool:
        """Whether this side makes the streams."""
        return self._dial is not None

    async def run(self) -> None:
        """Carry bytes until both workers have ended.

        Raises: PeerLost, PeerAborted, PeerResumed, PeerProtocolError.
        """
        work = [self._read_worker(), self._write_worker(), self._keep_grace()]
        if self._dial is not None:
            work.append(self._keep_dialling(self._dial))
        tasks = [asyncio.create_task(part) for part in work]
        for task in tasks:
            task.add_done_callback(self._end_with)
        try:
            await self._over
        finally:
            await self._say_goodbye()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """Hang up on our worker, if it is still there."""
        self._socket.close()

    def finish(self) -> None:
        """Tell the peer, after our worker's last byte, that this was all: it has ended well."""
        self._may_finish.set()

    def abort(self, code: AbortCode) -> None:
        """End the conversation and give the peer the code, if it can be reached at once."""
        self._tunnel.abort(code)
        self._to_send.set()
        if not self._over.done():
            self._over.set_result(None)

    def leave(self) -> None:
        """End the conversation without a word: the peer waits, as if the link were down."""
        if not self._over.done():
            self._over.set_result(None)
        if self._stream is not None:
            self._end_stream(self._stream)

    def tell_progress(self, status: Status) -> None:
        """Let the peer know how far our worker is."""
        self._tunnel.set_status(status)
        self._to_send.set()

    async def answer(
        self,
        first: bytes,
        opening: Open,
        following: AsyncIterator[bytes],
        end: Callable[[], Coroutine[Any, Any, None]],
    ) -> AsyncIterator[bytes]:
        """Carry the conversation over a stream that the peer made: yields the frames to send.

        opening: what the first frame says.
        end:     returns when the stream must end; the peer may then make another.
        """
        if opening.attempt < self._tunnel.attempt:
            yield self._tunnel.opening
            return
        stream = self._begin_stream()
        beside = (
            asyncio.create_task(self._listen(stream, [first], following)),
            asyncio.create_task(self._end_after(stream, end())),
        )
        try:
            async for frame in self._frames(stream):
                yield frame
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            self._end_stream(stream)

    async def _end_after(self, stream: _Stream, end: Coroutine[Any, Any, None]) -> None:
        await end
        self._trouble = "its certificate ended"
        self._end_stream(stream)

    async def _keep_dialling(self, dial: Callable[[], Awaitable[Channel]]) -> None:
        pause_seconds = SHORTEST_PAUSE_SECONDS
        while True:
            stream = self._begin_stream()
            try:
                channel = await dial()
                call = _converse(channel)(self._frames(stream))
                try:
                    await self._listen(stream, [], aiter(call))
                finally:
                    call.cancel()
            except grpc.RpcError as error:
                self._trouble = f"{error.code().name.lower()}: {error.details()}"
            except UsageError:
                self._trouble = "the connection was given up for another"
            except ServiceError as error:
                self._trouble = error.what
            except asyncio.CancelledError:
                if _is_being_cancelled():
                    raise
                self._trouble = "the connection was closed"  # gRPC cancels the calls of a channel
            if self._end_stream(stream):
                pause_seconds = SHORTEST_PAUSE_SECONDS
            log.info("the link to party %d is down: %s", self._peer, self._trouble)
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    def _begin_stream(self) -> _Stream:
        """Make a new stream the present one; the former, if any, comes to its end."""
        if self._stream is not None:
            self._end_stream(self._stream)
        self._stream = _Stream(self._tunnel.open_stream())
        return self._stream

    def _end_stream(self, stream: _Stream) -> bool:
        """Note that a stream has ended; return whether it had carried anything."""
        if stream is not self._stream:
            return False
        self._stream = None
        self._to_send.set()
        if not self._up.is_set():
            return False
        self._up.clear()
        self._down.set()
        if not self._over.done():
            self._watcher.link_changed(self._peer, is_up=False)
        return True

    async def _frames(self, stream: _Stream) -> AsyncIterator[bytes]:
        """Yield the frames to send on this stream, until it is no longer the present one."""
        yield stream.opening
        while stream is self._stream:
            self._to_send.clear()
            frame = self._tunnel.next_frame()
            if frame is not None:
                yield frame
                continue
            if self._tunnel.has_ended and not self._over.done():
                self._over.set_result(None)
            if self._over.done():
                self._said_goodbye.set()
                return
            await self._to_send.wait()

    async def _listen(
        self, stream: _Stream, first: Iterable[bytes], following: AsyncIterator[bytes]
    ) -> None:
        for raw in first:
            self._hear(raw)
        async for raw in following:
            if stream is self._stream:
                self._hear(raw)
            if stream is not self._stream:
                return
        self._trouble = "the stream was ended"
        self._end_stream(stream)

    def _hear(self, raw: bytes) -> None:
        if self._over.done():
            return
        try:
            heard = self._tunnel.receive(raw)
            if isinstance(heard, Status):
                self._require_calm()
        except PeerProtocolError as error:
            self._tunnel.abort(AbortCode.BROKE_RULES)
            self._over.set_exception(error)
            self._to_send.set()
            return
        match heard:
            case Abort(code):
                self._over.set_exception(PeerAborted(self._peer, code))
            case Open(attempt=attempt):
                self._meet(attempt)
            case Status():
                self._watcher.peer_progressed(self._peer, heard)
        if self._tunnel.is_open and not self._up.is_set():
            self._down.clear()
            self._up.set()
            self._watcher.link_changed(self._peer, is_up=True)
        # Whatever it was may have made room, brought bytes, or ended the tunnel.
        self._has_room.set()
        self._has_arrived.set()
        self._to_send.set()

    def _meet(self, attempt: int) -> None:
        """Part from a peer that is at another attempt; it has our opening, and may follow."""
        self._trouble = "it is at an earlier attempt"
        if attempt > self._tunnel.attempt:
            self._over.set_exception(PeerResumed(self._peer, attempt))
        if self._stream is not None:
            self._end_stream(self._stream)

    def _require_calm(self) -> None:
        if self._statuses.take(asyncio.get_running_loop().time()):
            raise PeerProtocolError(self._peer, "more statuses than any worker gives")

    async def _read_worker(self) -> None:
        loop = asyncio.get_running_loop()
        buffer = memoryview(bytearray(frames.MAX_PAYLOAD_BYTES))
        while True:
            while not (room_bytes := self._tunnel.room_bytes):
                self._has_room.clear()
                await self._has_room.wait()
            try:
                count = await loop.sock_recv_into(self._socket, buffer[:room_bytes])
            except ConnectionError:
                break
            if not count:
                break
            self._tunnel.push(buffer[:count])
            self._to_send.set()
            await asyncio.sleep(0)  # a socket that is always ready would never let others run
        # A worker that died has closed its socket too: only its supervisor can tell the two apart.
        await self._may_finish.wait()
        self._tunnel.finish()
        self._to_send.set()
        await self._over

    async def _write_worker(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._tunnel.has_arrived:
                self._has_arrived.clear()
                await self._has_arrived.wait()
            piece = self._tunnel.take()
            # A worker that has ended does not take the rest, which is then of no use to anyone.
            with contextlib.suppress(OSError):
                if piece is None:
                    self._socket.shutdown(socket.SHUT_WR)
                else:
                    await loop.sock_sendall(self._socket, piece)
            self._tunnel.consume()
            self._to_send.set()

    async def _keep_grace(self) -> None:
        while True:
            await self._down.wait()
            try:
                async with asyncio.timeout(self._grace_seconds):
                    await self._up.wait()
            except TimeoutError:
                raise PeerLost(
                    self._peer,
                    f"no connection for {self._grace_seconds:g} s, the grace time of the contract"
                    f" ({self._trouble})",
                ) from None

    async def _say_goodbye(self) -> None:
        """Wait a moment until the last frames are out and, where we dial, the peer has them."""
        self._to_send.set()
        if self._stream is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._said_goodbye.wait()
                while self._dial is not None and self._stream is not None:
                    await self._to_send.wait()
                    self._to_send.clear()

    def _end_with(self, task: asyncio.Task[None]) -> None:
        if self._over.done() or task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._over.set_exception(error)


def _converse(channel: Channel) -> StreamStreamMultiCallable[bytes, bytes]:
    return channel.stream_stream(METHOD)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
