"""The operator's side of enrolment: prove a set-up code, and learn who the node is."""

import asyncio
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Final

import grpc

from appliance.api.peer_pb2_grpc import EnrolmentStub
from appliance.identity.keys import IdentityKey
from appliance.operators.code import SetUpCode
from appliance.peering import tls
from appliance.peering.addresses import parse_address, split_address
from appliance.peering.errors import (
    AddressMistyped,
    ClockSkewed,
    IntroductionInvalid,
    InvitationRefused,
    PairingBroken,
)
from appliance.peering.introduction import Introduction, require_agreement, require_name
from appliance.peering.invitee import NotAPairingPort, converse, fetch_certificate, reason_of
from appliance.peering.pairing_port import PAIRING_NAME, leaf_hash
from appliance.remote.errors import EnrolmentFailed, RemoteMistyped
from appliance.remote.folder import Remote

DEFAULT_PORT: Final = 7445
# A set-up code has no number.
_NUMBER: Final = 0

_NEW_CODE: Final = "get a new set-up code: on the node's console, or from one of its operators"
# What people read for the words by which a node refuses; (what, remedy).
_REFUSALS: Final[Mapping[str, tuple[str, str]]] = {
    "WrongCode": (
        "the set-up code is wrong, or somebody is in the middle of the connection",
        "compare it with the one that is shown; the third wrong one ends it",
    ),
    "InvitationKilled": (
        "the set-up code is dead, for three wrong ones were tried",
        f"{_NEW_CODE}; if the wrong ones were not yours, somebody else is guessing",
    ),
    "InvitationExpired": (
        "the set-up code has expired: it was good for fifteen minutes",
        _NEW_CODE,
    ),
    "InvitationUsed": ("the set-up code has been used already", _NEW_CODE),
    "InvitationWithdrawn": ("the node has no set-up code that is good", _NEW_CODE),
    "PairingBusy": ("the node is busy with other attempts", "try again in a minute"),
    "TooManyCalls": ("the node is busy with other attempts", "try again in a minute"),
    "AttemptLost": ("the attempt took too long", "enter the code again"),
    "ClockSkewed": (
        "the clocks of this machine and of the node differ by more than five minutes",
        "compare both with a third and set the wrong one right; the code is still good",
    ),
    "VersionsDiffer": ("this version of coffer and the node's do not fit", "update the older one"),
    "TooManyOperators": ("the node has as many operators as it may", "have one removed"),
    "OperatorIsNode": ("your key is that of a node", "use a key of your own"),
}


def parse_addresses(address: str, enrolment: str) -> tuple[str, str]:
    """Return the addresses of the operators' port and of that for new ones.

    Without a port in ``address`` it is the usual one; without ``enrolment`` the port after it.
    Raises: RemoteMistyped.
    """
    try:
        try:
            at = parse_address(address)
        except AddressMistyped:
            at = parse_address(f"{address}:{DEFAULT_PORT}")
        host, colon, port = at.rpartition(":")
        return at, parse_address(enrolment or f"{host}{colon}{int(port) + 1}")
    except AddressMistyped as error:
        raise RemoteMistyped(error.what, remedy=error.remedy) from error


async def enrol(
    *, name: str, address: str, enrolment: str, code: str, key: IdentityKey, operator: str
) -> Remote:
    """Have the node at ``address`` take the holder of ``key`` as an operator; return its pin.

    enrolment: the address of its port for new operators. code: the set-up code as it was typed.
    operator: what it is to call this one. A coroutine, as a process that also serves has a loop
    already: gRPC cannot stand two of them in one process.
    Raises: CodeMistyped, RemoteMistyped, EnrolmentFailed.
    """
    try:
        require_name(operator)
    except IntroductionInvalid as error:
        raise RemoteMistyped(
            f"{operator[:64]!r} cannot be an operator's name",
            remedy="take letters, digits and ' _.-'; see --as",
        ) from error
    secret = SetUpCode.parse(code)
    shown = await asyncio.to_thread(_look, enrolment)
    introduction = Introduction(
        name=operator, address="", version=version("coffer"), clock=datetime.now(UTC)
    )
    try:
        certificate = await _prove(enrolment, shown, secret, key, introduction)
    except InvitationRefused as error:
        raise _failed(type(error).__name__) from error
    except ClockSkewed as error:
        raise EnrolmentFailed(error.what, remedy=error.remedy) from error
    except PairingBroken as error:
        raise EnrolmentFailed(
            f"what answers at {enrolment} breaks the rules: {error.what}",
            remedy="check that the address is the node's",
        ) from error
    return Remote(name=name, address=address, certificate_der=certificate)


async def _prove(
    enrolment: str, shown: bytes, code: SetUpCode, key: IdentityKey, introduction: Introduction
) -> bytes:
    async with grpc.aio.secure_channel(
        f"dns:///{enrolment}",
        tls.anonymous_channel_credentials(shown),
        options=tls.channel_options(PAIRING_NAME),
    ) as channel:
        node, _ = await converse(
            EnrolmentStub(channel),
            number=_NUMBER,
            password=code.password,
            seen=leaf_hash(shown),
            signer=key,
            introduction=introduction,
            refusal=partial(_refusal, enrolment),
        )
    require_agreement(node.introduction, node.introduction.name, datetime.now(UTC))
    return node.certificate_der


def _refusal(address: str, said: str, error: grpc.aio.AioRpcError) -> EnrolmentFailed:
    if said in _REFUSALS:
        return _failed(said)
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return _no_port(address)
    code = error.code().name.lower().replace("_", " ")
    return EnrolmentFailed(
        f"the node at {address} broke off: {said[:64] or code}",
        remedy="try again; if it fails again, the node's log has the reason",
    )


def _failed(said: str) -> EnrolmentFailed:
    what, remedy = _REFUSALS.get(said, (f"the node refuses: {said[:64]}", _NEW_CODE))
    return EnrolmentFailed(what, remedy=remedy)


def _no_port(address: str) -> EnrolmentFailed:
    return EnrolmentFailed(
        f"what answers at {address} is not a port for new operators",
        remedy="check the address; the port for new operators is by default the one after the"
        " operators' port, and --enrolment names another",
    )


def _look(address: str) -> bytes:
    """Return the certificate that the port for new operators shows. Raises: EnrolmentFailed."""
    try:
        return fetch_certificate(address)
    except socket.gaierror as error:
        raise EnrolmentFailed(
            f"the name {split_address(address)[0]} cannot be resolved", remedy="check DNS"
        ) from error
    except ConnectionRefusedError as error:
        raise EnrolmentFailed(
            f"nothing listens at {address}",
            remedy="it is open while a set-up code lives: have one shown; else check the address",
        ) from error
    except OSError as error:
        raise EnrolmentFailed(
            f"no node answers at {address}: {reason_of(error)}",
            remedy="check the network, and the firewalls in between, for this port",
        ) from error
    except NotAPairingPort as error:
        raise _no_port(address) from error
