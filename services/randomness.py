"""Where secret randomness comes from: the operating system, or a seeded double in tests."""

import os
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Rng(Protocol):
    """A source of uniformly random bytes."""

    def draw(self, count: int) -> bytes:
        """Return ``count`` fresh random bytes."""


class System:
    """The operating system's cryptographic generator."""

    def draw(self, count: int) -> bytes:
        """Return ``count`` bytes that nobody can predict."""
        return os.urandom(count)


def permutation(rng: Rng, count: int) -> NDArray[np.int64]:
    """Return a uniformly random order of 0…count-1, by sorting random 64-bit words.

    Words that repeat would favour some orders, so a draw that holds a repeat is thrown away:
    what is left is exactly uniform. At 2^20 words one draw in 2^25 is thrown away.
    """
    while True:
        words = np.frombuffer(rng.draw(8 * count), dtype="<u8")
        order = np.argsort(words)
        ascending = words[order]
        if not np.any(ascending[1:] == ascending[:-1]):
            return order.astype(np.int64, copy=False)
