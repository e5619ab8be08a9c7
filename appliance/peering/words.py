"""Numbers as words that people can read out: the 2048 English words of BIP 39, eleven bits each."""

import difflib
from functools import lru_cache
from typing import Final

from mnemonic import Mnemonic

WORD_BITS: Final = 11


@lru_cache(maxsize=1)
def word_list() -> tuple[str, ...]:
    """Return the words, in the order that numbers them."""
    return tuple(Mnemonic("english").wordlist)


def spell(bits: bytes, count: int) -> tuple[str, ...]:
    """Return ``count`` words for the first 11·count bits."""
    number = int.from_bytes(bits) >> (8 * len(bits) - WORD_BITS * count)
    words = word_list()
    return tuple(words[number >> WORD_BITS * n & 2047] for n in reversed(range(count)))


def nearest_words(mistyped: str) -> tuple[str, ...]:
    """Return up to three words that somebody who typed ``mistyped`` may have meant."""
    return tuple(difflib.get_close_matches(mistyped, word_list(), n=3, cutoff=0.6))
