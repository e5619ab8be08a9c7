"""Why a peer cannot be reached: gRPC says "unavailable", people need the cause and the remedy."""

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from appliance.identity.certificates import LEAF_BACKDATING, Leaf, read_leaf, verify_leaf
from appliance.identity.errors import CertificateInvalid, SignatureInvalid
from appliance.identity.node_id import NodeId
from appliance.peering.addresses import split_address
from appliance.peering.introduction import spell_duration

_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 3.0
# What an HTTP/2 client says first (RFC 9113 §3.4), with empty settings.
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


class Cause(Enum):
    """The kinds of trouble that keep two nodes apart."""

    ADDRESS = "the address leads nowhere"
    SILENT = "nothing answers"
    NOT_TLS = "what answers does not speak TLS 1.3"
    NOT_A_NODE = "what answers is not a node"
    OTHER_NODE = "another node answers, or the same with another key"
    CLOCK = "the clocks differ"
    REFUSED = "the peer refuses this node"
    VERSION = "the versions differ"
    PASSING = "the cause has gone"
    TWO_AGENTS = "two agents run with the peer's identity"

    @property
    def is_of_address(self) -> bool:
        """Whether the peer may well be found at another address."""
        return self in (Cause.ADDRESS, Cause.SILENT, Cause.NOT_TLS, Cause.NOT_A_NODE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a peer cannot be reached, for the operator: ``what`` names the peer."""

    cause: Cause
    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """The peer that cannot be reached: what is known of it."""

    node_id: NodeId
    name: str
    address: str
    public_der: bytes


def half_paired(name: str) -> Trouble:
    """Return what it means that a peer refuses us before both operators have confirmed."""
    return Trouble(
        cause=Cause.REFUSED,
        what=f"{name} does not know of this pairing, or has rejected it",
        remedy=f'reject it here too: "coffer peers reject {name}"; then pair again with a new'
        " invitation",
    )


def two_agents(name: str) -> Trouble:
    """Return what it means that a peer shows two marks by turns; see :mod:`boots`."""
    return Trouble(
        cause=Cause.TWO_AGENTS,
        what=f"two agents run with the identity of {name}: its state folder was copied",
        remedy="tell its operators to stop one and remove the copy; until then, what is sent may"
        " reach either",
    )


async def diagnose(suspect: Suspect, leaf: Leaf, now: datetime) -> Trouble:
    """Return what :func:`probe` does, without holding up the event loop."""
    return await asyncio.to_thread(probe, suspect, leaf, now)


def probe(suspect: Suspect, leaf: Leaf, now: datetime) -> Trouble:
    """Return why the peer cannot be reached, by trying once more with eyes open.

    leaf: the TLS certificate that this node shows. Trusts nothing that it sees.
    """
    host, port = split_address(suspect.address)
    try:
        connection = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
    except socket.gaierror:
        return Trouble(
            cause=Cause.ADDRESS,
            what=f"the name {host} of {suspect.name} cannot be resolved",
            remedy=f"check DNS, or give its address by hand: coffer peers move {suspect.name}"
            " HOST:PORT",
        )
    except ConnectionRefusedError:
        return Trouble(
            cause=Cause.SILENT,
            what=f"nothing listens at {suspect.address} of {suspect.name}",
            remedy=f"start the node there; if it has moved: coffer peers move {suspect.name}"
            " HOST:PORT",
        )
    except OSError as error:
        return Trouble(
            cause=Cause.SILENT,
            what=f"{suspect.name} does not answer at {suspect.address}:"
            f" {(error.strerror or str(error)).lower()}",
            remedy="check the network, and the firewalls between both nodes, for this port",
        )
    with connection:
        return _look(suspect, connection, leaf, now)


def _look(suspect: Suspect, connection: socket.socket, leaf: Leaf, now: datetime) -> Trouble:
    connection.settimeout(_CONNECT_SECONDS)
    try:
        with _context(leaf).wrap_socket(connection) as secured:
            shown = secured.getpeercert(binary_form=True) or b""
            return _judge(suspect, shown, now) or _ask(suspect, secured)
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or str(error) or "the connection ended"
        return Trouble(
            cause=Cause.NOT_TLS,
            what=f"what answers at {suspect.address} does not speak TLS 1.3 as {suspect.name}"
            f" should: {reason.lower().replace('_', ' ')}",
            remedy="check that the address is that of the node's peer port and that nothing on the"
            " way (a proxy, a firewall with inspection) ends TLS",
        )


def _judge(suspect: Suspect, shown_der: bytes, now: datetime) -> Trouble | None:
    """Return what is wrong with the certificate that the other side shows, if anything."""
    try:
        facts = read_leaf(shown_der)
    except CertificateInvalid:
        return Trouble(
            cause=Cause.NOT_A_NODE,
            what=f"what answers at {suspect.address} is not a node of this kind, hence not"
            f" {suspect.name}",
            remedy=f"check the address; if the peer has moved: coffer peers move {suspect.name}"
            " HOST:PORT",
        )
    if facts.claimed != suspect.node_id:
        return Trouble(
            cause=Cause.OTHER_NODE,
            what=f"at {suspect.address} answers node {facts.claimed.short}, not {suspect.name},"
            f" whose node id begins with {suspect.node_id.short}",
            remedy="ask its operators: if they made the node anew, its key has changed: unpair and"
            " pair again; if not, the address is another's, or somebody is in the middle",
        )
    try:
        verify_leaf(shown_der, suspect.public_der)
    except (CertificateInvalid, SignatureInvalid):
        return Trouble(
            cause=Cause.OTHER_NODE,
            what=f"what answers at {suspect.address} claims to be {suspect.name} but does not hold"
            " its key",
            remedy="somebody is in the middle: tell the security administrators of both sides",
        )
    return _judge_clock(suspect, facts.not_before, facts.not_after, now)


def _judge_clock(
    suspect: Suspect, not_before: datetime, not_after: datetime, now: datetime
) -> Trouble | None:
    # A node renews in time, so its own clock lies between these dates, and after the backdating.
    if now < not_before:
        apart, which = not_before + LEAF_BACKDATING - now, "ahead of"
    elif now >= not_after:
        apart, which = now - not_after, "behind"
    else:
        return None
    return Trouble(
        cause=Cause.CLOCK,
        what=f"the clock of {suspect.name} is at least {spell_duration(apart + timedelta(0))}"
        f" {which} this node's, which reads {now:%Y-%m-%d %H:%M} UTC",
        remedy="compare both clocks with a third and set the wrong one right",
    )


def _ask(suspect: Suspect, secured: ssl.SSLSocket) -> Trouble:
    """Return whether the other side, which is the peer, lets this node in."""
    secured.settimeout(_ANSWER_SECONDS)
    try:
        secured.sendall(_PREFACE)
        answer = secured.recv(9)
    except TimeoutError:
        return Trouble(
            cause=Cause.SILENT,
            what=f"{suspect.name} takes the connection but does not answer",
            remedy="try again; if it stays so, look at the load and the log of the node there",
        )
    except OSError:
        answer = b""
    if answer:
        return Trouble(
            cause=Cause.PASSING,
            what=f"{suspect.name} did not answer at first, but it does now",
            remedy="try again",
        )
    return Trouble(
        cause=Cause.REFUSED,
        what=f"{suspect.name} refuses this node's certificate",
        remedy="ask its operators whether it is still paired with this node (coffer peers list),"
        " and compare the clocks; else unpair here and pair again",
    )


def _context(leaf: Leaf) -> ssl.SSLContext:
    """Return a TLS context that shows the leaf, and looks at anything it is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is believed: it is only looked at
    context.set_alpn_protocols(["h2"])
    # Python takes certificates from files alone; this one never reaches a disk.
    file = os.memfd_create("leaf", os.MFD_CLOEXEC)
    try:
        os.write(file, leaf.private_key_pem + leaf.chain_pem)
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
    return context
