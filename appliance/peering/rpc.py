"""The Peers API, for the operators of this node."""

from collections.abc import Awaitable, Callable
from typing import Any

from appliance.api import agent_pb2 as pb
from appliance.api.agent_pb2_grpc import PeersServicer
from appliance.identity.node_id import NodeId
from appliance.peering.acceptance import Acceptance
from appliance.peering.errors import InvitationNotFound
from appliance.peering.invitations import Invitation, Invitations
from appliance.peering.peers import Peer, Peers
from appliance.peering.states import PeerState


class PeersRpc(PeersServicer):
    """Read the request, ask, write the reply.

    pending_count: how many letters wait for a peer.
    """

    def __init__(
        self,
        peers: Peers,
        invitations: Invitations,
        acceptance: Acceptance,
        pending_count: Callable[[NodeId], Awaitable[int]],
    ) -> None:
        self._peers = peers
        self._invitations = invitations
        self._acceptance = acceptance
        self._pending_count = pending_count

    async def Invite(self, request: pb.InviteRequest, context: Any) -> pb.Invitation:
        """Make an invitation."""
        return invitation_to_proto(await self._invitations.invite(request.host))

    async def ListInvitations(
        self, request: pb.ListInvitationsRequest, context: Any
    ) -> pb.ListInvitationsReply:
        """List this node's invitations."""
        found = await self._invitations.all()
        return pb.ListInvitationsReply(invitations=map(invitation_to_proto, found))

    async def WithdrawInvitation(
        self, request: pb.WithdrawInvitationRequest, context: Any
    ) -> pb.Invitation:
        """End an open invitation."""
        return invitation_to_proto(await self._invitations.withdraw(parse_number(request.id)))

    async def Accept(self, request: pb.AcceptRequest, context: Any) -> pb.Peer:
        """Enter another node's invitation."""
        return await self._write(await self._acceptance.accept(request.invitation))

    async def Confirm(self, request: pb.ConfirmRequest, context: Any) -> pb.Peer:
        """Confirm a pairing."""
        return await self._write(await self._peers.confirm(request.peer))

    async def Reject(self, request: pb.RejectRequest, context: Any) -> pb.Peer:
        """Reject a pairing."""
        return await self._write(await self._peers.reject(request.peer))

    async def ListPeers(self, request: pb.ListPeersRequest, context: Any) -> pb.ListPeersReply:
        """List all peers."""
        return pb.ListPeersReply(peers=[await self._write(peer) for peer in self._peers.all()])

    async def GetPeer(self, request: pb.GetPeerRequest, context: Any) -> pb.Peer:
        """Show one peer."""
        return await self._write(self._peers.get(request.peer))

    async def MovePeer(self, request: pb.MovePeerRequest, context: Any) -> pb.Peer:
        """Change a peer's address."""
        return await self._write(await self._peers.move(request.peer, request.address))

    async def Unpair(self, request: pb.UnpairRequest, context: Any) -> pb.Peer:
        """End a pairing."""
        return await self._write(await self._peers.unpair(request.peer))

    async def ForgetPeer(self, request: pb.ForgetPeerRequest, context: Any) -> pb.Peer:
        """Take a peer off the list."""
        return await self._write(await self._peers.forget(request.peer))

    async def _write(self, peer: Peer) -> pb.Peer:
        return peer_to_proto(peer, await self._pending_count(peer.node_id))


def parse_number(text: str) -> int:
    """Read an invitation's number. Raises: InvitationNotFound."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise InvitationNotFound(
            f"{text[:20]!r} is not the number of an invitation",
            remedy="see: coffer peers invitations",
        )
    return int(text)


def invitation_to_proto(invitation: Invitation) -> pb.Invitation:
    """Return the invitation as it travels."""
    return pb.Invitation(
        id=str(invitation.number),
        text=invitation.text,
        words=invitation.words,
        address=invitation.address,
        expires_milliseconds=invitation.expires_milliseconds,
        state=invitation.state.value,
        wrong_codes=invitation.wrong_codes,
    )


def peer_to_proto(peer: Peer, pending_count: int) -> pb.Peer:
    """Return the peer as it travels."""
    here = (PeerState.CONFIRMED_HERE, PeerState.PAIRED)
    there = (PeerState.CONFIRMED_THERE, PeerState.PAIRED)
    return pb.Peer(
        node_id=peer.node_id.text,
        name=peer.name,
        address=peer.address,
        state=peer.state.word,
        authentication_string=peer.authentication_string,
        confirmed_here=peer.state in here,
        confirmed_there=peer.state in there,
        reachable=peer.is_reachable,
        trouble=peer.trouble.what if peer.trouble else "",
        remedy=peer.trouble.remedy if peer.trouble else "",
        version=peer.version,
        last_seen_milliseconds=peer.last_seen_milliseconds,
        outbox_count=pending_count,
        ended=peer.state.ending,
        former_address=peer.former_address,
    )
