"""The Secure Boot variables of a machine that runs our image, and the signed writes that set them.

systemd-boot writes them while the firmware is in set-up mode, from files in the boot partition.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography import x509

from firmware.boot.secure_boot import SecureBootVariable
from firmware.boot.signature_lists import Signature, build_signature_lists
from firmware.boot.signed_writes import SignedWrite, bytes_to_sign
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


def signed_writes(
    keys: Keys, signed_at: datetime, sign: Callable[[str, bytes], bytes]
) -> dict[str, bytes]:
    """Return the content of each ``….auth`` file by the variable's name.

    signed_at: in whole seconds; firmware takes no earlier one later on
    sign: returns a detached PKCS #7 signature by the key of a name
    """
    writes = {}
    for one in ENROLLED:
        value = values(keys)[one.variable]
        signature = sign(one.signed_by, bytes_to_sign(one.variable, value, signed_at=signed_at))
        write = SignedWrite(signed_at=signed_at, pkcs7=signature, value=value)
        writes[one.variable.label] = write.encoded()
    return writes
