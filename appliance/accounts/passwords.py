"""Passwords: which may be set, and how they are kept and verified, by Argon2id.

Parameters: RFC 9106's second recommendation, 64 MiB, three passes, four lanes; above OWASP's least
(19 MiB, two passes, one lane). About a fifth of a second on the appliance's smallest machine.

Text: as RFC 8265's OpaqueString. Unicode's composed form (NFC), every kind of space a plain one,
nothing else changed; no control, format or unassigned character. So a password is the same from
any keyboard, and what one version of Unicode does not know yet cannot be set.

Rules: a length, and nothing that is tried first, after NIST SP 800-63B: rules of composition make
passwords worse. What is tried first is in ``guessed_first.txt``, which says where it is from;
repeats and rows of keys are found by rule.
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from appliance.accounts.errors import LoginRefused, PasswordUnfit

FEWEST_CHARACTERS: Final = 12
MOST_BYTES: Final = 1024
FEWEST_DIFFERENT: Final = 5
_LIST: Final = "guessed_first.txt"
_ROWS: Final = ("abcdefghijklmnopqrstuvwxyz", "1234567890qwertyuiopasdfghjklzxcvbnm")
_REMEDY: Final = "take some words that do not belong together, or let a password manager make one"
_NOBODYS: Final = b""  # too short to be anybody's


class Passwords:
    """Hashes passwords and verifies them. Each call takes long, and belongs in a thread."""

    def __init__(self, parameters: Parameters = RFC_9106_LOW_MEMORY) -> None:
        self._hasher = PasswordHasher.from_parameters(parameters)

    def hash(self, password: str, *, name: str) -> str:
        """Return what is stored of an account's new password. Raises: PasswordUnfit."""
        text = require_fit(password, name=name)
        return self._hasher.hash(text)

    def verify(self, stored: str, password: str) -> str:
        """Return what is to be stored from now on, if it is the password; the same, or stronger.

        stored: empty where there is no account or no password, which takes as long to refuse.
        Raises: LoginRefused.
        """
        try:
            text = _canonical(password)
        except PasswordUnfit:
            text = _NOBODYS
        if not stored:
            self._hasher.hash(text)
            raise LoginRefused
        try:
            self._hasher.verify(stored, text)
        except (VerificationError, InvalidHashError):
            raise LoginRefused from None
        return self._hasher.hash(text) if self._hasher.check_needs_rehash(stored) else stored


def require_fit(password: str, *, name: str) -> bytes:
    """Return a password's canonical bytes if the account may have it. Raises: PasswordUnfit."""
    canonical = _canonical(password)
    text = canonical.decode()
    if len(text) < FEWEST_CHARACTERS:
        raise PasswordUnfit(
            f"a password has at least {FEWEST_CHARACTERS} characters", remedy=_REMEDY
        )
    folded = text.casefold()
    if _is_made_of(words_guessed_first() | _words_of(name), folded) or _is_repeat_or_row(folded):
        raise PasswordUnfit("the password is among the first that are tried", remedy=_REMEDY)
    return canonical


@cache
def words_guessed_first() -> frozenset[str]:
    """Return what passwords are made of that are tried first, case folded."""
    text = files("appliance.accounts").joinpath(_LIST).read_text(encoding="utf-8")
    return frozenset(line.casefold() for line in text.splitlines() if not line.startswith("#"))


def _canonical(password: str) -> bytes:
    """Return the bytes that are hashed. Raises: PasswordUnfit."""
    if len(password) > MOST_BYTES:
        raise _too_long()
    text = "".join(
        " " if unicodedata.category(one) == "Zs" else one
        for one in unicodedata.normalize("NFC", password)
    )
    if any(unicodedata.category(one).startswith("C") for one in text):
        raise PasswordUnfit(
            "the password has a character that cannot be seen", remedy="leave it out"
        )
    if len(encoded := text.encode()) > MOST_BYTES:
        raise _too_long()
    return encoded


def _words_of(name: str) -> frozenset[str]:
    """Return an account's name and its parts, which are tried first too."""
    return frozenset({name, *re.findall("[a-z]{2,}", name)})


def _is_made_of(words: frozenset[str], folded: str) -> bool:
    """Tell whether it consists of these words, digits and marks alone."""
    longest = max(map(len, words))
    reached = {0}
    for end in range(1, len(folded) + 1):
        last = folded[end - 1]
        if (end - 1 in reached and not last.isalpha()) or any(
            start in reached and folded[start:end] in words
            for start in range(max(0, end - longest), end)
        ):
            reached.add(end)
    return len(folded) in reached


def _is_repeat_or_row(folded: str) -> bool:
    """Tell whether it has few characters, repeats a short piece, or runs along a row of keys."""
    if len(set(folded)) < FEWEST_DIFFERENT:
        return True
    repeats = any(
        folded == (folded[:size] * len(folded))[: len(folded)]
        for size in range(1, len(folded) // 2 + 1)
    )
    rows = [run for row in _ROWS for run in (row * 2, row[::-1] * 2)]
    return repeats or any(folded in run for run in rows)


def _too_long() -> PasswordUnfit:
    return PasswordUnfit(f"a password has at most {MOST_BYTES} bytes", remedy="take a shorter one")
