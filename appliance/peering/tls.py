"""TLS between nodes: version 1.3 only, both sides authenticated by pinned identity keys.

Each node serves a day-long certificate that its identity key issued. The roots that a side trusts
are the identity certificates of its peers, and nothing else. Names decide nothing: a call is a
peer's if that peer's pinned key issued the certificate that the connection was made with.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import appliance
from appliance.identity.certificates import (
    Leaf,
    LeafKeeper,
    make_identity_certificate,
    pem_of,
    read_leaf,
    verify_leaf,
)
from appliance.identity.errors import CertificateInvalid
from appliance.identity.node_id import NodeId
from appliance.peering.errors import CertificateEnded, PeerUnknown

Options: TypeAlias = "list[tuple[str, str | int]]"

# What the largest frame of the relay needs; a letter is smaller by far.
MOST_MESSAGE_BYTES: Final = (1 << 20) + (64 << 10)
# Of one connection and of the port. A peer has one connection, and a stream for each job.
MOST_STREAMS: Final = 64
MOST_CONNECTIONS: Final = 256
_TRANSPORT: Final[Options] = [
    ("grpc.max_receive_message_length", MOST_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MOST_MESSAGE_BYTES),
    # A dead link is noticed within fifteen seconds even when nobody sends.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


def server_options() -> Options:
    """Return the options of a server that peers may call."""
    return [
        *_TRANSPORT,
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        ("grpc.max_concurrent_streams", MOST_STREAMS),
        ("grpc.max_allowed_incoming_connections", MOST_CONNECTIONS),
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.so_reuseport", 0),  # else two nodes could share one port unawares
    ]


def channel_options(name: str) -> Options:
    """Return the options of a channel to the server whose certificate bears ``name``."""
    return [
        *_TRANSPORT,
        ("grpc.ssl_target_name_override", name),
        ("grpc.enable_http_proxy", 0),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 5_000),  # this long may a handshake take
        ("grpc.max_reconnect_backoff_ms", 5_000),
    ]


@lru_cache(maxsize=1)
def _nobody() -> bytes:
    """Return a root (PEM) whose key is thrown away: trusting it trusts nobody."""
    key = ec.generate_private_key(ec.SECP256R1())
    return pem_of(make_identity_certificate(key, datetime(2020, 1, 1, tzinfo=UTC)))


def server_credentials(
    keeper: LeafKeeper, roots: Callable[[], Iterable[bytes]]
) -> grpc.ServerCredentials:
    """Return credentials that take up a renewed leaf and changed roots at the next handshake.

    roots: the identity certificates (DER) of those who may connect; called from gRPC's threads.
    """
    _require_tls_13_only()

    def fetch() -> grpc.ServerCertificateConfiguration:
        leaf = keeper.current()
        trusted = b"".join([_nobody(), *map(pem_of, roots())])
        return grpc.ssl_server_certificate_configuration(
            [(leaf.private_key_pem, leaf.chain_pem)], trusted
        )

    return grpc.dynamic_ssl_server_credentials(fetch(), fetch, True)


def anonymous_server_credentials(key_pem: bytes, certificate_der: bytes) -> grpc.ServerCredentials:
    """Return credentials of a server that anybody may call: the pairing port's."""
    _require_tls_13_only()
    return grpc.ssl_server_credentials([(key_pem, pem_of(certificate_der))])


def anonymous_channel_credentials(certificate_der: bytes) -> grpc.ChannelCredentials:
    """Return credentials of a channel to the one server that shows this certificate."""
    _require_tls_13_only()
    return grpc.ssl_channel_credentials(pem_of(certificate_der))


def channel_credentials(leaf: Leaf, peer_certificate_der: bytes) -> grpc.ChannelCredentials:
    """Return credentials of a channel that only this one peer can answer."""
    _require_tls_13_only()
    return grpc.ssl_channel_credentials(
        pem_of(peer_certificate_der), leaf.private_key_pem, leaf.chain_pem
    )


def peer_of(
    auth_context: Mapping[str, Iterable[bytes]], pins: Mapping[NodeId, bytes], now: datetime
) -> NodeId:
    """Return the peer that made a connection, by the key that issued its certificate.

    A connection may outlive the certificate that it was made with, which is then good no more.
    auth_context: what gRPC says of the connection. pins: public keys (DER) of the peers.
    Raises: PeerUnknown, CertificateEnded, CertificateInvalid, SignatureInvalid.
    """
    if tuple(auth_context.get("ssl_tls_version", ())) != (b"TLSv1.3",):
        raise PeerUnknown("a connection came over an older TLS than 1.3")
    presented = next(iter(auth_context.get("x509_pem_cert", ())), None)
    if presented is None:
        raise PeerUnknown("a connection came without a certificate")
    try:
        certificate = x509.load_pem_x509_certificate(bytes(presented))
    except ValueError as error:
        raise CertificateInvalid("a connection's certificate cannot be read") from error
    leaf_der = certificate.public_bytes(serialization.Encoding.DER)
    # The claim only says which pinned key to try; the signature decides.
    facts = read_leaf(leaf_der)
    claimed = facts.claimed
    pinned = pins.get(claimed)
    if pinned is None:
        raise PeerUnknown(f"a connection came from node {claimed.short}, which is not a peer")
    verify_leaf(leaf_der, pinned)
    if not facts.not_before <= now < facts.not_after:
        raise CertificateEnded(f"a connection of node {claimed.short} outlived its certificate")
    return claimed


def _require_tls_13_only() -> None:
    if not appliance.TLS_13_ONLY:
        raise RuntimeError("grpc was imported before appliance, so TLS 1.2 is not switched off")
