"""Letters over real gRPC: from one node's outbox to another's inbox."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from appliance.api import peer_pb2 as pb
from appliance.api.peer_pb2_grpc import add_MailboxServicer_to_server
from appliance.identity.node_id import NodeId
from appliance.mailbox.inbox import Inbox
from appliance.mailbox.letters import Kind, Letter, Receipt, Refusal, Unpaired, write_body
from appliance.mailbox.outbox import Outbox
from appliance.mailbox.rpc import LinkSender, MailboxRpc, from_proto
from appliance.store.database import Store
from tests.unit.contract_doubles import MemoryKey

A, B = MemoryKey().node_id, MemoryKey().node_id
PAIRING = "p" * 16


class OneLink:
    """A link to one address, whoever is asked for."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def channel(self, node_id: NodeId) -> grpc.aio.Channel:
        return self._channel


class Reader:
    """Reads farewells, and counts them."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder)
        self.senders: list[NodeId] = []
        self.inbox = Inbox(self.store, lambda session, sender, kind: True)
        self.inbox.register(Kind.UNPAIRED, self._read)

    def _read(self, session: Any, sender: NodeId, body: Any) -> Callable[[], None]:
        return lambda: self.senders.append(sender)


@asynccontextmanager
async def linked(reader: Reader) -> AsyncIterator[LinkSender]:
    server = grpc.aio.server()
    add_MailboxServicer_to_server(MailboxRpc(reader.inbox, lambda context: A), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield LinkSender(OneLink(channel))
    await server.stop(None)


def farewell(number: int) -> Letter:
    body = write_body(Kind.UNPAIRED, Unpaired(pairing=PAIRING))
    return Letter(number=number, kind=Kind.UNPAIRED.value, body=body)


def test_a_letter_arrives_in_the_name_of_whoever_the_connection_says(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path)
        async with linked(reader) as send:
            assert await send(B, farewell(1)) == Receipt(number=1)
            assert await send(B, farewell(1)) == Receipt(number=1)
        assert reader.senders == [A]

    asyncio.run(run())


def test_a_refusal_comes_back_as_its_word(tmp_path: Path) -> None:
    async def run() -> None:
        async with linked(Reader(tmp_path)) as send:
            early = await send(B, farewell(7))
            unknown = await send(B, Letter(number=1, kind="from.the.future", body=b"{}"))
        assert early == Receipt(number=7, refusal=Refusal.OUT_OF_ORDER)
        assert unknown == Receipt(number=1, refusal=Refusal.UNKNOWN_KIND)

    asyncio.run(run())


def test_a_word_of_another_version_is_read_as_a_refusal() -> None:
    receipt = from_proto(pb.Receipt(number=1, refusal="from-the-future"))
    assert receipt.refusal is Refusal.OTHER


def test_letters_wait_for_a_peer_that_is_down(tmp_path: Path) -> None:
    async def run() -> None:
        reader = Reader(tmp_path / "b")
        store = Store.open(tmp_path / "a")
        async with grpc.aio.insecure_channel("127.0.0.1:1") as nowhere:
            sender = LinkSender(OneLink(nowhere))
            outbox = Outbox(store, lambda *given: sender(*given), lambda: 0)
            delivery = asyncio.create_task(outbox.deliver())
            body = Unpaired(pairing=PAIRING)
            await store.run(lambda session: outbox.put(session, B, Kind.UNPAIRED, body))
            await asyncio.sleep(0.1)
            assert await outbox.pending_count(B) == 1
            async with linked(reader) as up:
                sender = up
                outbox.wake(B)
                async with asyncio.timeout(10):
                    while await outbox.pending_count(B):
                        await asyncio.sleep(0.01)
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)
        assert reader.senders == [A]

    asyncio.run(run())
