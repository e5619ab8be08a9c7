"""The sealing key kept for whoever has the recovery key: after a TPM was lost both are needed."""

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from appliance.machine.doing.sealing import WRAPPED, seal
from appliance.machine.errors import OrderRefused
from appliance.machine.tools import Tools

_WRAPPING: Final = b"coffer: the sealing key under the recovery key"


def wrap(sealing_key: str, recovery_key: str, tools: Tools) -> None:
    """Keep it under the recovery key: AES key wrap (RFC 3394) by a key of HKDF-SHA256."""
    wrapped = aes_key_wrap(_wrapping_key(recovery_key), bytes.fromhex(sealing_key))
    tools.write(WRAPPED, wrapped.hex() + "\n", mode=0o600)


def recover(recovery_key: str, tools: Tools) -> None:
    """Seal to the TPM as it is now what was kept for this recovery key; nothing if nothing was.

    Raises: OrderRefused if it was kept for another.
    """
    wrapped = tools.read(WRAPPED)
    if wrapped is None:
        return
    try:
        sealing_key = aes_key_unwrap(_wrapping_key(recovery_key), bytes.fromhex(wrapped.strip()))
    except (InvalidUnwrap, ValueError) as error:
        raise OrderRefused(
            "the disk is bound, but the identity key was kept for another recovery key",
            remedy="make a factory reset, after which peers must pair with the node anew",
        ) from error
    seal(sealing_key.hex(), tools)


def _wrapping_key(recovery_key: str) -> bytes:
    """Return a key of its own for this use; the recovery key has 256 bits of chance."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_WRAPPING)
    return derived.derive(recovery_key.encode())
