import hashlib
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from firmware.boot.secure_boot import SecureBootVariable
from firmware.boot.signature_lists import (
    Signature,
    SignatureType,
    build_signature_lists,
    parse_signature_lists,
)
from firmware.boot.signed_writes import (
    SignedWrite,
    bytes_to_sign,
    parse_signed_write,
    signed_data_in,
)
from firmware.errors import MalformedInput
from tests.vectors.firmware_builders import number

OWNER = UUID("77fa9abd-0359-4d32-bd60-28f4e78f784b")
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
SIGNED_DATA = bytes.fromhex("3003020101")
CONTENT_INFO = bytes.fromhex("3012 06092a864886f70d010702 a005 3003020101")
X509 = SignatureType.X509.guid.bytes_le
SHA256 = SignatureType.SHA256.guid.bytes_le


def hash_of(text: bytes) -> Signature:
    data = hashlib.sha256(text).digest()
    return Signature(owner=OWNER, kind=SignatureType.SHA256, data=data)


def list_of(kind: bytes, entries: bytes, entry_bytes: int, *, header_bytes: int = 0) -> bytes:
    sizes = number(28 + len(entries), 4) + number(header_bytes, 4) + number(entry_bytes, 4)
    return kind + sizes + entries


def test_hashes_share_a_list_and_certificates_do_not() -> None:
    certificates = [
        Signature(owner=OWNER, kind=SignatureType.X509, data=data) for data in (b"1", b"22")
    ]

    lists = build_signature_lists([hash_of(b"a"), hash_of(b"b"), *certificates])

    assert lists.count(SHA256) == 1
    assert lists.count(X509) == 2
    assert parse_signature_lists(lists) == (hash_of(b"a"), hash_of(b"b"), *certificates)


def test_no_bytes_are_no_entries() -> None:
    assert parse_signature_lists(b"") == ()
    assert build_signature_lists([]) == b""


def test_an_entry_of_the_wrong_size_is_not_built() -> None:
    short = Signature(owner=OWNER, kind=SignatureType.SHA256, data=b"short")

    with pytest.raises(MalformedInput, match="SHA256 has 5 bytes"):
        build_signature_lists([short])


def test_an_entry_that_is_no_certificate_gives_none() -> None:
    junk = Signature(owner=OWNER, kind=SignatureType.X509, data=b"junk")

    with pytest.raises(MalformedInput, match="a certificate in a signature list"):
        junk.certificate()
    with pytest.raises(MalformedInput, match="SHA256 is no certificate"):
        hash_of(b"a").certificate()


NO_LISTS = {
    "no type of signatures that we know": list_of(bytes(16), bytes(48), 48),
    "truncated: a list's entries": list_of(SHA256, bytes(48), 48)[:-1],
    "truncated: its type": list_of(SHA256, bytes(48), 48) + b"\0",
    "27 bytes are too few": SHA256 + number(27, 4) + bytes(4) + number(48, 4),
    "but it brings one": list_of(SHA256, bytes(48), 48, header_bytes=4),
    "SHA256 cannot have 47 bytes": list_of(SHA256, bytes(47), 47),
    "X509 cannot have 16 bytes": list_of(X509, bytes(16), 16),
    "X509 cannot have 0 bytes": list_of(X509, b"", 0),
    "50 bytes are no entries of 48 bytes": list_of(SHA256, bytes(50), 48),
    "0 bytes are no entries": list_of(SHA256, b"", 48),
    "are more than": bytes(1024 * 1024 + 1),
}


@pytest.mark.parametrize("fault", list(NO_LISTS))
def test_what_is_no_list_is_refused_and_the_fault_named(fault: str) -> None:
    with pytest.raises(MalformedInput, match=fault):
        parse_signature_lists(NO_LISTS[fault])


def test_lists_of_unknown_types_can_be_passed_over_but_not_past_the_end() -> None:
    unknown = list_of(bytes(16), bytes(48), 24, header_bytes=4)
    known = build_signature_lists([hash_of(b"a")])

    assert parse_signature_lists(unknown + known + unknown, skips_unknown=True) == (hash_of(b"a"),)
    with pytest.raises(MalformedInput, match="truncated: a list's entries"):
        parse_signature_lists(known + unknown[:-1], skips_unknown=True)
    with pytest.raises(MalformedInput, match="27 bytes are too few"):
        parse_signature_lists(bytes(16) + number(27, 4) + bytes(8) + known, skips_unknown=True)


def test_a_write_is_parsed_as_it_was_encoded_without_its_content_info() -> None:
    write = SignedWrite(signed_at=NOON, pkcs7=CONTENT_INFO, value=b"value")

    parsed = parse_signed_write(write.encoded())

    assert parsed == SignedWrite(signed_at=NOON, pkcs7=SIGNED_DATA, value=b"value")
    assert parsed.encoded() == write.encoded()


def test_a_signature_covers_name_namespace_attributes_time_and_value() -> None:
    covered = bytes_to_sign(SecureBootVariable.DB, b"value", signed_at=NOON)

    assert covered == b"".join(
        (
            b"d\0b\0",
            SecureBootVariable.DB.namespace.bytes_le,
            bytes((0x27, 0, 0, 0)),
            bytes((0xEA, 0x07, 11, 29, 12, 0, 0)) + bytes(9),
            b"value",
        )
    )


def test_the_time_of_a_signature_is_written_in_utc() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-5)))

    assert bytes_to_sign(SecureBootVariable.PK, b"", signed_at=elsewhere) == bytes_to_sign(
        SecureBootVariable.PK, b"", signed_at=NOON
    )


@pytest.mark.parametrize("at", [NOON.replace(tzinfo=None), NOON.replace(microsecond=1)])
def test_a_time_that_firmware_refuses_is_not_written(at: datetime) -> None:
    with pytest.raises(MalformedInput, match="time zone and whole seconds"):
        bytes_to_sign(SecureBootVariable.PK, b"", signed_at=at)


@pytest.mark.parametrize(
    "pkcs7", [b"", b"\x30", b"\x31\0", b"\x30\x80", b"\x30\x05ab", CONTENT_INFO + b"\0"]
)
def test_what_is_no_signature_in_der_is_refused(pkcs7: bytes) -> None:
    with pytest.raises(MalformedInput, match="PKCS #7 signature"):
        signed_data_in(pkcs7)


ENCODED = SignedWrite(signed_at=NOON, pkcs7=SIGNED_DATA, value=b"").encoded()
NO_WRITES = {
    "truncated: the year": b"\0",
    "its time: month": ENCODED[:2] + b"\x0d" + ENCODED[3:],
    "a fraction or a time zone": ENCODED[:15] + b"\1" + ENCODED[16:],
    "a certificate of revision": ENCODED[:20] + b"\0\0" + ENCODED[22:],
    "is no PKCS #7 signature": ENCODED[:24] + bytes(16) + ENCODED[40:],
    "truncated: its signature needs -24 bytes": ENCODED[:16] + bytes(4) + ENCODED[20:],
    "truncated: its signature": ENCODED[:-1],
}


@pytest.mark.parametrize("fault", list(NO_WRITES))
def test_what_is_no_write_is_refused_and_the_fault_named(fault: str) -> None:
    with pytest.raises(MalformedInput, match=fault):
        parse_signed_write(NO_WRITES[fault])
