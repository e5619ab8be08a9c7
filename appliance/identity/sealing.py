"""The sealing key: what the identity key is encrypted with where systemd gives it out.

On the appliance it lies on disk only as a credential that this machine's TPM alone decrypts;
systemd does so for the agent, into memory that the agent alone can read.
"""

import os
from pathlib import Path
from typing import Final

from appliance.identity.errors import IdentityUnusable

CREDENTIAL: Final = "coffer.sealing-key"
"""Its name, which the credential itself is bound to."""
SEALING_KEY_BYTES: Final = 32
REMEDY: Final = (
    "at the machine's console choose 5 and 2, type the recovery key and restart; without that key"
    " make a factory reset, after which peers must pair with the node anew"
)


def read_sealing_key() -> bytes | None:
    """Return the sealing key, None where systemd gave this program none.

    Raises: IdentityUnusable if what it gave is no such key.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    try:
        key = bytes.fromhex(Path(folder, CREDENTIAL).read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        key = b""
    if len(key) != SEALING_KEY_BYTES:
        raise IdentityUnusable(
            "the sealing key that systemd gives out cannot be read", remedy=REMEDY
        )
    return key
