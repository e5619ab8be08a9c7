"""The Secure Boot variables of a machine that runs our image, and the signed writes that set them.

systemd-boot writes them while the firmware is in set-up mode, from files in the boot partition.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

from firmware.boot.secure_boot import SecureBootVariable
from firmware.boot.signature_lists import Signature, build_signature_lists
from firmware.boot.signed_writes import SignedWrite, bytes_to_sign
from image.errors import KeyRefused
from image.keys import Key, Keys

# Tells our entries from others in the firmware's lists.
OWNER: Final = UUID("5f3a8c1e-6d1b-4b7e-9a55-c0ffe2b00004")


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A variable: the names of the keys that it holds, and of the key that signs its writes."""

    variable: SecureBootVariable
    holds: tuple[str, ...]
    signed_by: str


# db is where Debian's kernel takes keys of modules from (its platform keyring); without shim there
# is no other place. So the firmware starts what the key ``modules`` signs, too: but then PCR 7 says
# which key vouched for it, and /var stays locked.
ENROLLED: Final = (
    Enrolled(variable=SecureBootVariable.PK, holds=("platform",), signed_by="platform"),
    Enrolled(variable=SecureBootVariable.KEK, holds=("exchange",), signed_by="platform"),
    Enrolled(variable=SecureBootVariable.DB, holds=("boot", "modules"), signed_by="exchange"),
)


def entry(key: Key) -> Signature:
    """Return the entry that trusts a key."""
    certificate = x509.load_pem_x509_certificate(key.certificate.read_bytes())
    return Signature.of_certificate(certificate, owner=OWNER)


def values(keys: Keys) -> dict[SecureBootVariable, bytes]:
    """Return the value of each variable once it is enrolled."""
    return {
        one.variable: build_signature_lists([entry(keys.named(name)) for name in one.holds])
        for one in ENROLLED
    }


def signed_writes(keys: Keys, signed_at: datetime) -> dict[str, bytes]:
    """Return the content of each ``….auth`` file by the variable's name.

    signed_at: in whole seconds; firmware takes no earlier one later on
    """
    values_of = values(keys)
    return {
        one.variable.label: _signed_write(
            one.variable, values_of[one.variable], keys.named(one.signed_by), signed_at
        )
        for one in ENROLLED
    }


def _signed_write(
    variable: SecureBootVariable, value: bytes, key: Key, signed_at: datetime
) -> bytes:
    certificate = x509.load_pem_x509_certificate(key.certificate.read_bytes())
    secret = load_pem_private_key(key.secret.read_bytes(), password=None)
    if not isinstance(secret, rsa.RSAPrivateKey):
        raise KeyRefused(f"{key.secret} is no RSA key", "firmware takes RSA alone: make a new key")
    content = bytes_to_sign(variable, value, signed_at=signed_at)
    options = [
        pkcs7.PKCS7Options.DetachedSignature,
        pkcs7.PKCS7Options.Binary,
        pkcs7.PKCS7Options.NoAttributes,
    ]
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    signature = builder.add_signer(certificate, secret, hashes.SHA256()).sign(Encoding.DER, options)
    return SignedWrite(signed_at=signed_at, pkcs7=signature, value=value).encoded()
