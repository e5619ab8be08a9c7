"""Goodput between two workers through their agents, beside gRPC's own streaming of 1 MiB messages.

Both go over loopback and the same TLS with the same options, in turn. gRPC alone is two processes.
Ours is four, as in life: worker, agent, agent, worker.
"""

import asyncio
import multiprocessing
import queue
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np

from appliance.agent.allocator import keep_large_buffers
from appliance.agent.frames import Status
from appliance.agent.relay import Relay, channel_pair, relay_handler
from appliance.identity.certificates import LeafKeeper
from appliance.identity.keys import FileKey
from appliance.identity.node_id import NodeId
from appliance.jobs.metering import Tally
from appliance.peering import tls
from bench.asked import Asked
from services.errors import PeerLost, ServiceError
from services.transport.stream import Stream

MESSAGE_BYTES: Final = 1 << 20
REQUIRED_RATIO: Final = 0.6
JOB: Final = "bench"
_PROCESSES: Final = multiprocessing.get_context("spawn")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One of the two nodes: the folder of its own key, and what it knows of the other."""

    state: Path
    peer: NodeId
    peer_certificate_der: bytes

    def keeper(self) -> LeafKeeper:
        """Make TLS certificates under the node's key."""
        return LeafKeeper(FileKey.open_or_make(self.state, now=_now), now=_now)

    def server(self) -> tuple[grpc.aio.Server, int]:
        """Return a server that admits the other node, and its port."""
        server = grpc.aio.server(options=tls.server_options())
        roots = (self.peer_certificate_der,)
        credentials = tls.server_credentials(self.keeper(), lambda: roots)
        return server, server.add_secure_port("127.0.0.1:0", credentials)

    def channel(self, port: int) -> grpc.aio.Channel:
        """Return a channel to the other node's server."""
        return grpc.aio.secure_channel(
            f"127.0.0.1:{port}",
            tls.channel_credentials(self.keeper().current(), self.peer_certificate_der),
            options=tls.channel_options(self.peer.dns_name),
        )


def run(asked: Asked) -> dict[str, Any]:
    """Measure both in turn, several times; gRPC itself is measured even without peers."""
    count = 512 if asked.is_quick else 2048
    repeats = 3 if asked.is_quick else 7
    theirs, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        nodes = _make_nodes(Path(folder))
        for _ in range(repeats):
            theirs.append(_measure(_grpc_receiver, _grpc_sender, nodes, count))
            ours.append(_measure(_relay_receiver, _relay_sender, nodes, count))
    ratio = statistics.median(our / their for our, their in zip(ours, theirs, strict=True))
    return {
        "message_bytes": MESSAGE_BYTES,
        "messages": count,
        "repeats": repeats,
        "grpc_mib_per_second": round(statistics.median(theirs), 1),
        "channel_mib_per_second": round(statistics.median(ours), 1),
        "ratio": round(ratio, 3),
        "required_ratio": REQUIRED_RATIO,
        "passed": ratio >= REQUIRED_RATIO,
    }


def _make_nodes(folder: Path) -> tuple[Node, Node]:
    states = folder / "left", folder / "right"
    keys = [FileKey.open_or_make(state, now=_now) for state in states]
    left, right = (
        Node(state=state, peer=key.node_id, peer_certificate_der=key.certificate_der)
        for state, key in zip(states, reversed(keys), strict=True)
    )
    return left, right


Streaming = grpc.aio.StreamStreamMultiCallable[bytes, bytes]
Receiver = Callable[[Node, int, Any], None]
Sender = Callable[[Node, int, int, Any], None]


def _measure(receive: Receiver, send: Sender, nodes: tuple[Node, Node], count: int) -> float:
    """Return the MiB per second from the first byte's departure to the receiver's last word."""
    told = _PROCESSES.Queue()
    left, right = nodes
    receiver = _PROCESSES.Process(target=receive, args=(right, count, told))
    receiver.start()
    running = [receiver]
    try:
        sender = _PROCESSES.Process(target=send, args=(left, _hear(told, running), count, told))
        sender.start()
        running.append(sender)
        seconds: float = _hear(told, running)
    finally:
        for process in reversed(running):
            process.kill()
            process.join()
    return count * MESSAGE_BYTES / (1 << 20) / seconds


