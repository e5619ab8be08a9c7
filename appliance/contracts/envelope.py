"""Signatures on a contract: DSSE, each party over the same bytes, under its pinned identity key.

securesystemslib does the DSSE; keys are ours, so that a TPM can sign and only pinned keys verify.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NoReturn

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import (  # type: ignore[attr-defined] # public, but re-exported untold
    Key,
    Signature,
    Signer,
)

from appliance.contracts.contract import MOST_CONTRACT_BYTES, MOST_PARTIES, Contract
from appliance.contracts.errors import ContractUnsigned, EnvelopeMalformed
from appliance.identity.errors import CertificateInvalid, SignatureInvalid
from appliance.identity.keys import IdentityKey, verify_signature
from appliance.identity.node_id import NodeId
from appliance.mailbox.faults import explain, harmless

PAYLOAD_TYPE: Final = "application/vnd.coffer.contract+json"
MOST_SIGNATURE_BYTES: Final = 128
_MOST_ENVELOPE_CHARACTERS: Final = MOST_CONTRACT_BYTES * 4 // 3 + MOST_PARTIES * 512 + 1024


class PinnedKey(Key):
    """A party's public key as this node pinned it, for securesystemslib."""

    def __init__(self, node_id: NodeId, public_der: bytes) -> None:
        super().__init__(node_id.text, "ecdsa", "ecdsa-sha2-nistp256", {"public": public_der.hex()})
        self._public_der = public_der

    @classmethod
    def from_dict(cls, keyid: str, key_dict: dict[str, Any]) -> NoReturn:
        """Refuse: keys come from pairing, never from an envelope."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the key in securesystemslib's own form."""
        return dict(self._to_dict())

    def verify_signature(self, signature: Signature, data: bytes) -> None:
        """Return if the signature is by this key, else raise UnverifiedSignatureError."""
        try:
            verify_signature(self._public_der, data, bytes.fromhex(signature.signature))
        except (SignatureInvalid, CertificateInvalid) as error:
            raise UnverifiedSignatureError(error.what) from None


class IdentitySigner(Signer):
    """Our own identity key, for securesystemslib."""

    def __init__(self, key: IdentityKey) -> None:
        self._key = key

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: Any = None
    ) -> NoReturn:
        """Refuse: there is no URI of an identity key."""
        raise NotImplementedError

    @property
    def public_key(self) -> Key:
        """The public half."""
        return PinnedKey(self._key.node_id, self._key.public_der)

    def sign(self, payload: bytes) -> Signature:
        """Sign bytes."""
        return Signature(self._key.node_id.text, self._key.sign(payload).hex())


def sign_contract(data: bytes, key: IdentityKey) -> bytes:
    """Return this node's signature on a contract's bytes."""
    signature = Envelope(data, PAYLOAD_TYPE, {}).sign(IdentitySigner(key))
    return bytes.fromhex(signature.signature)


def verify_contract(data: bytes, node_id: NodeId, public_der: bytes, signature: bytes) -> None:
    """Return if the node with this pinned key signed these bytes, else raise SignatureInvalid."""
    found = Signature(node_id.text, signature.hex())
    envelope = Envelope(data, PAYLOAD_TYPE, {node_id.text: found})
    try:
        envelope.verify([PinnedKey(node_id, public_der)], threshold=1)
    except VerificationError:
        raise SignatureInvalid(
            f"the signature of {node_id.short} on the contract does not verify"
        ) from None


def require_signed_by_all(
    contract: Contract,
    data: bytes,
    signatures: Mapping[NodeId, bytes],
    public_ders: Mapping[NodeId, bytes],
) -> None:
    """Return if every party signed the bytes, each under its pinned key; else ContractUnsigned."""
    missing = []
    for party in contract.parties:
        signature = signatures.get(party.node_id)
        public_der = public_ders.get(party.node_id)
        if signature is None or public_der is None:
            missing.append(party.name)
            continue
        try:
            verify_contract(data, party.node_id, public_der, signature)
        except SignatureInvalid:
            missing.append(party.name)
    if missing:
        raise ContractUnsigned(missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What an envelope holds: a contract's bytes and signatures, none of them verified."""

    data: bytes
    signatures: Mapping[str, bytes]


class _SignatureText(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    keyid: Annotated[str, StringConstraints(max_length=64)]
    sig: Annotated[str, StringConstraints(max_length=MOST_SIGNATURE_BYTES * 4 // 3 + 4)]


class _EnvelopeText(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    payload: str
    payloadType: Literal["application/vnd.coffer.contract+json"]  # noqa: N815 - DSSE's own name
    signatures: Annotated[tuple[_SignatureText, ...], Field(max_length=MOST_PARTIES)]


def write_envelope(data: bytes, signatures: Mapping[NodeId, bytes]) -> str:
    """Return the DSSE envelope (JSON) of a contract's bytes with signatures."""
    named = {node.text: Signature(node.text, made.hex()) for node, made in signatures.items()}
    return rfc8785.dumps(Envelope(data, PAYLOAD_TYPE, named).to_dict()).decode("utf-8")


def parse_envelope(text: str) -> Signed:
    """Read an envelope; EnvelopeMalformed if it is none. Nothing in it is verified yet."""
    if len(text) > _MOST_ENVELOPE_CHARACTERS:
        raise EnvelopeMalformed(f"the envelope has {len(text)} characters")
    try:
        shape = _EnvelopeText.model_validate_json(text)
        envelope = Envelope.from_dict(json.loads(shape.model_dump_json()))
    except ValidationError as error:
        raise EnvelopeMalformed(f"the envelope is malformed: {explain(error)}") from None
    except (binascii.Error, ValueError) as error:
        raise EnvelopeMalformed(f"the envelope is malformed: {harmless(str(error))}") from None
    signatures = {
        keyid: bytes.fromhex(found.signature) for keyid, found in envelope.signatures.items()
    }
    return Signed(data=envelope.payload, signatures=signatures)


def base64_of(signature: bytes) -> str:
    """Return a signature as letters carry it."""
    return base64.b64encode(signature).decode("ascii")


def parse_base64(text: str) -> bytes:
    """Read a signature from a letter; SignatureInvalid if it is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureInvalid("a signature is not base64") from None
