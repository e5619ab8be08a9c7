"""Node ids: the SHA-256 of an identity's public key, written so that people can read it out.

As Syncthing's device ids: 52 base32 characters, a check character after every 13, shown as eight
groups of seven. Each check character covers two groups.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from appliance.identity.errors import NodeIdMistyped

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CHUNK: Final = 13
_GROUP: Final = 7
_CONFUSED: Final = str.maketrans("018", "OIB")
_SEPARATORS: Final = re.compile(r"[\s\-–—_]+")


def _check_character(chunk: str) -> str:
    total = 0
    for position, character in enumerate(chunk):
        addend = ALPHABET.index(character) * (2 if position % 2 else 1)
        total += addend // 32 + addend % 32
    return ALPHABET[-total % 32]


@dataclass(frozen=True, slots=True, order=True)
class NodeId:
    """One node's id; ``text`` is its one canonical spelling. Make it with the class methods."""

    text: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z2-7]{7}(-[A-Z2-7]{7}){7}", self.text):
            raise NodeIdMistyped("a node id has eight groups of seven letters and digits 2 to 7")

    @classmethod
    def from_public_der(cls, public_der: bytes) -> "NodeId":
        """Return the id of the node that holds this public key (DER SubjectPublicKeyInfo)."""
        digest = hashlib.sha256(public_der).digest()
        return cls._from_plain(base64.b32encode(digest).decode("ascii").rstrip("="))

    @classmethod
    def parse(cls, text: str) -> "NodeId":
        """Read an id as people type it: any case and separators; 0, 1 and 8 for O, I and B.

        Raises: NodeIdMistyped, naming the groups that are wrong.
        """
        squeezed = _SEPARATORS.sub("", text[:256]).upper().translate(_CONFUSED)
        if len(squeezed) != 56:
            raise NodeIdMistyped(
                f"a node id has 56 letters and digits, this one has {len(squeezed)}",
                remedy='compare it with the one that "coffer node show" prints there',
            )
        wrong = [f"{2 * n + 1} or {2 * n + 2}" for n in range(4) if not _is_checked(squeezed, n)]
        if wrong:
            raise NodeIdMistyped(
                f"the node id is mistyped in group {', and in group '.join(wrong)}",
                remedy='compare it with the one that "coffer node show" prints there',
            )
        return cls(_grouped(squeezed))

    @classmethod
    def _from_plain(cls, plain: str) -> "NodeId":
        chunks = [plain[n : n + _CHUNK] for n in range(0, 52, _CHUNK)]
        return cls(_grouped("".join(chunk + _check_character(chunk) for chunk in chunks)))

    def is_meant_by(self, text: str) -> bool:
        """Tell whether a person who writes this means the id, whole or short."""
        if text.upper() == self.short:
            return True
        try:
            return NodeId.parse(text) == self
        except NodeIdMistyped:
            return False

    @property
    def short(self) -> str:
        """The first group, enough for people to tell a handful of nodes apart."""
        return self.text[:_GROUP]

    @property
    def dns_name(self) -> str:
        """The name in the node's TLS certificates; nothing resolves it."""
        squeezed = self.text.replace("-", "")
        plain = "".join(squeezed[n : n + _CHUNK] for n in range(0, 56, _CHUNK + 1))
        return f"{plain.lower()}.coffer.internal"

    def __str__(self) -> str:
        return self.text


def _is_checked(squeezed: str, n: int) -> bool:
    chunk = squeezed[n * (_CHUNK + 1) : (n + 1) * (_CHUNK + 1)]
    if any(character not in ALPHABET for character in chunk):
        return False
    return _check_character(chunk[:-1]) == chunk[-1]


def _grouped(squeezed: str) -> str:
    return "-".join(squeezed[n : n + _GROUP] for n in range(0, 56, _GROUP))
