"""Documents signed by nodes: DSSE, under pinned identity keys alone, over the same bytes for all.

securesystemslib does the DSSE; keys are ours, so that a TPM can sign and only pinned keys verify.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, NoReturn

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import (  # type: ignore[attr-defined] # public, but re-exported untold
    Key,
    Signature,
    Signer,
)

from appliance.contracts.errors import EnvelopeMalformed
from appliance.identity.errors import CertificateInvalid, SignatureInvalid
from appliance.identity.keys import IdentityKey, verify_signature
from appliance.identity.node_id import NodeId
from appliance.mailbox.faults import explain, harmless

MOST_SIGNATURE_BYTES: Final = 128
MOST_SIGNATURES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentType:
    """One type of signed document.

    media_type: what DSSE signs beside the bytes, so that a signature is good for one type alone.
    """

    name: str
    media_type: str
    most_bytes: int

    @property
    def most_characters(self) -> int:
        """How long an envelope of such a document may be."""
        return self.most_bytes * 4 // 3 + MOST_SIGNATURES * 512 + 1024


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


def sign(data: bytes, document: DocumentType, key: IdentityKey) -> bytes:
    """Return this node's signature on a document's bytes."""
    signature = Envelope(data, document.media_type, {}).sign(IdentitySigner(key))
    return bytes.fromhex(signature.signature)


def verify(
    data: bytes, document: DocumentType, node_id: NodeId, public_der: bytes, signature: bytes
) -> None:
    """Return if the node with this pinned key signed these bytes, else raise SignatureInvalid."""
    found = Signature(node_id.text, signature.hex())
    envelope = Envelope(data, document.media_type, {node_id.text: found})
    try:
        envelope.verify([PinnedKey(node_id, public_der)], threshold=1)
    except VerificationError:
        raise SignatureInvalid(
            f"the signature of {node_id.short} on the {document.name} does not verify"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What an envelope holds: a document's bytes and signatures, none of them verified."""

    data: bytes
    signatures: Mapping[str, bytes]


class _SignatureText(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    keyid: Annotated[str, StringConstraints(max_length=64)]
    sig: Annotated[str, StringConstraints(max_length=MOST_SIGNATURE_BYTES * 4 // 3 + 4)]


class _EnvelopeText(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    payload: str
    payloadType: str  # noqa: N815 - DSSE's own name
    signatures: Annotated[tuple[_SignatureText, ...], Field(max_length=MOST_SIGNATURES)]


def write_envelope(data: bytes, document: DocumentType, signatures: Mapping[NodeId, bytes]) -> str:
    """Return the DSSE envelope (JSON) of a document's bytes with signatures."""
    named = {node.text: Signature(node.text, made.hex()) for node, made in signatures.items()}
    return rfc8785.dumps(Envelope(data, document.media_type, named).to_dict()).decode("utf-8")


def parse_envelope(text: str, document: DocumentType) -> Signed:
    """Read an envelope; EnvelopeMalformed if it is none. Nothing in it is verified yet."""
    if len(text) > document.most_characters:
        raise EnvelopeMalformed(f"the envelope has {len(text)} characters")
    try:
        shape = _EnvelopeText.model_validate_json(text)
        envelope = Envelope.from_dict(json.loads(shape.model_dump_json()))
    except ValidationError as error:
        raise EnvelopeMalformed(f"the envelope is malformed: {explain(error)}") from None
    except (binascii.Error, ValueError) as error:
        raise EnvelopeMalformed(f"the envelope is malformed: {harmless(str(error))}") from None
    if shape.payloadType != document.media_type:
        raise EnvelopeMalformed(f"the envelope holds no {document.name}")
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
