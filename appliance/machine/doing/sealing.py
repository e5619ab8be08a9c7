"""The sealing key, which the agent's identity key is encrypted with: made, sealed, given out.

It lies on disk as a credential of systemd's that the TPM alone decrypts, in the state that /var is
bound to as well. systemd-creds does the sealing: what it seals comes by a file that exists while
it runs, in the helper's own /run, and never among its words. Each start of the agent waits for
this, so no cryptography is loaded here.
"""

import errno
import os
from typing import Final

from appliance.identity.sealing import CREDENTIAL, REMEDY, SEALING_KEY_BYTES
from appliance.machine.doing import tpm
from appliance.machine.errors import OrderRefused, ProgramFailed
from appliance.machine.tools import Tools

SEALED: Final = "var/lib/coffer-machine/sealing-key.credential"
WRAPPED: Final = "var/lib/coffer-machine/sealing-key.wrapped"
"""What :mod:`appliance.machine.doing.wrapping` keeps."""
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
_LOCKED_OUT: Final = os.strerror(errno.ENOLCK)
"""How systemd says that the TPM defends itself against guesses of passwords."""


def seal_identity(tools: Tools) -> None:
    """Offer the sealing key to the agent; at the first start make it.

    Raises: OrderRefused if the TPM does not give it out; the agent then finds none.
    """
    (tools.root / OFFERED).unlink(missing_ok=True)
    if tools.read(SEALED) is None:
        if tools.read(WRAPPED) is not None:
            raise OrderRefused("the sealing key of the identity key is gone", remedy=REMEDY)
        seal(os.urandom(SEALING_KEY_BYTES).hex(), tools)
    unseal(tools)
    tools.write(OFFERED, tools.read(SEALED) or "", mode=0o600)


def unseal(tools: Tools) -> str | None:
    """Return the sealing key in hexadecimal digits, None if none was made.

    Raises: OrderRefused if the TPM does not give it out.
    """
    if tools.read(SEALED) is None:
        return None
    try:
        return _decrypt(tools)
    except ProgramFailed as error:
        raise OrderRefused(
            f"the TPM does not give out the key that seals the identity key: {error.what}",
            remedy=REMEDY,
        ) from error


def _decrypt(tools: Tools) -> str:
    words = (f"--name={CREDENTIAL}", "--tpm2-device=auto", str(tools.root / SEALED), "-")
    try:
        return tools.run(CREDS, "decrypt", *words, seconds=CREDS_SECONDS).strip()
    except ProgramFailed as error:
        # To a TPM each power cut counts as a wrong password; after some it is asked in vain for
        # minutes or hours. Nothing is sealed with a password here, so there is none to guess.
        is_locked_out = _LOCKED_OUT in error.what
        if not (is_locked_out and tpm.obeys(tools.root / tpm.DEVICE, tpm.FORGET_FAILURES)):
            raise
    return tools.run(CREDS, "decrypt", *words, seconds=CREDS_SECONDS).strip()


def seal(sealing_key: str, tools: Tools) -> None:
    """Have the TPM as it is now seal it, and keep that."""
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
