"""What other nodes ask: the Greeting API for peers, the Pairing API for whoever was invited."""

from collections.abc import Callable
from typing import Any

from appliance.api import peer_pb2 as pb
from appliance.api.peer_pb2_grpc import GreetingServicer, PairingServicer
from appliance.identity.node_id import NodeId
from appliance.peering import pake
from appliance.peering.addresses import host_of
from appliance.peering.errors import PairingBroken, VersionsDiffer
from appliance.peering.introduction import Introduce, Introduction
from appliance.peering.invitations import Invitations
from appliance.peering.links import PeerBook
from appliance.peering.pake import Proof


class GreetingRpc(GreetingServicer):
    """The Greeting API: each side hears the other and judges for itself."""

    def __init__(
        self,
        book: PeerBook,
        introduce: Introduce,
        caller_of: Callable[[Any], NodeId],
    ) -> None:
        self._book = book
        self._introduce = introduce
        self._caller_of = caller_of

    async def Hello(self, request: pb.HelloRequest, context: Any) -> pb.HelloReply:
        """Exchange introductions."""
        introduction = Introduction.from_proto(request.introduction)
        await self._book.note_greeting(self._caller_of(context), introduction, inbound=True)
        said = self._introduce(host_of(context.peer()))
        return pb.HelloReply(introduction=said.to_proto())


class PairingRpc(PairingServicer):
    """The Pairing API; served on the pairing port alone."""

    def __init__(self, invitations: Invitations) -> None:
        self._invitations = invitations

    async def Begin(self, request: pb.PairingOffer, context: Any) -> pb.PairingAnswer:
        """Start an attempt on an invitation."""
        if request.version != pake.PROTOCOL_VERSION:
            raise VersionsDiffer(f"a node pairs by version {request.version} of the protocol")
        message, attempt = await self._invitations.begin(
            request.invitation, request.pake, context.peer()
        )
        return pb.PairingAnswer(pake=message, attempt=attempt)

    async def Finish(self, request: pb.PairingProof, context: Any) -> pb.PairingAcceptance:
        """Judge a proof."""
        if len(request.sealed) > pake.MOST_SEALED_BYTES:
            raise PairingBroken("a sealed identity is too large")
        proof = Proof(sealed=request.sealed, mac=request.mac)
        answer = await self._invitations.finish(request.attempt, proof, context.peer())
        return pb.PairingAcceptance(sealed=answer.sealed, mac=answer.mac)
