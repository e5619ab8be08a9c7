"""Who is logged in: kept in memory alone, by hashes of the words shown, so a restart ends all."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import Final

from appliance.accounts.errors import SessionEnded

IDLE_MILLISECONDS: Final = 15 * 60 * 1000
MOST_MILLISECONDS: Final = 8 * 3600 * 1000
MOST_EACH: Final = 16
_WORD_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSession:
    """One login that goes on. source: where it came from, as for lockout."""

    account: str
    source: str
    began_milliseconds: int
    used_milliseconds: int

    def goes_on(self, now_milliseconds: int) -> bool:
        """Tell whether it has not ended by idleness or age; a clock that was set back ends it."""
        idle = now_milliseconds - self.used_milliseconds
        age = now_milliseconds - self.began_milliseconds
        return 0 <= idle < IDLE_MILLISECONDS and age < MOST_MILLISECONDS


class Sessions:
    """The sessions of all accounts."""

    def __init__(self) -> None:
        self._each: dict[bytes, LoginSession] = {}

    def begin(self, account: str, source: str, now_milliseconds: int) -> str:
        """Return the word that a new session is known by."""
        self._each = {key: one for key, one in self._each.items() if one.goes_on(now_milliseconds)}
        own = [key for key, one in self._each.items() if one.account == account]
        for key in own[: max(0, len(own) - MOST_EACH + 1)]:
            del self._each[key]
        word = secrets.token_urlsafe(_WORD_BYTES)
        self._each[_digest(word)] = LoginSession(
            account=account,
            source=source,
            began_milliseconds=now_milliseconds,
            used_milliseconds=now_milliseconds,
        )
        return word

    def use(self, word: str, now_milliseconds: int) -> LoginSession:
        """Return a session that goes on, which begins to be idle anew. Raises: SessionEnded."""
        found = self._each.pop(_digest(word), None)
        if found is None or not found.goes_on(now_milliseconds):
            raise SessionEnded
        used = replace(found, used_milliseconds=now_milliseconds)
        self._each[_digest(word)] = used
        return used

    def end(self, word: str) -> None:
        """End a session."""
        self._each.pop(_digest(word), None)

    def end_all(self, account: str, *, but: str = "") -> None:
        """End all sessions of an account, but perhaps one."""
        kept = _digest(but)
        for key in [key for key, one in self._each.items() if one.account == account]:
            if key != kept:
                del self._each[key]


def _digest(word: str) -> bytes:
    return hashlib.sha256(word.encode("utf-8", "replace")).digest()
