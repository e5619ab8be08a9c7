"""Signed writes of PK, KEK, db and dbx: what must be signed, and how signature and value travel.

Source: UEFI 2.10 §8.2.2 (EFI_VARIABLE_AUTHENTICATION_2) and §32.2.4 (WIN_CERTIFICATE_UEFI_GUID);
RFC 2315 §7 and §9.1 (ContentInfo and SignedData).

No key is touched here: :func:`bytes_to_sign` says what the owner of a key must sign, in whatever
token that key lies, and :meth:`SignedWrite.encoded` puts the signature in its place.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from firmware.boot.secure_boot import SecureBootVariable
from firmware.errors import MalformedInput
from firmware.reading import Reader

MOST_WRITE_BYTES: Final = 1024 * 1024

# Non-volatile, readable before and after the boot, written only with a newer time and a signature.
ATTRIBUTES: Final = 0x27
APPEND_WRITE: Final = 0x40

_REVISION: Final = 0x0200
_TYPE_GUID: Final = 0x0EF1
_HEADER_BYTES: Final = 24
_PKCS7: Final = UUID("4aafd29d-68df-49ee-8aa9-347d375665a7")

_SEQUENCE: Final = 0x30
_CONTENT: Final = 0xA0
_SIGNED_DATA_OID: Final = bytes.fromhex("06092a864886f70d010702")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedWrite:
    """A write of a variable: when it was signed, the PKCS #7 signature, and the new value."""

    signed_at: datetime
    pkcs7: bytes
    value: bytes

    def encoded(self) -> bytes:
        """Return the bytes to write to the variable, or to hand to systemd-boot as ``….auth``.

        The signature goes in without its ContentInfo: the specification asks for SignedData, and
        some firmware takes nothing else.
        """
        signature = signed_data_in(self.pkcs7)
        return b"".join(
            (
                _encode_time(self.signed_at),
                (_HEADER_BYTES + len(signature)).to_bytes(4, "little"),
                _REVISION.to_bytes(2, "little"),
                _TYPE_GUID.to_bytes(2, "little"),
                _PKCS7.bytes_le,
                signature,
                self.value,
            )
        )


def bytes_to_sign(
    variable: SecureBootVariable,
    value: bytes,
    *,
    signed_at: datetime,
    attributes: int = ATTRIBUTES,
) -> bytes:
    """Return what the signature of a write must cover.

    Sign it with SHA-256, as a detached PKCS #7 signature without attributes. PK signs PK and KEK;
    KEK signs db and dbx. Firmware takes only a time after the last one; it counts whole seconds.
    """
    return b"".join(
        (
            variable.label.encode("utf-16-le"),
            variable.namespace.bytes_le,
            attributes.to_bytes(4, "little"),
            _encode_time(signed_at),
            value,
        )
    )


def parse_signed_write(data: bytes) -> SignedWrite:
    """Return the parts of a signed write; its signature is not verified here."""
    reader = Reader(data=data, subject="signed write of a variable")
    signed_at = _parse_time(reader)
    length = reader.number(4, "its certificate's length")
    revision = reader.number(2, "its certificate's revision")
    kind = reader.number(2, "its certificate's type")
    if (revision, kind) != (_REVISION, _TYPE_GUID):
        raise reader.fault(f"it has a certificate of revision {revision:#x} and type {kind:#x}")
    if reader.guid("its certificate's GUID") != _PKCS7:
        raise reader.fault("its certificate is no PKCS #7 signature")
    pkcs7 = reader.take(length - _HEADER_BYTES, "its signature", most=MOST_WRITE_BYTES)
    value = reader.take(reader.left, "its value", most=MOST_WRITE_BYTES)
    return SignedWrite(signed_at=signed_at, pkcs7=signed_data_in(pkcs7), value=value)


def signed_data_in(pkcs7: bytes) -> bytes:
    """Return the SignedData of a PKCS #7 signature, given with its ContentInfo or without."""
    outer = _Element.read(Reader(data=pkcs7, subject="PKCS #7 signature"), _SEQUENCE)
    if not outer.content.startswith(_SIGNED_DATA_OID):
        return pkcs7
    reader = Reader(data=outer.content, subject="PKCS #7 signature", at=len(_SIGNED_DATA_OID))
    wrapped = _Element.read(reader, _CONTENT).content
    _Element.read(Reader(data=wrapped, subject="PKCS #7 signature"), _SEQUENCE)
    return wrapped


@dataclass(frozen=True, slots=True)
class _Element:
    """The contents of a DER element that fills what it stands in."""

    content: bytes

    @classmethod
    def read(cls, reader: Reader, tag: int) -> "_Element":
        if reader.number(1, "a tag") != tag:
            raise reader.fault(f"no element with tag 0x{tag:02x} stands there")
        length = reader.number(1, "a length")
        if length >= 0x80:
            size = length - 0x80
            if not 1 <= size <= 4:
                raise reader.fault("its length is not in DER")
            length = int.from_bytes(reader.take(size, "a length"), "big")
        content = reader.take(length, "an element", most=MOST_WRITE_BYTES)
        reader.require_end("its only element")
        return cls(content)


def _encode_time(at: datetime) -> bytes:
    """Return EFI_TIME in UTC; nanoseconds, time zone and daylight must be 0 in a signature."""
    if at.tzinfo is None or at.microsecond:
        raise MalformedInput("the time of a signature must have a time zone and whole seconds")
    utc = at.astimezone(UTC)
    clock = bytes((utc.month, utc.day, utc.hour, utc.minute, utc.second))
    return utc.year.to_bytes(2, "little") + clock + bytes(9)


def _parse_time(reader: Reader) -> datetime:
    year = reader.number(2, "the year of its time")
    month, day, hour, minute, second = reader.take(5, "its time")
    if any(reader.take(9, "the rest of its time")):
        raise reader.fault("its time has a fraction or a time zone, which must be 0")
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise reader.fault(f"its time: {error}") from None