def _hear(told: Any, running: Sequence[BaseProcess]) -> Any:
    """Return what a process told; none may end before it has."""
    while True:
        try:
            return told.get(timeout=1)
        except queue.Empty:
            if not all(process.is_alive() for process in running):
                raise RuntimeError("a process of the benchmark ended early") from None


def _message() -> bytes:
    return np.random.default_rng(1).bytes(MESSAGE_BYTES)


def _grpc_receiver(node: Node, count: int, told: Any) -> None:
    async def count_all(
        requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        received = 0
        async for message in requests:
            received += len(message)
            if received == count * MESSAGE_BYTES:
                yield b"all"

    async def serve() -> None:
        server, port = node.server()
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
            count_all
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("Bench", {"Count": handler}),)
        )
        await server.start()
        told.put(port)
        await server.wait_for_termination()

    asyncio.run(serve())


def _grpc_sender(node: Node, port: int, count: int, told: Any) -> None:
    message = _message()

    async def messages() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield message

    async def send() -> None:
        async with node.channel(port) as channel:
            await channel.channel_ready()
            started = time.perf_counter()
            method: Streaming = channel.stream_stream("/Bench/Count")
            async for _ in method(messages()):
                told.put(time.perf_counter() - started)

    asyncio.run(send())


def _relay_receiver(node: Node, count: int, told: Any) -> None:
    _serve_agent(_worker_receives, count, told, lambda end: _answer(node, end, told))


def _relay_sender(node: Node, port: int, count: int, told: Any) -> None:
    _serve_agent(_worker_sends, count, told, lambda end: _call(node, end, port))


def _serve_agent(
    work: Callable[[socket.socket, int, Any], None],
    count: int,
    told: Any,
    serve: Callable[[socket.socket], Any],
) -> None:
    """Be an agent: start the worker as a process of its own and relay for it."""
    agent_end, worker_end = channel_pair()
    worker: BaseProcess = _PROCESSES.Process(
        target=work, args=(worker_end, count, told), daemon=True
    )
    worker.start()
    worker_end.close()
    asyncio.run(serve(agent_end))


async def _answer(node: Node, end: socket.socket, told: Any) -> None:
    server, port = node.server()
    relay = Relay(_Dialled(None), lambda context: node.peer)
    server.add_generic_rpc_handlers((relay_handler(relay),))
    await server.start()
    _open(relay, 1, node, end)
    told.put(port)
    await server.wait_for_termination()


async def _call(node: Node, end: socket.socket, port: int) -> None:
    async with node.channel(port) as channel:
        await channel.channel_ready()
        _open(Relay(_Dialled(channel), lambda context: node.peer), 0, node, end)
        await asyncio.Event().wait()


def _open(relay: Relay, own_rank: int, node: Node, end: socket.socket) -> None:
    relay.open(
        JOB,
        own_rank=own_rank,
        peers={1 - own_rank: node.peer},
        sockets={1 - own_rank: end},
        grace_seconds=10,
        stages=frozenset(),
        watcher=_Unwatched(),
        attempt=0,
        last_attempt=0,
        tally=Tally(),
    )


def _worker_sends(end: socket.socket, count: int, told: Any) -> None:
    keep_large_buffers()  # as workers do

    async def work() -> None:
        stream = Stream(end, peer=1)
        message = _message()
        await stream.send([b"ready?"])
        await stream.receive(16)
        started = time.perf_counter()
        for _ in range(count):
            await stream.send([message])
        await stream.receive(16)
        told.put(time.perf_counter() - started)

    asyncio.run(work())


def _worker_receives(end: socket.socket, count: int, told: Any) -> None:
    keep_large_buffers()

    async def work() -> None:
        stream = Stream(end, peer=0)
        await stream.receive(16)
        await stream.send([b"ready"])
        for _ in range(count):
            await stream.receive(MESSAGE_BYTES)
        await stream.send([b"all"])

    asyncio.run(work())


class _Dialled:
    """Links with one channel that is made already."""

    def __init__(self, channel: grpc.aio.Channel | None) -> None:
        self._channel = channel

    async def channel(self, node: NodeId) -> grpc.aio.Channel:
        if self._channel is None:
            raise PeerLost(1, "there is no channel to it")
        return self._channel


class _Unwatched:
    """Links that nobody watches; a failure stops the benchmark."""

    def peer_progressed(self, rank: int, status: Status) -> None:
        pass

    def link_changed(self, rank: int, *, is_up: bool) -> None:
        pass

    def channel_failed(self, rank: int, error: ServiceError) -> None:
        raise error
