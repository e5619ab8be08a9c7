"""What whoever comes with a code does at the other's port: look at it, then prove the code."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from appliance.api import peer_pb2 as pb
from appliance.api.conventions import ERROR_KEY
from appliance.peering import pake
from appliance.peering.addresses import split_address
from appliance.peering.errors import PairingBroken
from appliance.peering.introduction import Introduction
from appliance.peering.pairing_port import has_pairing_name
from appliance.peering.pake import Bond, Circumstances, Half, Identity, Keys, Proof, Role, Signer

_CONNECT_SECONDS: Final = 8.0
_CALL_SECONDS: Final = 20.0

# Turns the word by which the other side refuses, and gRPC's error, into what our operator reads.
Refusal = Callable[[str, grpc.aio.AioRpcError], Exception]


class NotAPairingPort(Exception):
    """What answers at an address speaks TLS 1.3, but is no port for those who have a code."""


def fetch_certificate(address: str) -> bytes:
    """Return the certificate (DER) that a pairing port shows; nothing of it is believed yet.

    Raises: socket.gaierror, ConnectionRefusedError and other OSErrors; NotAPairingPort.
    """
    host, port = split_address(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # believed only if the pairing protocol bears it out
    context.set_alpn_protocols(["h2"])
    connection = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
    with connection, context.wrap_socket(connection) as secured:
        shown = secured.getpeercert(binary_form=True) or b""
    if not has_pairing_name(shown):
        raise NotAPairingPort(address)
    return shown


def reason_of(error: OSError) -> str:
    """Return why a connection failed, in a few words; TLS errors are OSErrors, too."""
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(reason).lower().replace("_", " ")


async def converse(
    stub: Any,
    *,
    number: int,
    password: bytes,
    seen: bytes,
    signer: Signer,
    introduction: Introduction,
    refusal: Refusal,
    before_proof: Callable[[], Awaitable[None]] | None = None,
) -> tuple[Identity, Bond]:
    """Run the protocol of ``pake`` as the invitee and return who answered.

    stub: of the Pairing API, or of one with its methods. number, password: of the code.
    seen: the hash of the certificate that the other side showed.
    before_proof: asked before the proof is sent, after which the other side lets us in.
    Raises: what ``refusal`` returns; WrongCode, PairingBroken.
    """
    half = await asyncio.to_thread(Half, Role.INVITEE, password)
    offer = pb.PairingOffer(version=pake.PROTOCOL_VERSION, invitation=number, pake=half.message)
    answer: pb.PairingAnswer = await _ask(stub.Begin, offer, refusal)
    if len(answer.attempt) != pake.ATTEMPT_BYTES:
        raise PairingBroken("the other node does not name the attempt")
    shared = await asyncio.to_thread(half.finish, answer.pake)
    circumstances = Circumstances(
        invitation=number,
        leaf_hash=seen,
        attempt=answer.attempt,
        invitee_message=half.message,
        inviter_message=answer.pake,
    )
    keys = Keys.derive(shared, circumstances)
    ours, invitee = pake.prove(keys, Role.INVITEE, signer, introduction, None)
    if before_proof is not None:
        await before_proof()
    proof = pb.PairingProof(attempt=answer.attempt, sealed=ours.sealed, mac=ours.mac)
    said: pb.PairingAcceptance = await _ask(stub.Finish, proof, refusal)
    if len(said.sealed) > pake.MOST_SEALED_BYTES:
        raise PairingBroken("the other node's sealed identity is too large")
    theirs = Proof(sealed=said.sealed, mac=said.mac)
    inviter = pake.verify(keys, Role.INVITER, theirs, ours)
    return inviter, pake.bond(keys, invitee, inviter)


async def _ask(method: Callable[..., Any], request: object, refusal: Refusal) -> Any:
    try:
        return await method(request, timeout=_CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        said = str(dict(error.trailing_metadata() or ()).get(ERROR_KEY, ""))
        raise refusal(said, error) from error
