"""The second factor: codes of RFC 6238 that an authenticator shows, and codes for who has lost it.

SHA-1, six digits and thirty seconds, since common authenticators ignore anything else; HMAC does
not rest on SHA-1's collisions.
"""

import base64
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from appliance.accounts.codes import make_code
from appliance.accounts.errors import CodeWrong

STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
WINDOW: Final = 1
"""How many steps a clock may be ahead or behind."""
NEVER: Final = -1
"""The last used step of a key whose codes were never used."""
RECOVERY_CODES: Final = 10
_ISSUER: Final = "Coffer"


@dataclass(frozen=True, slots=True, kw_only=True)
class TOTPKey:
    """The secret that an authenticator and the node share."""

    secret: bytes = field(repr=False)

    @classmethod
    def make(cls) -> Self:
        """Return a new key of 160 random bits."""
        return cls(secret=secrets.token_bytes(SECRET_BYTES))

    @property
    def text(self) -> str:
        """The secret as it is typed where no QR code can be read."""
        return base64.b32encode(self.secret).decode()

    def uri(self, name: str, node: str) -> str:
        """Return the address that a QR code tells an authenticator. It holds the secret."""
        return self._codes().get_provisioning_uri(f"{name}@{node}", _ISSUER)

    def require(self, code: str, now_milliseconds: int, *, after: int) -> int:
        """Return the step of a code that is good now, to be noted as used.

        after: the last used step; a code of it or of one before was seen already.
        Raises: CodeWrong.
        """
        step = now_milliseconds // 1000 // STEP_SECONDS
        fit = [
            one for one in range(max(0, step - WINDOW), step + WINDOW + 1) if self._is_of(code, one)
        ]
        if not fit or fit[-1] <= after:
            raise CodeWrong
        return fit[-1]

    def _is_of(self, code: str, step: int) -> bool:
        try:
            self._codes().verify(_digits(code), step * STEP_SECONDS)
        except InvalidToken:
            return False
        return True

    def _codes(self) -> TOTP:
        return TOTP(self.secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 (RFC 6238)


def is_totp(code: str) -> bool:
    """Tell whether a code looks like an authenticator's, and not like one for who has lost it."""
    return re.fullmatch(rb"[0-9]{6}", _digits(code)) is not None


def make_recovery_codes() -> tuple[str, ...]:
    """Return codes that each stand in for the authenticator once; shown once, stored hashed."""
    return tuple(make_code() for _ in range(RECOVERY_CODES))


def _digits(code: str) -> bytes:
    """Return a code's digits as an authenticator shows them, also of a Chinese keyboard's width."""
    text = unicodedata.normalize("NFKC", code[:16])
    return "".join(text.split()).encode("utf-8", "replace")
