"""Argon2id against RFC 9106, and against another library's."""

import pytest
from argon2.low_level import Type, core, ffi
from argon2.profiles import RFC_9106_LOW_MEMORY
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from appliance.accounts.passwords import Passwords

# RFC 9106, section 5.3.
TAG = bytes.fromhex("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659")


def test_argon2id_gives_the_tag_of_the_rfc() -> None:
    out, password, salt, secret, data = (
        ffi.new("uint8_t[]", value)
        for value in (bytes(32), b"\x01" * 32, b"\x02" * 16, b"\x03" * 8, b"\x04" * 12)
    )
    context = ffi.new(
        "argon2_context *",
        {
            **{"out": out, "outlen": 32, "pwd": password, "pwdlen": 32, "salt": salt},
            **{"saltlen": 16, "secret": secret, "secretlen": 8, "ad": data, "adlen": 12},
            **{"t_cost": 3, "m_cost": 32, "lanes": 4, "threads": 4, "version": 0x13},
            **{"allocate_cbk": ffi.NULL, "free_cbk": ffi.NULL, "flags": 0},
        },
    )

    assert core(context, Type.ID.value) == 0
    assert bytes(ffi.buffer(out, 32)) == TAG


def test_another_library_verifies_what_ours_stores() -> None:
    stored = Passwords().hash("purple kettle wednesday", name="wei")

    Argon2id.verify_phc_encoded(b"purple kettle wednesday", stored)
    with pytest.raises(InvalidKey):
        Argon2id.verify_phc_encoded(b"purple kettle thursday", stored)


def test_ours_verifies_what_another_library_stores() -> None:
    made = Argon2id(salt=b"0123456789abcdef", length=32, iterations=3, lanes=4, memory_cost=65536)
    stored = made.derive_phc_encoded(b"purple kettle wednesday")

    assert Passwords().verify(stored, "purple kettle wednesday") == stored


def test_the_parameters_are_those_that_are_stated() -> None:
    stored = Passwords().hash("purple kettle wednesday", name="wei")

    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert RFC_9106_LOW_MEMORY.hash_len == 32
    assert RFC_9106_LOW_MEMORY.salt_len == 16
