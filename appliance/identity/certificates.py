"""X.509 as nodes use it: a lasting identity certificate, and day-long TLS certificates under it."""

import logging
import threading
from asyncio import sleep
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.identity.errors import CertificateInvalid, NodeIdMistyped, SignatureInvalid
from appliance.identity.node_id import NodeId

LEAF_LIFE: Final = timedelta(hours=24)
LEAF_BACKDATING: Final = timedelta(minutes=10)
# RFC 5280 §4.1.2.5: this date says that a certificate has no well-defined end.
NEVER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
MOST_CERTIFICATE_BYTES: Final = 4096
_MOST_SLEEP_SECONDS: Final = 60.0

log = logging.getLogger(__name__)


def public_der_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the DER SubjectPublicKeyInfo."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def verify_signature(public_der: bytes, data: bytes, signature: bytes) -> None:
    """Return if the P-256 key signed the data with ECDSA-SHA256, else raise SignatureInvalid."""
    try:
        _p256_key(public_der).verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise SignatureInvalid("a signature does not verify") from error


def _p256_key(public_der: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_der_public_key(public_der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateInvalid("a public key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateInvalid("a public key is not on the curve P-256")
    return key


def make_identity_certificate(key: ec.EllipticCurvePrivateKey, now: datetime) -> bytes:
    """Return the self-signed certificate (DER) that peers pin; it signs TLS certificates."""
    public = key.public_key()
    name = _name(NodeId.from_public_der(public_der_of(public)).text)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # Not `now`: a node whose clock ran ahead when it was made must still be believed.
        .not_valid_before(min(now, datetime(2020, 1, 1, tzinfo=UTC)))
        .not_valid_after(NEVER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


@lru_cache(maxsize=1024)
def identity_of(certificate_der: bytes) -> tuple[NodeId, bytes]:
    """Return the node id and public key (DER) of an identity certificate.

    Raises: CertificateInvalid unless the certificate is one that a node makes for itself.
    """
    certificate = _parse(certificate_der)
    public_der = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    node_id = NodeId.from_public_der(public_der)
    # The name must be the key's own, lest one peer's certificate stand where another's should.
    if certificate.subject != _name(node_id.text) or certificate.issuer != certificate.subject:
        raise CertificateInvalid("an identity certificate bears a name that is not its key's")
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError) as error:
        raise CertificateInvalid("an identity certificate may not sign") from error
    if not constraints.value.ca or constraints.value.path_length != 0:
        raise CertificateInvalid("an identity certificate may not sign TLS certificates")
    _verify_issued(certificate, public_der)
    return node_id, public_der


def make_leaf_certificate(
    key: ec.EllipticCurvePrivateKey,
    public: ec.EllipticCurvePublicKey,
    not_before: datetime,
    not_after: datetime,
) -> bytes:
    """Return a TLS certificate (DER) for ``public``, signed by the identity key ``key``."""
    node_id = NodeId.from_public_der(public_der_of(key.public_key()))
    both_ways = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        x509.CertificateBuilder()
        .subject_name(_name(node_id.short))
        .issuer_name(_name(node_id.text))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both_ways), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(node_id.dns_name)]), False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafFacts:
    """What a TLS certificate says of itself: the node that it claims and its life."""

    claimed: NodeId
    not_before: datetime
    not_after: datetime


def read_leaf(certificate_der: bytes) -> LeafFacts:
    """Return what a node's TLS certificate claims, unverified; CertificateInvalid if it is none."""
    certificate = _parse(certificate_der)
    names = certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    try:
        claimed = NodeId(str(names[0].value))
    except (IndexError, NodeIdMistyped) as error:
        raise CertificateInvalid("a TLS certificate was not issued by a node") from error
    return LeafFacts(
        claimed=claimed,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def verify_leaf(certificate_der: bytes, public_der: bytes) -> None:
    """Return if the identity key ``public_der`` issued the certificate, else raise.

    Raises: CertificateInvalid, SignatureInvalid. Its life is TLS's concern, at the handshake.
    """
    _verify_issued(_parse(certificate_der), public_der)


def _verify_issued(certificate: x509.Certificate, public_der: bytes) -> None:
    if not isinstance(certificate.signature_hash_algorithm, hashes.SHA256):
        raise CertificateInvalid("a certificate is not signed with SHA-256")
    verify_signature(public_der, certificate.tbs_certificate_bytes, certificate.signature)


def _parse(certificate_der: bytes) -> x509.Certificate:
    if len(certificate_der) > MOST_CERTIFICATE_BYTES:
        raise CertificateInvalid(f"a certificate is larger than {MOST_CERTIFICATE_BYTES} bytes")
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        public = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateInvalid("a certificate cannot be read") from error
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise CertificateInvalid("a certificate's key is not an elliptic-curve key")
    if not isinstance(public.curve, ec.SECP256R1):
        raise CertificateInvalid("a certificate's key is not on the curve P-256")
    return certificate


def pem_of(certificate_der: bytes) -> bytes:
    """Return the certificate in PEM."""
    certificate = x509.load_der_x509_certificate(certificate_der)
    return certificate.public_bytes(serialization.Encoding.PEM)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,  # an identity signs contracts, a leaf signs handshakes
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A TLS certificate with its key, as gRPC takes them."""

    certificate_der: bytes
    chain_pem: bytes
    private_key_pem: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime

    @property
    def renew_at(self) -> datetime:
        """Two thirds into its life."""
        return self.not_before + (self.not_after - self.not_before) * 2 / 3


class LeafIssuer(Protocol):
    """What signs leaves: an identity key."""

    @property
    def certificate_der(self) -> bytes:
        """The identity certificate."""

    def issue_leaf(
        self, public: ec.EllipticCurvePublicKey, not_before: datetime, not_after: datetime
    ) -> bytes:
        """Return a TLS certificate for ``public`` (DER)."""


class LeafKeeper:
    """Holds this node's present TLS certificate and renews it at two thirds of its life."""

    def __init__(
        self,
        issuer: LeafIssuer,
        *,
        now: Callable[[], datetime],
        life: timedelta = LEAF_LIFE,
    ) -> None:
        self._issuer = issuer
        self._now = now
        self._life = life
        self._lock = threading.Lock()  # gRPC asks from threads of its own
        self._leaf = self._issue()

    def current(self) -> Leaf:
        """Return the present leaf, renewed first if that is due or the clock was set back."""
        with self._lock:
            now = self._now()
            if self._leaf.not_before <= now < self._leaf.renew_at:
                return self._leaf
            self._leaf = leaf = self._issue()
        log.info("renewed the TLS certificate; it ends %s", leaf.not_after.isoformat())
        return leaf

    async def run(self) -> None:
        """Renew for ever. Wakes each minute, as a clock may jump and a machine may sleep."""
        while True:
            due_seconds = (self.current().renew_at - self._now()).total_seconds()
            await sleep(min(max(due_seconds, 0.01), _MOST_SLEEP_SECONDS))

    def _issue(self) -> Leaf:
        now = self._now()
        key = ec.generate_private_key(ec.SECP256R1())
        not_before = (now - min(LEAF_BACKDATING, self._life / 10)).replace(microsecond=0)
        not_after = not_before + self._life
        der = self._issuer.issue_leaf(key.public_key(), not_before, not_after)
        return Leaf(
            certificate_der=der,
            chain_pem=pem_of(der) + pem_of(self._issuer.certificate_der),
            private_key_pem=key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            not_before=not_before,
            not_after=not_after,
        )
