"""Nodes that can pair, in process: all of peering with a store, a mailbox and real TLS ports."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc

from appliance.agent.guard import pairing_guard
from appliance.api.peer_pb2_grpc import (
    add_GreetingServicer_to_server,
    add_MailboxServicer_to_server,
)
from appliance.identity.certificates import LeafKeeper
from appliance.identity.keys import FileKey
from appliance.identity.node_id import NodeId
from appliance.mailbox.inbox import Inbox
from appliance.mailbox.letters import Letter, Receipt
from appliance.mailbox.outbox import Outbox
from appliance.mailbox.rpc import LinkSender, MailboxRpc
from appliance.peering import tls
from appliance.peering.acceptance import Acceptance
from appliance.peering.introduction import Introduction
from appliance.peering.invitations import Invitations
from appliance.peering.invitee import fetch_certificate
from appliance.peering.links import Links
from appliance.peering.pairing_port import PAIRING_NAME
from appliance.peering.peer_rpc import GreetingRpc, PairingRpc
from appliance.peering.peers import Peer, Peers
from appliance.peering.states import InvitationState, PeerState
from appliance.store.database import Store


def clock() -> datetime:
    """Return the time by which TLS judges certificates, however a node's own clock is set."""
    return datetime.now(UTC)


class PairingNode:
    """A node without datasets, jobs and local API."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder / name
        self.offset = timedelta(0)
        self.port = 0
        self.gone: list[NodeId] = []
        self.noted: list[tuple[str, bool]] = []
        self.server: grpc.aio.Server | None = None
        self.tasks: list[asyncio.Task[None]] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def introduce(self, host: str = "") -> Introduction:
        address = f"127.0.0.1:{self.port}"
        return Introduction(name=self.name, address=address, version="0.1.0", clock=self.now())

    @property
    def node_id(self) -> NodeId:
        return self.key.node_id

    async def start(self) -> "PairingNode":
        self.store = Store.open(self.folder)
        self.key = FileKey.open_or_make(self.folder, now=self.now)
        self.keeper = LeafKeeper(self.key, now=clock)
        self.outbox = Outbox(self.store, self._send, lambda: int(self.now().timestamp() * 1000))
        self.peers = Peers(
            self.store,
            own_name=self.name,
            post=self.outbox.put,
            drop=self.outbox.drop,
            note=lambda _, node_id, name, is_paired: self.noted.append((name, is_paired)),
            now=self.now,
        )
        self.links = Links(
            keeper=self.keeper, book=self.peers, introduce=self.introduce, now=self.now
        )
        self.inbox = Inbox(self.store, self.peers.admits)
        for kind, handler in self.peers.handlers().items():
            self.inbox.register(kind, handler)
        self.peers.when_gone(self._part)
        self.peers.when_seen(self.outbox.wake)
        self.invitations = Invitations(
            store=self.store,
            peers=self.peers,
            key=self.key,
            introduce=self.introduce,
            now=self.now,
            listen="127.0.0.1:0",
            host=lambda: "127.0.0.1",
            interceptors=[pairing_guard()],
            servicer=PairingRpc,
        )
        self.acceptance = Acceptance(
            store=self.store,
            peers=self.peers,
            key=self.key,
            introduce=self.introduce,
            now=self.now,
        )
        await self.peers.load()
        await self.invitations.load()
        await self._serve()
        self.tasks = [asyncio.create_task(self.outbox.deliver())]
        return self

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.invitations.close()
        await self.links.close()
        if self.server is not None:
            await self.server.stop(0)
        self.store.close()

    async def echo(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        self.caller_of(context)
        async for request in requests:
            yield request

    def caller_of(self, context: Any) -> NodeId:
        caller = tls.peer_of(context.auth_context(), self.peers.pins(), clock())
        self.links.remember_inbound(caller, context.peer())
        return caller

    async def stream_to(self, other: "PairingNode") -> Any:
        channel = await self.links.channel(other.node_id)
        stream: Any = channel.stream_stream("/test.Echo/Echo")()
        await stream.write(b"x")
        assert await stream.read() == b"x"
        return stream

    def peer(self, other: "PairingNode") -> Peer:
        found = self.peers.find(other.node_id)
        assert found is not None
        return found

    async def _send(self, node_id: NodeId, letter: Letter) -> Receipt:
        return await LinkSender(self.links)(node_id, letter)

    async def _part(self, node_id: NodeId) -> None:
        await self.links.cut(node_id)
        await self.links.cut_inbound(node_id)
        self.gone.append(node_id)

    async def _serve(self) -> None:
        self.server = grpc.aio.server(options=tls.server_options())
        greeting: Any = GreetingRpc(self.peers, self.introduce, self.caller_of)
        add_GreetingServicer_to_server(greeting, self.server)
        mailbox = MailboxRpc(self.inbox, self.caller_of)
        add_MailboxServicer_to_server(mailbox, self.server)
        echo: Any = grpc.stream_stream_rpc_method_handler(self.echo)
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Echo", {"Echo": echo}),)
        )
        credentials = tls.server_credentials(self.keeper, self.peers.roots)
        self.port = self.server.add_secure_port(f"127.0.0.1:{self.port}", credentials)
        await self.server.start()


@asynccontextmanager
async def nodes(folder: Path, *names: str) -> AsyncIterator[list[PairingNode]]:
    """Start nodes that do not know each other."""
    started = [await PairingNode(folder, name).start() for name in names]
    try:
        yield started
    finally:
        for node in started:
            await node.stop()


async def begin_pairing(inviter: PairingNode, invitee: PairingNode) -> None:
    """Pair as far as the operators' comparison."""
    made = await inviter.invitations.invite()
    await invitee.acceptance.accept(made.text)


async def pair(inviter: PairingNode, invitee: PairingNode) -> None:
    """Pair, with both operators' confirmation."""
    await begin_pairing(inviter, invitee)
    await inviter.peers.confirm(invitee.node_id.text)
    await invitee.peers.confirm(inviter.node_id.text)
    await eventually(lambda: inviter.peer(invitee).state is PeerState.PAIRED)
    await eventually(lambda: invitee.peer(inviter).state is PeerState.PAIRED)


@asynccontextmanager
async def dial_pairing(address: str) -> AsyncIterator[tuple[grpc.aio.Channel, bytes]]:
    """Give a channel to a pairing port as an invitee dials it, and the certificate it showed."""
    certificate = await asyncio.to_thread(fetch_certificate, address)
    async with grpc.aio.secure_channel(
        f"dns:///{address}",
        tls.anonymous_channel_credentials(certificate),
        options=tls.channel_options(PAIRING_NAME),
    ) as channel:
        yield channel, certificate


async def eventually(is_true: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not is_true():
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.02)


async def state_of(node: PairingNode, number: int) -> tuple[InvitationState, int]:
    found = {one.number: one for one in await node.invitations.all()}[number]
    return found.state, found.wrong_codes


def run_with_two(folder: Path, test: Callable[[PairingNode, PairingNode], Any]) -> None:
    async def run() -> None:
        async with nodes(folder, "hospital", "laboratory") as (hospital, laboratory):
            await test(hospital, laboratory)

    asyncio.run(run())
