"""Invitations as people pass them on: an address, a number, four secret words and one that checks.

    coffer1:hospital.example:7444/3-abandon-ability-able-about-absent

The number says which invitation of the node it is. The four words are the code, 44 random bits:
whoever has them can ask to be paired. The fifth word checks the others, so that a mistyped code is
noticed where it is typed and costs no attempt.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from appliance.peering.addresses import parse_address
from appliance.peering.errors import AddressMistyped, InvitationMistyped
from appliance.peering.words import nearest_words, spell, word_list

SCHEME: Final = "coffer1"
CODE_WORDS: Final = 4
_MOST_CHARACTERS: Final = 512
_REMEDY: Final = "enter it just as the other node shows it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The secret of one invitation."""

    number: int
    secret_words: tuple[str, ...] = field(repr=False)

    @classmethod
    def make(cls, number: int) -> "Code":
        """Return a new code of 44 random bits."""
        return cls(number=number, secret_words=spell(secrets.token_bytes(6), CODE_WORDS))

    @property
    def password(self) -> bytes:
        """What the PAKE is run over."""
        return "-".join(self.secret_words).encode("ascii")

    @property
    def words(self) -> str:
        """All that must be told besides the address: the number, the code, the checking word."""
        return " ".join([str(self.number), *self.secret_words, self._checking_word()])

    def require_checked(self, word: str) -> None:
        """Return if the word checks this code. Raises: InvitationMistyped."""
        if word != self._checking_word():
            raise InvitationMistyped(
                "the words of the invitation do not belong together: one of them, or the number"
                " before them, is mistyped",
                remedy=_REMEDY,
            )

    def _checking_word(self) -> str:
        text = f"{SCHEME} {self.number} {' '.join(self.secret_words)}"
        return spell(hashlib.sha256(text.encode("ascii")).digest(), 1)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationText:
    """An invitation as it is shown, and entered at the other node."""

    address: str
    code: Code

    @property
    def text(self) -> str:
        """The invitation as one line."""
        return f"{SCHEME}:{self.address}/{self.code.words.replace(' ', '-')}"

    @classmethod
    def parse(cls, text: str) -> "InvitationText":
        """Read an invitation, or an address followed by the words.

        Raises: InvitationMistyped, naming the part and what was probably meant.
        """
        text = text.strip()
        if len(text) > _MOST_CHARACTERS:
            raise InvitationMistyped("that is too long for an invitation", remedy=_REMEDY)
        if ":" not in text:
            raise InvitationMistyped(
                "this is an invitation without its address" if text else "no invitation was given",
                remedy="enter the one line that begins with coffer1:, or HOST:PORT and then the"
                " number and the words, as the other node shows them",
            )
        # With the scheme there are two colons before the words: one more than in an address.
        before_words = re.split(r"[/\s]", text, maxsplit=1)[0]
        if before_words.count(":") > 1 and not before_words.startswith("["):
            scheme, _, text = text.partition(":")
            if scheme.lower() != SCHEME:
                raise InvitationMistyped(
                    f"an invitation begins with {SCHEME}:, not {scheme[:20]!r}", remedy=_REMEDY
                )
        address, _, rest = text.replace("/", " ", 1).partition(" ")
        try:
            address = parse_address(address)
        except AddressMistyped as error:
            raise InvitationMistyped(
                f"the address in the invitation is mistyped: {error.what}", remedy=_REMEDY
            ) from error
        return cls(address=address, code=_parse_words(rest))


def _parse_words(text: str) -> Code:
    parts = re.split(r"[\s\-–—,/]+", text.strip().lower())
    if len(parts) != CODE_WORDS + 2 or not re.fullmatch(r"[0-9]{1,9}", parts[0]):
        raise InvitationMistyped(
            f"after the address come a number and {CODE_WORDS + 1} words,"
            f" not {len([part for part in parts if part])} parts",
            remedy=_REMEDY,
        )
    known = frozenset(word_list())
    for place, word in enumerate(parts[1:], start=1):
        if word not in known:
            nearest = " or ".join(f'"{near}"' for near in nearest_words(word))
            raise InvitationMistyped(
                f"word {place} of the invitation, {word[:20]!r}, is not one that invitations use",
                remedy=f"did you mean {nearest}?" if nearest else _REMEDY,
            )
    code = Code(number=int(parts[0]), secret_words=tuple(parts[1:-1]))
    code.require_checked(parts[-1])
    return code
