"""One-time codes that people type: they enrol with one, and log in by one without their phone.

A code is 80 random bits in base32, four groups of four. That is too much to be guessed or searched
for, so a plain hash of it is enough on disk.
"""

import base64
import hashlib
import secrets
import unicodedata
from typing import Final

CODE_BYTES: Final = 10
_GROUP: Final = 4
_MOST_CHARACTERS: Final = 64
# Digits that base32 lacks, as the letters that they are read from.
_READ_AS: Final = str.maketrans({"0": "O", "1": "I", "8": "B"})


def make_code() -> str:
    """Return a new code as it is shown, once."""
    text = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode()
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def digest_of_code(code: str) -> bytes:
    """Return what is stored of a code, however it is typed; of no code's text a useless one."""
    text = unicodedata.normalize("NFKC", code[:_MOST_CHARACTERS]).replace("-", " ")
    letters = "".join(text.split()).upper().translate(_READ_AS).encode("utf-8", "replace")
    return hashlib.sha256(b"coffer code " + letters).digest()
