"""Where secret randomness comes from: the operating system, or a seeded double in tests."""

import os
from typing import Protocol


class Rng(Protocol):
    """A source of uniformly random bytes."""

    def draw(self, count: int) -> bytes:
        """Return ``count`` fresh random bytes."""


class System:
    """The operating system's cryptographic generator."""

    def draw(self, count: int) -> bytes:
        """Return ``count`` bytes that nobody can predict."""
        return os.urandom(count)
