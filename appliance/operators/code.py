"""Set-up codes as people read and type them: four secret words and one that checks them.

The four words are 44 random bits. The fifth checks the others, so that a mistyped code is noticed
where it is typed and costs no try.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from appliance.operators.errors import CodeMistyped
from appliance.peering.words import nearest_words, spell, word_list

CODE_WORDS: Final = 4
# Of its own, so that no invitation's code is ever a set-up code.
_PURPOSE: Final = "coffer operator"
_MOST_CHARACTERS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUpCode:
    """The secret by which one operator is enrolled."""

    secret_words: tuple[str, ...] = field(repr=False)

    @classmethod
    def make(cls) -> "SetUpCode":
        """Return a new code of 44 random bits."""
        return cls(secret_words=spell(secrets.token_bytes(6), CODE_WORDS))

    @classmethod
    def parse(cls, text: str) -> "SetUpCode":
        """Read a code as people type it. Raises: CodeMistyped."""
        words = re.split(r"[\s\-–—,/]+", text.strip().lower())
        if len(text) > _MOST_CHARACTERS or len(words) != CODE_WORDS + 1:
            raise CodeMistyped(f"a set-up code has {CODE_WORDS + 1} words")
        known = frozenset(word_list())
        for place, word in enumerate(words, start=1):
            if word not in known:
                raise _unknown(place, word)
        code = cls(secret_words=tuple(words[:-1]))
        if words[-1] != code._checking_word():
            raise CodeMistyped("the words of the code do not belong together: one is mistyped")
        return code

    @property
    def password(self) -> bytes:
        """What the PAKE is run over."""
        return f"{_PURPOSE} {' '.join(self.secret_words)}".encode("ascii")

    @property
    def words(self) -> str:
        """The code as it is shown and typed."""
        return " ".join([*self.secret_words, self._checking_word()])

    def _checking_word(self) -> str:
        return spell(hashlib.sha256(b"check " + self.password).digest(), 1)[0]


def _unknown(place: int, word: str) -> CodeMistyped:
    what = f"word {place} of the code is not one that codes use"
    nearest = " or ".join(f'"{near}"' for near in nearest_words(word[:20]))
    return CodeMistyped(what, remedy=f"did you mean {nearest}?") if nearest else CodeMistyped(what)
