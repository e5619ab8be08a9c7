"""Carries the bytes between this node's workers and their peers, a stream for each job and peer.

A worker writes into a socket that its agent gave it; what goes in here comes out of the peer's
socket there. Streams may drop and come back meanwhile. The relay does not read what it carries.
"""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Set
from functools import partial
from typing import Any, Final, Protocol

import grpc
from grpc.aio import Channel, ServicerContext

from appliance.agent import frames
from appliance.agent.allocator import keep_large_buffers
from appliance.agent.conversation import METHOD, Conversation, Watcher
from appliance.agent.frames import AbortCode, Open, Status
from appliance.identity.node_id import NodeId
from appliance.jobs.metering import Tally
from services.errors import PeerLost, ProtocolError, ServiceError

OPENING_SECONDS: Final = 10.0
MAX_WAITING_STREAMS: Final = 16
# How often it is asked whether those who hold streams are still the peers that they were.
RECHECK_SECONDS: Final = 60.0
WINDOWS_BYTES: Final = 64 << 20
SOCKET_BUFFER_BYTES: Final = 4 << 20

_SO_SNDBUFFORCE: Final = 32

log = logging.getLogger(__name__)

Context = ServicerContext[Any, Any]
Key = tuple[NodeId, str]


class RelayRefused(ProtocolError):
    """A node asked for a stream that this node does not hold with it."""


class Links(Protocol):
    """Knows how to reach peers; implemented by peering."""

    async def channel(self, node: NodeId, /) -> Channel:
        """Return a gRPC channel to this peer. Raises ServiceError if it cannot be reached."""


