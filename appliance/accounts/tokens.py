"""API tokens as programs send them: a prefix, 160 random bits, and characters that check them.

So that whoever scans files for secrets finds them, and knows a real one without asking the node:
``coffer_[a-z2-7]{39}``, of which the last seven are the CRC-32 of the others.
"""

import base64
import hashlib
import re
import secrets
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from appliance.accounts.errors import TokenRefused, TokenUnfit
from appliance.accounts.roles import Power

PREFIX: Final = "coffer_"
RANDOM_BYTES: Final = 20
LONGEST_LIFE: Final = timedelta(days=365)
_FORM: Final = re.compile(PREFIX + "[a-z2-7]{32}[a-z2-7]{7}")
_CHECK_CHARACTERS: Final = 7
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

NEVER_BY_TOKEN: Final = frozenset(
    {Power.MANAGE_ACCOUNTS, Power.ERASE_MACHINE, Power.KEEP_DISK_KEYS}
)
"""What asks for a person with two factors: a stolen token must not outlive its revocation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token as the node knows it; of its text a hash alone.

    scope: what it may do, of what its account may do at the time.
    """

    id: str
    account: str
    name: str
    scope: frozenset[Power]
    created_milliseconds: int
    expires_milliseconds: int
    last_used_milliseconds: int


def make_token() -> str:
    """Return a new token's text, to be shown once."""
    body = PREFIX + base64.b32encode(secrets.token_bytes(RANDOM_BYTES)).decode().lower()
    return body + _check(body)


def digest_of_token(text: str) -> bytes:
    """Return what is stored of a token. Raises: TokenRefused if it is none at all."""
    body, check = text[:-_CHECK_CHARACTERS], text[-_CHECK_CHARACTERS:]
    if not _FORM.fullmatch(text) or _check(body) != check:
        raise TokenRefused
    return hashlib.sha256(text.encode()).digest()


def require_fit(
    name: str,
    scope: Collection[Power],
    powers: Collection[Power],
    *,
    expires_milliseconds: int,
    now_milliseconds: int,
) -> None:
    """Return if an account of these powers may have such a token. Raises: TokenUnfit."""
    if not _NAME.fullmatch(name):
        raise TokenUnfit(
            "a token's name has 1 to 64 of a-z, 0-9, dot, dash and underscore",
            remedy='name what it is for, as "nightly-jobs"',
        )
    wrong = sorted(one.value for one in {*scope} - {*powers} | {*scope} & NEVER_BY_TOKEN)
    if wrong or not scope:
        raise TokenUnfit(
            f"this token cannot be let {', '.join(wrong)}" if wrong else "the token may do nothing",
            remedy="name some of what the account itself may do, and no token may do all of that",
        )
    most = int(LONGEST_LIFE / timedelta(milliseconds=1))
    if not 0 < expires_milliseconds - now_milliseconds <= most:
        raise TokenUnfit(
            f"a token ends in the future, after {LONGEST_LIFE.days} days at the latest",
            remedy="name such a day",
        )


def _check(body: str) -> str:
    crc = zlib.crc32(body.encode()).to_bytes(4)
    return base64.b32encode(crc).decode().lower()[:_CHECK_CHARACTERS]
