"""How secrets that the node must read again lie in its database: as its identity key does.

Where systemd gives out a sealing key, encrypted under a key derived from it; elsewhere plain, in a
file that only the node's user may read.
"""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from appliance.accounts.errors import SecretSealed
from appliance.identity.sealing import REMEDY

_PURPOSE: Final = b"coffer accounts 1"
_PLAIN: Final = b"\0"
_SEALED: Final = b"\1"
_NONCE_BYTES: Final = 12


class Vault:
    """Seals secrets, each for the account that it is of.

    sealing_key: as ``identity.sealing`` reads it; None leaves secrets plain.
    """

    def __init__(self, sealing_key: bytes | None) -> None:
        self._cipher = None if sealing_key is None else AESGCM(_derived(sealing_key))

    def seal(self, secret: bytes, *, of: str) -> bytes:
        """Return what is stored of a secret of an account."""
        if self._cipher is None:
            return _PLAIN + secret
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _SEALED + nonce + self._cipher.encrypt(nonce, secret, of.encode())

    def unseal(self, kept: bytes, *, of: str) -> bytes:
        """Return the secret again. Raises: SecretSealed."""
        kind, body = kept[:1], kept[1:]
        if kind == _PLAIN:
            return body
        if self._cipher is None:
            raise SecretSealed(
                "the accounts' secrets are sealed, and the TPM did not give out the key to them",
                remedy=REMEDY,
            )
        try:
            return self._cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], of.encode())
        except (InvalidTag, ValueError):
            raise SecretSealed(
                "an account's secret is sealed with another key than this machine's, or damaged",
                remedy="have a security administrator renew the account's enrolment",
            ) from None

    def is_to_be_sealed(self, kept: bytes) -> bool:
        """Tell whether a secret lies plain although it could be sealed."""
        return self._cipher is not None and kept[:1] == _PLAIN

    def __repr__(self) -> str:
        return f"Vault({'plain' if self._cipher is None else 'sealed'})"


def _derived(sealing_key: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(sealing_key)
