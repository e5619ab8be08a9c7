"""The sealing key, which the agent's identity key is encrypted with: made, sealed, recovered.

It lies on disk as a credential of systemd's that the TPM alone decrypts, in the state that /var is
bound to as well; and, once a recovery key was made, wrapped by that key, as both are needed after
the TPM was lost. systemd-creds does the sealing: what it seals comes by a file that exists while
it runs, in the helper's own /run, and never among its words.
"""

import secrets
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from appliance.identity.sealing import CREDENTIAL, REMEDY, SEALING_KEY_BYTES
from appliance.machine.errors import OrderRefused, ProgramFailed
from appliance.machine.tools import Tools

SEALED: Final = "var/lib/coffer-machine/sealing-key.credential"
WRAPPED: Final = "var/lib/coffer-machine/sealing-key.wrapped"
"""The sealing key under the recovery key: AES key wrap (RFC 3394) by a key of HKDF-SHA256."""
OFFERED: Final = f"run/credstore.encrypted/{CREDENTIAL}"
"""Where systemd looks for the agent's; only what the TPM was seen to open lies there."""
PLAIN: Final = "run/coffer-machine/sealing-key"

PCRS: Final = "7+12"
"""As /var: Secure Boot and its keys, and that nothing was added to the start.

Both as they are: a start with additions does not open /var, so none comes here. Not the values of
PCR 11 that the vendor signs: /var asks for these already, and what the agent needs whenever it
starts should not depend on how far the machine's start has come.
"""
CREDS: Final = "systemd-creds"
CREDS_SECONDS: Final = 120.0
_WRAPPING: Final = b"coffer: the sealing key under the recovery key"


def seal_identity(tools: Tools) -> None:
    """Offer the sealing key to the agent; at the first start make it.

    Raises: OrderRefused if the TPM does not give it out; the agent then finds none.
    """
    (tools.root / OFFERED).unlink(missing_ok=True)
    if tools.read(SEALED) is None:
        if tools.read(WRAPPED) is not None:
            raise OrderRefused("the sealing key of the identity key is gone", remedy=REMEDY)
        _seal(secrets.token_hex(SEALING_KEY_BYTES), tools)
    unseal(tools)
    tools.write(OFFERED, tools.read(SEALED) or "", mode=0o600)


def unseal(tools: Tools) -> str | None:
    """Return the sealing key in hexadecimal digits, None if none was made.

    Raises: OrderRefused if the TPM does not give it out.
    """
    if tools.read(SEALED) is None:
        return None
    try:
        return tools.run(
            CREDS,
            "decrypt",
            f"--name={CREDENTIAL}",
            "--tpm2-device=auto",
            str(tools.root / SEALED),
            "-",
            seconds=CREDS_SECONDS,
        ).strip()
    except ProgramFailed as error:
        raise OrderRefused(
            f"the TPM does not give out the key that seals the identity key: {error.what}",
            remedy=REMEDY,
        ) from error


def wrap(sealing_key: str, recovery_key: str, tools: Tools) -> None:
    """Keep the sealing key for whoever has the recovery key."""
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
    _seal(sealing_key.hex(), tools)


def _seal(sealing_key: str, tools: Tools) -> None:
    with tools.lent(PLAIN, sealing_key) as path:
        credential = tools.run(
            CREDS,
            "encrypt",
            "--with-key=tpm2",
            f"--name={CREDENTIAL}",
            "--tpm2-device=auto",
            f"--tpm2-pcrs={PCRS}",
            path,
            "-",
            seconds=CREDS_SECONDS,
        )
    tools.write(SEALED, credential, mode=0o600)


def _wrapping_key(recovery_key: str) -> bytes:
    """Return a key of its own for this use; the recovery key has 256 bits of chance."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_WRAPPING)
    return derived.derive(recovery_key.encode())
