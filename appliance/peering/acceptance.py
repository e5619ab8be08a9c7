"""The invitee's side of pairing: enter an invitation, prove the code, learn who the other is."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import grpc

from appliance.api import peer_pb2 as pb
from appliance.api.conventions import ERROR_KEY
from appliance.api.peer_pb2_grpc import PairingStub
from appliance.identity.keys import IdentityKey
from appliance.peering import pake, tls
from appliance.peering.addresses import split_address
from appliance.peering.code import InvitationText
from appliance.peering.errors import (
    REFUSALS,
    ClockSkewed,
    PairingBroken,
    PairingBusy,
    PairingFailed,
    SelfPairing,
    VersionsDiffer,
)
from appliance.peering.introduction import Introduction, require_agreement
from appliance.peering.pairing_port import PAIRING_NAME, has_pairing_name, leaf_hash
from appliance.peering.pake import Bond, Circumstances, Half, Identity, Keys, Proof, Role
from appliance.peering.peers import Peer, Peers
from appliance.store.database import Store

_CONNECT_SECONDS: Final = 8.0
_CALL_SECONDS: Final = 20.0
_RESOURCES: Final = grpc.StatusCode.RESOURCE_EXHAUSTED

log = logging.getLogger(__name__)


class Acceptance:
    """Enters invitations that other nodes made."""

    def __init__(
        self,
        *,
        store: Store,
        peers: Peers,
        key: IdentityKey,
        introduce: Callable[[], Introduction],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._peers = peers
        self._key = key
        self._introduce = introduce
        self._now = now

    async def accept(self, text: str) -> Peer:
        """Prove an invitation's code and return the peer, which both operators must confirm.

        Raises: InvitationMistyped; InvitationRefused, of which WrongCode; PairingFailed if the
        other node cannot be reached; ClockSkewed, VersionsDiffer, PairingBroken.
        """
        invitation = InvitationText.parse(text)
        shown = await asyncio.to_thread(_fetch_certificate, invitation.address)
        # Whoever showed it is whom we talk to from here on; that it is the inviter's is proved
        # within, where both sides derive their keys from the certificate that they see.
        async with grpc.aio.secure_channel(
            f"dns:///{invitation.address}",
            tls.anonymous_channel_credentials(shown),
            options=tls.channel_options(PAIRING_NAME),
        ) as channel:
            inviter, bond = await self._converse(channel, invitation, leaf_hash(shown))
        if inviter.node_id == self._key.node_id:
            raise SelfPairing
        require_agreement(inviter.introduction, inviter.introduction.name, self._now())
        await self._store.run(
            lambda session: self._peers.add(session, inviter, bond, restarts=True),
            then=lambda after: after(),
        )
        log.info("the pairing with %s waits for confirmation", inviter.node_id.short)
        return self._peers.get(inviter.node_id.text)

    async def _converse(
        self, channel: grpc.aio.Channel, invitation: InvitationText, seen: bytes
    ) -> tuple[Identity, Bond]:
        """Run the protocol of ``pake`` and return who answered."""
        stub: Any = PairingStub(channel)
        half = await asyncio.to_thread(Half, Role.INVITEE, invitation.code.password)
        offer = pb.PairingOffer(
            version=pake.PROTOCOL_VERSION, invitation=invitation.code.number, pake=half.message
        )
        answer: pb.PairingAnswer = await _ask(stub.Begin, offer, invitation.address)
        if len(answer.attempt) != pake.ATTEMPT_BYTES:
            raise PairingBroken("the other node does not name the attempt")
        shared = await asyncio.to_thread(half.finish, answer.pake)
        circumstances = Circumstances(
            invitation=invitation.code.number,
            leaf_hash=seen,
            attempt=answer.attempt,
            invitee_message=half.message,
            inviter_message=answer.pake,
        )
        keys = Keys.derive(shared, circumstances)
        ours, invitee = pake.prove(keys, Role.INVITEE, self._key, self._introduce(), None)
        # The inviter lets us in once we have proved the code: then we must be able to note it.
        await self._store.require_room()
        proof = pb.PairingProof(attempt=answer.attempt, sealed=ours.sealed, mac=ours.mac)
        said: pb.PairingAcceptance = await _ask(stub.Finish, proof, invitation.address)
        if len(said.sealed) > pake.MOST_SEALED_BYTES:
            raise PairingBroken("the other node's sealed identity is too large")
        theirs = Proof(sealed=said.sealed, mac=said.mac)
        inviter = pake.verify(keys, Role.INVITER, theirs, ours)
        return inviter, pake.bond(keys, invitee, inviter)


async def _ask(method: Callable[..., Any], request: object, address: str) -> Any:
    """Call the inviter and turn its refusal into words for our operator."""
    try:
        return await method(request, timeout=_CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        said = str(dict(error.trailing_metadata() or ()).get(ERROR_KEY, ""))
        raise _refusal(said, error, address) from error


def _refusal(said: str, error: grpc.aio.AioRpcError, address: str) -> Exception:
    if said in REFUSALS:
        return REFUSALS[said]()
    if error.code() is _RESOURCES:
        return PairingBusy()
    match said:
        case ClockSkewed.__name__:
            return ClockSkewed(
                "the clocks of the two nodes differ by more than five minutes",
                remedy="compare both clocks with a third and set the wrong one right; the"
                " invitation is still good",
            )
        case VersionsDiffer.__name__:
            return VersionsDiffer(
                "the two nodes run versions that cannot speak with each other",
                remedy="update the older one, then pair",
            )
        case PairingBroken.__name__:
            return PairingBroken(
                "the other node finds fault with what this one says",
                remedy="its log has the reason",
            )
    code = error.code().name.lower().replace("_", " ")
    return PairingFailed(
        f"the node at {address} broke off the pairing: {said[:64] or code}",
        remedy="try again; if it fails again, the other node's log has the reason",
    )


def _fetch_certificate(address: str) -> bytes:
    """Return the certificate (DER) that a pairing port shows. Raises: PairingFailed."""
    host, port = split_address(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # believed only if the pairing protocol bears it out
    context.set_alpn_protocols(["h2"])
    try:
        connection = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
        with connection, context.wrap_socket(connection) as secured:
            shown = secured.getpeercert(binary_form=True) or b""
    except socket.gaierror as error:
        raise PairingFailed(
            f"the name {host} in the invitation cannot be resolved",
            remedy="check DNS; or enter another address of that node, followed by the words",
        ) from error
    except ConnectionRefusedError as error:
        raise PairingFailed(
            f"nothing listens at {address}",
            remedy="the invitation may have expired, or been used or withdrawn, or its node may"
            " have restarted: ask for a new one; else check the address",
        ) from error
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise PairingFailed(
            f"no pairing port answers at {address}: {str(reason).lower().replace('_', ' ')}",
            remedy="check the network, and the firewalls between both nodes, for this port",
        ) from error
    if not has_pairing_name(shown):
        raise PairingFailed(
            f"what answers at {address} is not a pairing port",
            remedy="check the address in the invitation; the pairing port is not the peer port",
        )
    return shown
