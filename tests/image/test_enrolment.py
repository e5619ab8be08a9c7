import datetime

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from firmware.boot.secure_boot import SecureBootVariable
from firmware.boot.signature_lists import parse_signature_lists
from firmware.boot.signed_writes import bytes_to_sign, parse_signed_write
from image import enrolment
from image.enrolment import ENROLLED, Enrolled
from image.keys import Keys
from image.signing import detached

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
SIGNATURE_BYTES = 256


def public_key(keys: Keys, name: str) -> rsa.RSAPublicKey:
    certificate = x509.load_pem_x509_certificate(keys.named(name).certificate.read_bytes())
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def writes(keys: Keys) -> dict[str, bytes]:
    def sign(name: str, content: bytes) -> bytes:
        return detached(keys.named(name), content)

    return enrolment.signed_writes(keys, NOW, sign)


@pytest.mark.parametrize("one", ENROLLED, ids=lambda one: one.variable.label)
def test_a_write_is_signed_by_the_key_above(vendor_keys: Keys, one: Enrolled) -> None:
    write = parse_signed_write(writes(vendor_keys)[one.variable.label])

    signed = bytes_to_sign(one.variable, write.value, signed_at=NOW)
    signature = write.pkcs7[-SIGNATURE_BYTES:]  # the last thing in it, there being no attributes
    public_key(vendor_keys, one.signed_by).verify(
        signature, signed, padding.PKCS1v15(), hashes.SHA256()
    )
    with pytest.raises(InvalidSignature):
        public_key(vendor_keys, "update").verify(
            signature, signed, padding.PKCS1v15(), hashes.SHA256()
        )


def test_writes_depend_on_keys_and_time_alone(vendor_keys: Keys) -> None:
    assert writes(vendor_keys) == writes(vendor_keys)


def test_only_keys_of_the_boot_and_of_modules_are_trusted(vendor_keys: Keys) -> None:
    entries = parse_signature_lists(enrolment.values(vendor_keys)[SecureBootVariable.DB])

    expected = [public_key(vendor_keys, name) for name in ("boot", "modules")]
    assert [one.certificate().public_key() for one in entries] == expected