class Relay:
    """The conversations of all jobs on this node.

    caller_of: the node at the other end of a call on the peer port, as its certificate proves.
    opening_seconds: how long a peer's stream may wait for its first frame, and for its job.
    recheck_seconds: how often ``caller_of`` is asked again of a stream; if it raises, that ends.
    """

    def __init__(
        self,
        links: Links,
        caller_of: Callable[[Context], NodeId],
        *,
        opening_seconds: float = OPENING_SECONDS,
        recheck_seconds: float = RECHECK_SECONDS,
    ) -> None:
        keep_large_buffers()
        self._links = links
        self._caller_of = caller_of
        self._opening_seconds = opening_seconds
        self._recheck_seconds = recheck_seconds
        self._conversations: dict[Key, Conversation] = {}
        self._jobs: dict[str, dict[int, Key]] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._awaited: dict[Key, asyncio.Event] = {}
        self._waiting: Counter[Key] = Counter()

    def open(
        self,
        job_id: str,
        *,
        own_rank: int,
        peers: Mapping[int, NodeId],
        sockets: Mapping[int, socket.socket],
        grace_seconds: float,
        stages: Set[str],
        watcher: Watcher,
        attempt: int,
        last_attempt: int,
        tally: Tally,
    ) -> None:
        """Begin an attempt's conversations, one for each peer; we own the sockets from now on.

        tally: counts what all of them carry.
        """
        if job_id in self._jobs:
            raise RelayRefused(f"job {job_id} already has its conversations")
        self._jobs[job_id] = {rank: (node, job_id) for rank, node in peers.items()}
        for rank, node in peers.items():
            conversation = Conversation(
                job_id=job_id,
                peer=rank,
                connected=sockets[rank],
                window_bytes=_window_bytes(len(peers)),
                grace_seconds=grace_seconds,
                stages=stages,
                attempt=attempt,
                last_attempt=last_attempt,
                dial=self._dialler(node) if own_rank < rank else None,
                watcher=watcher,
                tally=tally,
            )
            key = (node, job_id)
            self._conversations[key] = conversation
            self._tasks[key] = asyncio.create_task(conversation.run())
            self._tasks[key].add_done_callback(partial(self._end, key, rank, conversation, watcher))
            if key in self._awaited:
                self._awaited[key].set()

    def tell_progress(self, job_id: str, status: Status) -> None:
        """Let the job's peers know how far our worker is."""
        for key in self._jobs.get(job_id, {}).values():
            self._conversations[key].tell_progress(status)

    async def finish(self, job_id: str) -> None:
        """Deliver the last bytes of a worker that ended well; return once both sides have."""
        for key in self._jobs.get(job_id, {}).values():
            self._conversations[key].finish()
        await self._see_ended(job_id)

    async def abort(self, job_id: str, code: AbortCode, *, culprit: int | None = None) -> None:
        """End the conversations; peers hear the code, a ``culprit`` that it broke the rules."""
        for rank, key in self._jobs.get(job_id, {}).items():
            blamed = rank == culprit
            self._conversations[key].abort(AbortCode.BROKE_RULES if blamed else code)
        await self._see_ended(job_id)

    async def leave(self, job_id: str) -> None:
        """End the conversations without a word: the job is to go on with another attempt."""
        for key in self._jobs.get(job_id, {}).values():
            self._conversations[key].leave()
        await self._see_ended(job_id)

    async def converse(
        self, requests: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[bytes]:
        """Serve Relay.Converse: join the stream to the conversation that its first frame names."""
        node = self._caller_of(context)
        try:
            async with asyncio.timeout(self._opening_seconds):
                first = await anext(requests, b"")
        except TimeoutError:
            raise RelayRefused("a stream stayed silent") from None
        opening = frames.parse_frame(first, _require)
        if not isinstance(opening, Open):
            raise RelayRefused("a stream does not begin with an opening")
        conversation = await self._conversation((node, opening.job_id))
        if conversation.dials:
            raise RelayRefused("a stream came from a peer whom this node dials")
        end = partial(self._wait_for_end, context)
        async for frame in conversation.answer(first, opening, requests, end):
            yield frame

    async def _wait_for_end(self, context: Context) -> None:
        """Return once the caller is no peer any more, or its connection's certificate has ended."""
        with contextlib.suppress(ServiceError):
            while True:
                await asyncio.sleep(self._recheck_seconds)
                self._caller_of(context)

    async def _conversation(self, key: Key) -> Conversation:
        """Return a conversation, which the peer may have begun a little before us."""
        if key not in self._conversations:
            theirs = sum(count for (node, _), count in self._waiting.items() if node == key[0])
            if theirs >= MAX_WAITING_STREAMS:
                raise RelayRefused("too many streams wait for their jobs")
            opened = self._awaited.setdefault(key, asyncio.Event())
            self._waiting[key] += 1
            try:
                async with asyncio.timeout(self._opening_seconds):
                    await opened.wait()
            except TimeoutError:
                raise RelayRefused("a stream for a job that does not run here") from None
            finally:
                self._waiting[key] -= 1
                if not self._waiting[key]:
                    del self._waiting[key], self._awaited[key]
        return self._conversations[key]

    def _end(
        self,
        key: Key,
        rank: int,
        conversation: Conversation,
        watcher: Watcher,
        task: asyncio.Task[None],
    ) -> None:
        """Tell the watcher of a conversation that did not end well."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ServiceError):
            watcher.channel_failed(rank, error)
        elif error is not None:
            log.error("the relay failed on job %s", key[1], exc_info=error)
            watcher.channel_failed(rank, PeerLost(rank, "the relay failed; the log says why"))
        # After the watcher knows, lest it hear first from a worker that met a closed channel.
        conversation.close()

    def _dialler(self, node: NodeId) -> Callable[[], Any]:
        return lambda: self._links.channel(node)

    async def _see_ended(self, job_id: str) -> None:
        keys = self._jobs.get(job_id, {}).values()
        if keys:
            await asyncio.wait([self._tasks[key] for key in keys])
        for key in self._jobs.pop(job_id, {}).values():
            self._conversations.pop(key, None)
            self._tasks.pop(key, None)


def relay_handler(relay: Relay) -> grpc.GenericRpcHandler:
    """Return the handler of Relay.Converse, whose frames gRPC passes on as they are."""
    service, method = METHOD.strip("/").split("/")
    converse: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
        relay.converse
    )
    return grpc.method_handlers_generic_handler(service, {method: converse})


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a worker's channel, with buffers that keep both sides busy."""
    ends = socket.socketpair()
    for end in ends:
        try:
            end.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, SOCKET_BUFFER_BYTES)
        except PermissionError:  # only root may go beyond net.core.wmem_max
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
    return ends


def _window_bytes(peer_count: int) -> int:
    """Return the window of each of a job's conversations; all together stay within a budget."""
    share_bytes = WINDOWS_BYTES // max(1, peer_count)
    return min(frames.MAX_WINDOW_BYTES, max(frames.MIN_WINDOW_BYTES, share_bytes))


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise RelayRefused(what)
