"""The pairing protocol: two nodes that share a short code learn who the other is, and nobody else.

Pure: these functions compute, the caller moves the bytes.

    invitee                                      inviter
    -- number, X = SPAKE2_A(code) -------------->
    <------------- Y = SPAKE2_B(code), attempt --
    k = SPAKE2(code, X, Y)                       k = the same, if the code is
    exchange = H(label, number, H(TLS leaf of the inviter), attempt, X, Y)
    seal_1, seal_2, mac_1, mac_2 = HKDF(k, exchange)
    -- sealed_1 = AEAD(seal_1, identity_1), HMAC(mac_1, sealed_1) ---------->
                        counts a guess if the HMAC is wrong; and says nothing
    <----------- sealed_2 = AEAD(seal_2, identity_2), HMAC(mac_2, both sealed) --

    identity = certificate, introduction, signature over (exchange, role, both)
    transcript = H(label, exchange, certificate_1, introduction_1, certificate_2, introduction_2)

Paper:  [AP05] Abdalla, Pointcheval: Simple Password-Based Encrypted Key Exchange Protocols.
Model:  an active attacker on the network without the code. The TLS connection that carries this is
        not authenticated; its server certificate, as each side sees it, is part of ``exchange``, so
        that nobody can sit in between. Whoever guesses has one guess for each run; the invitee
        proves first, so that the inviter, which counts, sees each guess before it answers one.
Leaks:  to an attacker without the code: addresses, the invitation's number, that a pairing is
        tried and whether it succeeds. Identities, names and versions travel encrypted.
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from google.protobuf.message import DecodeError
from spake2 import SPAKE2_A, SPAKE2_B, SPAKEError

from appliance.api import peer_pb2 as pb
from appliance.identity.certificates import identity_of, verify_signature
from appliance.identity.errors import CertificateInvalid, SignatureInvalid
from appliance.identity.node_id import NodeId
from appliance.peering.errors import IntroductionInvalid, PairingBroken, WrongCode
from appliance.peering.introduction import Introduction
from appliance.peering.words import spell

PROTOCOL_VERSION: Final = 1
PAKE_BYTES: Final = 33
ATTEMPT_BYTES: Final = 16
MOST_SEALED_BYTES: Final = 8192
AUTHENTICATION_WORDS: Final = 6
_LABEL: Final = b"coffer pairing 1"
# Each sealing key seals one message, so its nonce need not vary.
_NONCE: Final = bytes(12)


class Role(Enum):
    """The two ends of a pairing."""

    INVITEE = b"invitee"
    INVITER = b"inviter"


class Signer(Protocol):
    """An identity key."""

    @property
    def certificate_der(self) -> bytes:
        """The identity certificate."""

    def sign(self, data: bytes) -> bytes:
        """Return an ECDSA-SHA256 signature."""


class Half:
    """One side's part of the key exchange; good for one use. ``message`` goes to the other side."""

    def __init__(self, role: Role, password: bytes) -> None:
        make = SPAKE2_A if role is Role.INVITEE else SPAKE2_B
        self.role = role
        self._spake = make(
            password, idA=_LABEL + Role.INVITEE.value, idB=_LABEL + Role.INVITER.value
        )
        self.message: bytes = self._spake.start()

    def finish(self, received: bytes) -> bytes:
        """Return the shared key. Raises: PairingBroken, if the other's message is none."""
        if len(received) != PAKE_BYTES:
            raise PairingBroken(f"a key exchange message has {len(received)} bytes")
        try:
            key: bytes = self._spake.finish(received)
        # The library raises each of these for a message that is no fit group element.
        except (SPAKEError, ValueError, AssertionError) as error:
            raise PairingBroken("a key exchange message is malformed") from error
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What both sides saw of one attempt; whoever saw anything else has another key."""

    invitation: int
    leaf_hash: bytes
    attempt: bytes
    invitee_message: bytes
    inviter_message: bytes

    def digest(self) -> bytes:
        """Return the exchange's hash."""
        number = struct.pack(">I", self.invitation)
        return _hash(
            b"exchange",
            number,
            self.leaf_hash,
            self.attempt,
            self.invitee_message,
            self.inviter_message,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What both sides derive from the shared key."""

    exchange: bytes
    seals: dict[Role, bytes] = field(repr=False)
    macs: dict[Role, bytes] = field(repr=False)
    words: bytes = field(repr=False)

    @classmethod
    def derive(cls, shared: bytes, circumstances: Circumstances) -> "Keys":
        """Return the keys for one attempt."""
        exchange = circumstances.digest()

        def expand(purpose: bytes) -> bytes:
            info = _LABEL + b" " + purpose
            return HKDF(hashes.SHA256(), length=32, salt=exchange, info=info).derive(shared)

        return cls(
            exchange=exchange,
            seals={role: expand(b"seal " + role.value) for role in Role},
            macs={role: expand(b"mac " + role.value) for role in Role},
            words=expand(b"words"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Who one side is, sealed, with the proof that it has the code."""

    sealed: bytes
    mac: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who one side has proved to be. ``said`` is its introduction as it travelled."""

    node_id: NodeId
    certificate_der: bytes
    public_der: bytes
    introduction: Introduction
    said: bytes


def prove(
    keys: Keys, role: Role, signer: Signer, introduction: Introduction, heard: Proof | None
) -> tuple[Proof, Identity]:
    """Return our proof, and our identity as the other side will see it.

    heard: the invitee's proof, if we are the inviter.
    """
    said = introduction.to_proto().SerializeToString(deterministic=True)
    certificate = signer.certificate_der
    message = pb.PairingIdentity(
        certificate=certificate,
        introduction=said,
        signature=signer.sign(_signed(keys, role, certificate, said)),
    )
    sealed = ChaCha20Poly1305(keys.seals[role]).encrypt(
        _NONCE, message.SerializeToString(), keys.exchange
    )
    node_id, public_der = identity_of(certificate)
    identity = Identity(
        node_id=node_id,
        certificate_der=certificate,
        public_der=public_der,
        introduction=introduction,
        said=said,
    )
    return Proof(sealed=sealed, mac=_mac(keys, role, sealed, heard)), identity


def verify(keys: Keys, role: Role, proof: Proof, sent: Proof | None) -> Identity:
    """Return who the other side, in the role ``role``, has proved to be.

    sent: our own proof, if we are the invitee.
    Raises: WrongCode; PairingBroken, if it has the code but breaks the rules.
    """
    # A tampered seal is no better than a wrong code, so it is not looked into first.
    if not hmac.compare_digest(_mac(keys, role, proof.sealed, sent), proof.mac):
        raise WrongCode
    try:
        opened = ChaCha20Poly1305(keys.seals[role]).decrypt(_NONCE, proof.sealed, keys.exchange)
        message = pb.PairingIdentity.FromString(opened)
        node_id, public_der = identity_of(message.certificate)
        signed = _signed(keys, role, message.certificate, message.introduction)
        verify_signature(public_der, signed, message.signature)
        introduction = Introduction.from_proto(pb.Introduction.FromString(message.introduction))
    except (InvalidTag, DecodeError) as error:
        raise PairingBroken("the other node's identity cannot be read") from error
    except (CertificateInvalid, SignatureInvalid, IntroductionInvalid) as error:
        raise PairingBroken(f"the other node's identity is not valid: {error.what}") from error
    return Identity(
        node_id=node_id,
        certificate_der=message.certificate,
        public_der=public_der,
        introduction=introduction,
        said=message.introduction,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """What both sides of a finished pairing have in common.

    authentication_string: six words that the operators compare. pairing: names the pairing.
    """

    authentication_string: str
    pairing: str


def bond(keys: Keys, invitee: Identity, inviter: Identity) -> Bond:
    """Return what both operators are shown; equal only if both sides saw the same identities."""
    transcript = _hash(
        b"transcript",
        keys.exchange,
        invitee.certificate_der,
        invitee.said,
        inviter.certificate_der,
        inviter.said,
    )
    words = hmac.digest(keys.words, transcript, "sha256")
    return Bond(
        authentication_string=authentication_string(words),
        pairing=_hash(b"pairing", transcript).hex()[:32],
    )


def authentication_string(key: bytes) -> str:
    """Return the first 66 bits as six words."""
    return " ".join(spell(key, AUTHENTICATION_WORDS))


def _mac(keys: Keys, role: Role, sealed: bytes, before: Proof | None) -> bytes:
    said = [sealed] if before is None else [before.sealed, before.mac, sealed]
    return hmac.digest(keys.macs[role], _hash(b"proof", keys.exchange, *said), "sha256")


def _signed(keys: Keys, role: Role, certificate: bytes, said: bytes) -> bytes:
    return _LABEL + _hash(b"identity", keys.exchange, role.value, certificate, said)


def _hash(*parts: bytes) -> bytes:
    """Return a hash that no other sequence of parts has: each part's length goes before it."""
    digest = hashlib.sha256(_LABEL)
    for part in parts:
        digest.update(struct.pack(">Q", len(part)))
        digest.update(part)
    return digest.digest()
