"""Whose signatures on updates count: the keys that lie in the image's verified /usr.

A DSSE envelope, as contracts have, and not the four roles of TUF: an appliance has one vendor who
signs releases, keys are exchanged by a release, and freshness has an index of its own.
"""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import (  # type: ignore[attr-defined] # public, but re-exported untold
    Key,
    Signature,
    SSlibKey,
)

from appliance.updates.errors import BundleUnsigned, ManifestMalformed, TrustMissing

KEYS: Final = Path("usr/lib/coffer/update-keys.json")
SCHEME: Final = "rsa-pkcs1v15-sha256"
"""Deterministic: one release has one bundle, byte for byte. TPMs and tokens all know it."""
BUNDLE_TYPE: Final = "application/vnd.coffer.update+json"
INDEX_TYPE: Final = "application/vnd.coffer.update-index+json"
MOST_ENVELOPE_BYTES: Final = 128 << 10
MOST_KEYS: Final = 16
_LEAST_KEY_BITS: Final = 2048


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Keys(_Read):
    threshold: Annotated[int, Field(ge=1, le=MOST_KEYS)]
    keys: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_KEYS)]


class _SignatureText(_Read):
    keyid: Annotated[str, StringConstraints(max_length=64)]
    sig: Annotated[str, StringConstraints(max_length=2048)]


class _EnvelopeText(_Read):
    payload: str
    payloadType: Annotated[str, StringConstraints(max_length=80)]  # noqa: N815 - DSSE's own name
    signatures: Annotated[tuple[_SignatureText, ...], Field(max_length=MOST_KEYS)]


@dataclass(frozen=True, slots=True)
class Trust:
    """So many of these keys must have signed."""

    threshold: int
    keys: tuple[Key, ...]

    @classmethod
    def read(cls, root: Path = Path("/")) -> Self:
        """Return what the image says. Raises: TrustMissing."""
        try:
            return cls.parse((root / KEYS).read_bytes())
        except OSError as error:
            raise TrustMissing(error.strerror or str(error)) from None

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return what a file of keys says. Raises: TrustMissing."""
        try:
            said = _Keys.model_validate_json(data)
            keys = tuple(_key(pem) for pem in said.keys)
        except (ValidationError, ValueError):
            raise TrustMissing("malformed") from None
        if len({key.keyid for key in keys}) != len(keys) or said.threshold > len(keys):
            raise TrustMissing("its keys cannot reach the threshold")
        return cls(threshold=said.threshold, keys=keys)

    def verified(self, envelope: bytes, payload_type: str) -> bytes:
        """Return what was signed, if it was signed well and for this purpose.

        Raises: ManifestMalformed, BundleUnsigned.
        """
        parsed = _parse_envelope(envelope)
        if parsed.payload_type != payload_type:
            raise ManifestMalformed("the envelope is for another purpose")
        try:
            parsed.verify(list(self.keys), self.threshold)
        except VerificationError:
            raise BundleUnsigned(self.threshold) from None
        return bytes(parsed.payload)


def _key(pem: str) -> Key:
    public = load_pem_public_key(pem.encode("ascii"))
    if not isinstance(public, RSAPublicKey) or public.key_size < _LEAST_KEY_BITS:
        raise ValueError("not an RSA key of enough bits")
    return SSlibKey.from_crypto(public, scheme=SCHEME)


def _parse_envelope(data: bytes) -> Envelope:
    if len(data) > MOST_ENVELOPE_BYTES:
        raise ManifestMalformed("the envelope is too long")
    try:
        shape = _EnvelopeText.model_validate_json(data)
        payload = base64.b64decode(shape.payload, validate=True)
        signatures = {
            one.keyid: Signature(one.keyid, base64.b64decode(one.sig, validate=True).hex())
            for one in shape.signatures
        }
    except (ValidationError, binascii.Error, ValueError):
        raise ManifestMalformed("the envelope cannot be read") from None
    if len(signatures) != len(shape.signatures):
        raise ManifestMalformed("a key has signed twice")
    return Envelope(payload, shape.payloadType, signatures)
