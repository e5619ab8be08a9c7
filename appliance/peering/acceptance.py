"""The invitee's side of pairing: enter an invitation, prove the code, learn who the other is."""

import asyncio
import logging
import socket
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

import grpc

from appliance.api.peer_pb2_grpc import PairingStub
from appliance.identity.keys import IdentityKey
from appliance.peering import tls
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
from appliance.peering.introduction import Introduce, require_agreement
from appliance.peering.invitee import NotAPairingPort, converse, fetch_certificate, reason_of
from appliance.peering.pairing_port import PAIRING_NAME, leaf_hash
from appliance.peering.peers import Peer, Peers
from appliance.store.database import Store

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
        introduce: Introduce,
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
        host, _ = split_address(invitation.address)
        introduction = await asyncio.to_thread(self._introduce, host)  # a name is looked up
        # Whoever showed it is whom we talk to from here on; that it is the inviter's is proved
        # within, where both sides derive their keys from the certificate that they see.
        async with grpc.aio.secure_channel(
            f"dns:///{invitation.address}",
            tls.anonymous_channel_credentials(shown),
            options=tls.channel_options(PAIRING_NAME),
        ) as channel:
            inviter, bond = await converse(
                PairingStub(channel),
                number=invitation.code.number,
                password=invitation.code.password,
                seen=leaf_hash(shown),
                signer=self._key,
                introduction=introduction,
                refusal=partial(_refusal, invitation.address),
                # The inviter lets us in once we have proved the code: then we must be able to
                # note it.
                before_proof=self._store.require_room,
            )
        if inviter.node_id == self._key.node_id:
            raise SelfPairing
        require_agreement(inviter.introduction, inviter.introduction.name, self._now())
        await self._store.run(
            lambda session: self._peers.add(session, inviter, bond, restarts=True),
            then=lambda after: after(),
        )
        log.info("the pairing with %s waits for confirmation", inviter.node_id.short)
        return self._peers.get(inviter.node_id.text)


def _refusal(address: str, said: str, error: grpc.aio.AioRpcError) -> Exception:
    """Turn the inviter's refusal into words for our operator."""
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
    try:
        return fetch_certificate(address)
    except socket.gaierror as error:
        raise PairingFailed(
            f"the name {split_address(address)[0]} in the invitation cannot be resolved",
            remedy="check DNS; or enter another address of that node, followed by the words",
        ) from error
    except ConnectionRefusedError as error:
        raise PairingFailed(
            f"nothing listens at {address}",
            remedy="the invitation may have expired, or been used or withdrawn, or its node may"
            " have restarted: ask for a new one; else check the address",
        ) from error
    except OSError as error:
        raise PairingFailed(
            f"no pairing port answers at {address}: {reason_of(error)}",
            remedy="check the network, and the firewalls between both nodes, for this port",
        ) from error
    except NotAPairingPort as error:
        raise PairingFailed(
            f"what answers at {address} is not a pairing port",
            remedy="check the address in the invitation; the pairing port is not the peer port",
        ) from error
