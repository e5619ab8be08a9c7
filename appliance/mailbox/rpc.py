"""The Mailbox API at both ends: a peer delivers to our inbox, our outbox to a peer's."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

import grpc.aio

from appliance.api import peer_pb2 as pb
from appliance.api.peer_pb2_grpc import MailboxServicer, MailboxStub
from appliance.identity.node_id import NodeId
from appliance.mailbox.inbox import Inbox
from appliance.mailbox.letters import Letter, Receipt, Refusal, Undelivered

DELIVERY_SECONDS: Final = 20.0

CallerOf = Callable[[Any], NodeId]


class Links(Protocol):
    """The connections to peers."""

    async def channel(self, node_id: NodeId) -> grpc.aio.Channel:
        """Return a channel to a paired peer; raises a ServiceError if there can be none now."""


class MailboxRpc(MailboxServicer):
    """Receives letters. The sender is whoever TLS says it is, whatever the letter says."""

    def __init__(self, inbox: Inbox, caller_of: CallerOf) -> None:
        self._inbox = inbox
        self._caller_of = caller_of

    async def Deliver(self, request: pb.Letter, context: Any) -> pb.Receipt:
        """Let one letter take effect."""
        letter = Letter(number=request.number, kind=request.kind, body=request.body)
        receipt = await self._inbox.receive(self._caller_of(context), letter)
        return to_proto(receipt)


class LinkSender:
    """Hands letters over by the links to peers; what the outbox calls ``send``."""

    def __init__(self, links: Links) -> None:
        self._links = links

    async def __call__(self, peer: NodeId, letter: Letter) -> Receipt:
        """Deliver one letter and return its receipt; Undelivered if that failed."""
        stub = MailboxStub(await self._links.channel(peer))
        message = pb.Letter(number=letter.number, kind=letter.kind, body=letter.body)
        try:
            receipt = await stub.Deliver(message, timeout=DELIVERY_SECONDS)
        except grpc.aio.AioRpcError as error:
            code = error.code().name.lower().replace("_", " ")
            raise Undelivered(f"delivery failed: {code}") from None
        except grpc.aio.UsageError:
            raise Undelivered("delivery failed: the connection was cut") from None
        except asyncio.CancelledError:
            # gRPC cancels the calls of a channel that is closed; it is not we who shall stop.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise Undelivered("delivery failed: the connection was cut") from None
        return from_proto(receipt)


def to_proto(receipt: Receipt) -> pb.Receipt:
    """Return the receipt as it travels."""
    refusal = "" if receipt.refusal is None else receipt.refusal.value
    return pb.Receipt(number=receipt.number, refusal=refusal)


def from_proto(receipt: pb.Receipt) -> Receipt:
    """Read a peer's receipt."""
    return Receipt(number=receipt.number, refusal=Refusal.parse(receipt.refusal))
