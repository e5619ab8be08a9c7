"""Parse and build the lists of keys and hashes that are the values of PK, KEK, db and dbx.

Source: UEFI 2.10 §32.4.1 (EFI_SIGNATURE_LIST, EFI_SIGNATURE_DATA, the types of signatures).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import MalformedInput
from firmware.reading import GUID_BYTES, Reader

MOST_LIST_BYTES: Final = 1024 * 1024
MOST_SIGNATURES: Final = 16_384

_HEADER_BYTES: Final = 28


class SignatureType(Enum):
    """What a list's entries are, by GUID, and how many bytes each has (None: any number)."""

    X509 = (UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072"), None)
    SHA256 = (UUID("c1c41626-504c-4092-aca9-41f936934328"), 32)
    SHA384 = (UUID("ff3e5307-9fd0-48c9-85f1-8ad56c701e01"), 48)
    SHA512 = (UUID("093e0fae-a6c4-4f50-9f1b-d41e2b89c19a"), 64)
    X509_SHA256 = (UUID("3bd2a492-96c0-4079-b420-fcf98ef103ed"), 48)
    X509_SHA384 = (UUID("7076876e-80c2-4ee6-aad2-28b349a6865b"), 64)
    X509_SHA512 = (UUID("446dbf63-2502-4cda-bcfa-2465d2b0fe9d"), 80)

    def __init__(self, guid: UUID, size: int | None) -> None:
        self.guid = guid
        self.size = size

    @classmethod
    def find(cls, guid: UUID) -> Self | None:
        """Return the type with a GUID, None if we know none."""
        return next((kind for kind in cls if kind.guid == guid), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """EFI_SIGNATURE_DATA: a certificate or hash, and the GUID of whoever put it there."""

    owner: UUID
    kind: SignatureType
    data: bytes

    @classmethod
    def of_certificate(cls, certificate: x509.Certificate, *, owner: UUID) -> Self:
        """Return the entry that trusts (or, in dbx, refuses) what a certificate's key signs."""
        data = certificate.public_bytes(Encoding.DER)
        return cls(owner=owner, kind=SignatureType.X509, data=data)

    def encoded(self) -> bytes:
        """Return the entry as it stands in its list."""
        return self.owner.bytes_le + self.data

    def certificate(self) -> x509.Certificate:
        """Return the certificate of an X509 entry; MalformedInput if it is none."""
        if self.kind is not SignatureType.X509:
            raise MalformedInput(f"an entry of type {self.kind.name} is no certificate")
        try:
            return x509.load_der_x509_certificate(self.data)
        except ValueError as error:
            raise MalformedInput(f"a certificate in a signature list: {error}") from None


def parse_signature_lists(data: bytes, *, skips_unknown: bool = False) -> tuple[Signature, ...]:
    """Return the entries of a variable's lists in order; MalformedInput names any fault.

    skips_unknown: pass over lists of types that we do not know, as firmware does with its own
    """
    reader = Reader(data=data, subject="signature list")
    if len(data) > MOST_LIST_BYTES:
        raise reader.fault(f"{len(data)} bytes are more than {MOST_LIST_BYTES}")
    found: list[Signature] = []
    while reader.left:
        found += _parse_list(reader, skips_unknown=skips_unknown)
        if len(found) > MOST_SIGNATURES:
            raise reader.fault(f"it has more than {MOST_SIGNATURES} entries")
    return tuple(found)


def _parse_list(reader: Reader, *, skips_unknown: bool) -> list[Signature]:
    """Return the entries of the next EFI_SIGNATURE_LIST."""
    began, guid = reader.at, reader.guid("its type")
    kind = SignatureType.find(guid)
    if kind is None and not skips_unknown:
        raise reader.fault(f"{guid} is no type of signatures that we know")
    list_bytes = reader.number(4, "its size")
    header_bytes = reader.number(4, "its header's size")
    entry_bytes = reader.number(4, "its entries' size")
    if list_bytes < _HEADER_BYTES:
        raise reader.fault(f"{list_bytes} bytes are too few for a list")
    if kind is None:
        reader.take(list_bytes - (reader.at - began), "a list's entries")
        return []
    if header_bytes:
        raise reader.fault("its type has no header, but it brings one")
    if entry_bytes <= GUID_BYTES or (kind.size and entry_bytes != GUID_BYTES + kind.size):
        raise reader.fault(f"an entry of type {kind.name} cannot have {entry_bytes} bytes")
    body = reader.take(list_bytes - _HEADER_BYTES, "a list's entries")
    if not body or len(body) % entry_bytes:
        raise reader.fault(f"{len(body)} bytes are no entries of {entry_bytes} bytes each")
    return [
        Signature(
            owner=UUID(bytes_le=body[at : at + GUID_BYTES]),
            kind=kind,
            data=body[at + GUID_BYTES : at + entry_bytes],
        )
        for at in range(0, len(body), entry_bytes)
    ]


def build_signature_lists(signatures: Iterable[Signature]) -> bytes:
    """Return the lists that hold some entries in their order, neighbours alike sharing one.

    A certificate gets a list of its own, as firmware wants it. Raises MalformedInput for an entry
    whose size its type does not allow, so that what is built can be parsed.
    """
    groups: list[list[Signature]] = []
    for one in signatures:
        if not one.data or (one.kind.size and len(one.data) != one.kind.size):
            raise MalformedInput(f"an entry of type {one.kind.name} has {len(one.data)} bytes")
        if groups and one.kind.size and groups[-1][0].kind is one.kind:
            groups[-1].append(one)
        else:
            groups.append([one])
    return b"".join(_build_list(group) for group in groups)


def _build_list(group: list[Signature]) -> bytes:
    entries = b"".join(one.encoded() for one in group)
    numbers = (_HEADER_BYTES + len(entries), 0, len(entries) // len(group))
    sizes = b"".join(number.to_bytes(4, "little") for number in numbers)
    return group[0].kind.guid.bytes_le + sizes + entries
