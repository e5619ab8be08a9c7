"""Whom this node sends its ledger to: one receiver at the most, and the CA that vouches for it."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.orm import Session

from appliance.ledger import store as table
from appliance.ledger.store import LedgerReceiverRow
from services.errors import ConfigError

PORT: Final = 6514  # RFC 5425
MOST_AUTHORITY_BYTES: Final = 64 * 1024
_LAST_PORT: Final = 65535
_MOST_CHARACTERS: Final = 250
_ADDRESS: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>\d{1,5}))?")


class ReceiverUnfit(ConfigError):
    """What is named cannot be a receiver of the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who is sent the ledger.

    address:   HOST:PORT; its certificate must be for the host, a name or an IP address.
    authority: the CA (PEM) that alone vouches for that certificate.
    """

    address: str
    authority: str
    set_by: str
    set_milliseconds: int

    @property
    def authority_digest(self) -> str:
        """SHA-256 of the CA's text, hexadecimal."""
        return hashlib.sha256(self.authority.encode()).hexdigest()


def find_receiver(session: Session) -> Receiver | None:
    """Return whom the ledger is sent to; None if to nobody."""
    row = table.find_receiver(session)
    if row is None:
        return None
    return Receiver(
        address=row.address,
        authority=row.authority,
        set_by=row.set_by,
        set_milliseconds=row.set_milliseconds,
    )


def keep_receiver(session: Session, receiver: Receiver | None) -> None:
    """Have the ledger sent to this receiver from now on, in place of any other."""
    row = table.find_receiver(session)
    if row is not None:
        session.delete(row)
        session.flush()
    if receiver is not None:
        session.add(
            LedgerReceiverRow(
                number=table.ONLY_RECEIVER,
                address=receiver.address,
                authority=receiver.authority,
                set_by=receiver.set_by,
                set_milliseconds=receiver.set_milliseconds,
            )
        )
        session.flush()


def parse_address(named: str) -> str:
    """Return HOST:PORT, with the port of syslog over TLS if none is named. ReceiverUnfit."""
    found = _ADDRESS.fullmatch(named)
    port = int(found["port"] or PORT) if found else 0
    if found is None or not 0 < port <= _LAST_PORT or len(named) > _MOST_CHARACTERS:
        raise ReceiverUnfit(
            f"{named[:64]!r} is no address of a receiver",
            remedy="name HOST or HOST:PORT, as logs.example:6514 or [2001:db8::9]:6514",
        )
    return f"{found['host']}:{port}"


def parse_authority(pem: bytes) -> str:
    """Return the CA as it is kept: its certificates alone. Raises: ReceiverUnfit."""
    remedy = "give the PEM file of the CA that signed the receiver's certificate"
    if len(pem) > MOST_AUTHORITY_BYTES:
        raise ReceiverUnfit(f"the CA's file has {len(pem):,} bytes", remedy=remedy)
    if b"PRIVATE KEY" in pem:
        raise ReceiverUnfit("the CA's file holds a private key", remedy=remedy)
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ReceiverUnfit("the CA's file holds no certificate", remedy=remedy) from None
    return "".join(one.public_bytes(Encoding.PEM).decode("ascii") for one in certificates)
