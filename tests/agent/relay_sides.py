"""Relays of several nodes in one process, over gRPC on loopback, through wires that can be cut."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import grpc

from appliance.agent.conversation import METHOD
from appliance.agent.frames import AbortCode, Status
from appliance.agent.relay import Relay, channel_pair, relay_handler
from appliance.identity.node_id import NodeId
from appliance.jobs.metering import Tally
from appliance.peering.errors import PeerUnknown
from services.errors import PeerLost, ServiceError

JOB = "job1"
STAGES = frozenset({"blind", "match"})


def node(number: int) -> NodeId:
    return NodeId.from_public_der(bytes([number]))


class Wire:
    """Passes TCP on to a port; when cut, all connections drop and none is made until mended."""

    def __init__(self) -> None:
        self.port = 0
        self._target = 0
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def lay(self, target: int) -> None:
        self._target = target
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._is_cut:
            writer.transport.abort()
            return
        with contextlib.suppress(OSError):
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers |= {writer, onward}
            await asyncio.gather(copy(reader, onward), copy(onward_reader, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    writer.close()


@dataclass
class Heard:
    """A watcher that keeps what it heard."""

    statuses: list[tuple[int, Status]] = field(default_factory=list)
    links: list[tuple[int, bool]] = field(default_factory=list)
    failures: list[tuple[int, ServiceError]] = field(default_factory=list)
    failed: asyncio.Event = field(default_factory=asyncio.Event)

    def peer_progressed(self, rank: int, status: Status) -> None:
        self.statuses.append((rank, status))

    def link_changed(self, rank: int, *, is_up: bool) -> None:
        self.links.append((rank, is_up))

    def channel_failed(self, rank: int, error: ServiceError) -> None:
        self.failures.append((rank, error))
        self.failed.set()

    async def failure(self, seconds: float = 5.0) -> ServiceError:
        async with asyncio.timeout(seconds):
            await self.failed.wait()
        return self.failures[0][1]


class Side:
    """One node: its relay, its server behind a wire, its workers' ends of the channels."""

    def __init__(self, rank: int, opening_seconds: float = 0.5) -> None:
        self.rank = rank
        self.id = node(rank)
        self.heard = Heard()
        self.tally = Tally()
        self.wire = Wire()
        self.strangers: set[NodeId] = set()
        self.relay = Relay(
            self, self._caller_of, opening_seconds=opening_seconds, recheck_seconds=0.1
        )
        self.workers: dict[int, socket.socket] = {}
        self.others: Mapping[NodeId, Side] = {}
        self._server = grpc.aio.server()
        self._channels: dict[NodeId, grpc.aio.Channel] = {}

    def _caller_of(self, context: Any) -> NodeId:
        caller = caller_of(context)
        if caller in self.strangers:
            raise PeerUnknown(f"{caller.short} is no peer")
        return caller

    async def channel(self, peer: NodeId) -> grpc.aio.Channel:
        if peer not in self.others:
            raise PeerLost(99, "nobody knows the way")
        if peer not in self._channels:
            self._channels[peer] = dial(self.others[peer].wire.port, self.id)
        return self._channels[peer]

    async def serve(self) -> None:
        self._server.add_generic_rpc_handlers((relay_handler(self.relay),))
        await self.wire.lay(self._server.add_insecure_port("127.0.0.1:0"))
        await self._server.start()

    def open(
        self,
        ranks: list[int],
        grace_seconds: float,
        job_id: str = JOB,
        stages: Set[str] = STAGES,
        attempt: int = 0,
        last_attempt: int = 0,
    ) -> None:
        pairs = {rank: channel_pair() for rank in ranks if rank != self.rank}
        self.workers = {rank: ends[1] for rank, ends in pairs.items()}
        for end in self.workers.values():
            end.setblocking(False)
        self.relay.open(
            job_id,
            own_rank=self.rank,
            peers={rank: node(rank) for rank in pairs},
            sockets={rank: ends[0] for rank, ends in pairs.items()},
            grace_seconds=grace_seconds,
            stages=stages,
            watcher=self.heard,
            attempt=attempt,
            last_attempt=last_attempt,
            tally=self.tally,
        )

    async def close(self) -> None:
        await self.relay.abort(JOB, AbortCode.CANCELLED)
        for end in self.workers.values():
            end.close()
        await self.wire.close()
        for channel in self._channels.values():
            await channel.close()
        await self._server.stop(0)


def caller_of(context: Any) -> NodeId:
    """Who calls, as a test says it: the first word of the user agent."""
    agent = dict(context.invocation_metadata())["user-agent"]
    return NodeId.parse(str(agent).split()[0])


def dial(port: int, as_node: NodeId) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(
        f"127.0.0.1:{port}",
        options=[
            ("grpc.primary_user_agent", as_node.text),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 200),
            ("grpc.max_receive_message_length", 4 << 20),
            ("grpc.max_send_message_length", 4 << 20),
        ],
    )


def stream_to(side: Side, as_rank: int) -> tuple[grpc.aio.Channel, Any]:
    """Return a raw stream to a side's relay, for a peer that doesn't behave."""
    channel = dial(side.wire.port, node(as_rank))
    method: Any = channel.stream_stream(METHOD)
    return channel, method()


@contextlib.asynccontextmanager
async def sides(
    count: int = 2,
    *,
    grace_seconds: float = 10.0,
    opening_seconds: float = 0.5,
    opens: bool = True,
) -> AsyncIterator[list[Side]]:
    every = [Side(rank, opening_seconds) for rank in range(count)]
    for side in every:
        side.others = {other.id: other for other in every if other is not side}
        await side.serve()
    if opens:
        for side in every:
            side.open(list(range(count)), grace_seconds)
    try:
        yield every
    finally:
        for side in every:
            await side.close()


async def write(end: socket.socket, data: bytes, *, ends: bool = False) -> None:
    await asyncio.get_running_loop().sock_sendall(end, data)
    if ends:
        end.shutdown(socket.SHUT_WR)


async def read(end: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = bytearray()
    async with asyncio.timeout(20):
        while len(data) < count:
            piece = await loop.sock_recv(end, min(1 << 20, count - len(data)))
            if not piece:
                break
            data += piece
    return bytes(data)
