"""Nodes with links and a peer port and nothing else, that know each other by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from appliance.api.peer_pb2_grpc import add_GreetingServicer_to_server
from appliance.identity.certificates import LeafKeeper
from appliance.identity.keys import FileKey
from appliance.identity.node_id import NodeId
from appliance.peering import tls
from appliance.peering.diagnosis import Trouble
from appliance.peering.errors import PeerNotPaired, PeerUnreachable
from appliance.peering.introduction import Introduction
from appliance.peering.links import Contact, Links
from appliance.peering.peer_rpc import GreetingRpc


def clock(offset: timedelta = timedelta(0)) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + offset


class Book:
    """A peer book in memory."""

    def __init__(self) -> None:
        self.known: dict[NodeId, Contact] = {}
        self.greetings: list[tuple[NodeId, Introduction, bool]] = []
        self.troubles: list[Trouble | None] = []

    def contact(self, node_id: NodeId) -> Contact:
        if node_id not in self.known:
            raise PeerNotPaired(f"{node_id.short} is not a peer")
        return self.known[node_id]

    def contacts(self) -> tuple[NodeId, ...]:
        return tuple(self.known)

    async def note_greeting(
        self, node_id: NodeId, introduction: Introduction, *, inbound: bool
    ) -> None:
        self.greetings.append((node_id, introduction, inbound))

    async def note_trouble(self, node_id: NodeId, trouble: Trouble | None) -> None:
        self.troubles.append(trouble)


class LinkedNode:
    """A node with links and a peer port, and nothing else."""

    def __init__(self, folder: Path, name: str, offset: timedelta = timedelta(0)) -> None:
        self.name = name
        self.now = clock(offset)
        self.key = FileKey.open_or_make(folder / name, now=self.now)
        self.keeper = LeafKeeper(self.key, now=lambda: self.now())
        self.book = Book()
        self.interfaces = (1, 1)
        self.links = Links(
            keeper=self.keeper, book=self.book, introduce=self.introduce, now=lambda: self.now()
        )
        self.port = 0
        self.server: grpc.aio.Server | None = None

    @property
    def node_id(self) -> NodeId:
        return self.key.node_id

    def introduce(self, host: str = "") -> Introduction:
        return Introduction(
            name=self.name,
            address=f"127.0.0.1:{self.port}" if self.port else "",
            version="0.1.0",
            lowest_interface=self.interfaces[0],
            highest_interface=self.interfaces[1],
            clock=self.now(),
        )

    def caller_of(self, context: Any) -> NodeId:
        pins = {contact.node_id: contact.public_der for contact in self.book.known.values()}
        caller = tls.peer_of(context.auth_context(), pins, self.now())
        self.links.remember_inbound(caller, context.peer())
        return caller

    def knows(self, other: "LinkedNode", port: int | None = None) -> None:
        self.book.known[other.node_id] = Contact(
            node_id=other.node_id,
            name=other.name,
            address=f"127.0.0.1:{other.port if port is None else port}",
            certificate_der=other.key.certificate_der,
            public_der=other.key.public_der,
        )

    def roots(self) -> list[bytes]:
        return [contact.certificate_der for contact in self.book.known.values()]

    async def converse(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        self.caller_of(context)
        async for request in requests:
            yield request

    async def start(self, port: int = 0) -> None:
        self.server = grpc.aio.server(options=tls.server_options())
        rpc = GreetingRpc(self.book, self.introduce, self.caller_of)
        add_GreetingServicer_to_server(rpc, self.server)
        echo: Any = grpc.stream_stream_rpc_method_handler(self.converse)
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Echo", {"Echo": echo}),)
        )
        credentials = tls.server_credentials(self.keeper, self.roots)
        self.port = self.server.add_secure_port(f"127.0.0.1:{port}", credentials)
        await self.server.start()

    async def stop(self) -> None:
        await self.links.close()
        if self.server is not None:
            await self.server.stop(0)
            self.server = None


@asynccontextmanager
async def two_nodes(
    folder: Path, offset: timedelta = timedelta(0)
) -> AsyncIterator[tuple[LinkedNode, LinkedNode]]:
    """Two nodes that know each other; the second one's clock is off by ``offset``."""
    left, right = LinkedNode(folder, "hospital"), LinkedNode(folder, "laboratory", offset)
    await left.start()
    await right.start()
    left.knows(right)
    right.knows(left)
    try:
        yield left, right
    finally:
        await left.stop()
        await right.stop()


async def trouble_of(caller: LinkedNode, called: LinkedNode) -> Trouble:
    """Return the trouble that the caller meets, after it was told to the book and raised alike."""
    async with asyncio.timeout(10):
        with pytest.raises(PeerUnreachable) as raised:
            # The end of a connection may be noticed later than that of its calls.
            while await caller.links.channel(called.node_id):
                await asyncio.sleep(0.02)
    trouble = caller.book.troubles[-1]
    assert trouble is not None
    assert (raised.value.what, raised.value.remedy) == (trouble.what, trouble.remedy)
    assert called.name in trouble.what
    assert trouble.remedy
    return trouble
