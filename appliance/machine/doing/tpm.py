"""Commands to the TPM that no program of the operating system gives.

By the lockout hierarchy, whose authorisation is empty unless somebody set one. Source: TPM 2.0
Library, part 3: TPM2_Clear, TPM2_DictionaryAttackLockReset.
"""

import os
from pathlib import Path
from typing import Final

DEVICE: Final = "dev/tpmrm0"
# A tag with sessions, 27 bytes, what to do, TPM_RH_LOCKOUT, 9 bytes of TPM_RS_PW with no password.
CLEAR: Final = bytes.fromhex("8002 0000001b 00000126 4000000a 00000009 40000009 0000 00 0000")
"""Let it forget its owner secret, and all that was ever sealed with it."""
FORGET_FAILURES: Final = bytes.fromhex(
    "8002 0000001b 00000139 4000000a 00000009 40000009 0000 00 0000"
)
"""Let it forget how often it was asked with wrong passwords, of which a power cut is one."""
_NO_ERROR: Final = 0


def obeys(device: Path, command: bytes) -> bool:
    """Give a command; tell whether it was done."""
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    try:
        os.write(descriptor, command)
        answer = os.read(descriptor, 4096)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return len(answer) >= 10 and int.from_bytes(answer[6:10], "big") == _NO_ERROR
