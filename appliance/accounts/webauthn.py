"""Security keys and passkeys as they will be stored; their protocol comes with the web pages."""

from dataclasses import dataclass
from enum import Enum


class Transport(Enum):
    """How a browser reaches an authenticator, by the names of WebAuthn."""

    USB = "usb"
    NFC = "nfc"
    BLE = "ble"
    SMART_CARD = "smart-card"
    HYBRID = "hybrid"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One authenticator of an account.

    id:              as the authenticator named it; unique on the node.
    public_key_cose: the public key, a COSE_Key (RFC 9052) in CBOR, as it came.
    sign_count:      the highest count seen; one that does not grow tells of a copy.
    name:            what its holder calls it.
    """

    id: bytes
    account: str
    public_key_cose: bytes
    sign_count: int
    transports: frozenset[Transport]
    name: str
    created_milliseconds: int
