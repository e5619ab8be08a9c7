"""The code paths of the kernels, one after another: each must compute the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.kernels import cpu

LEVELS: Final = cpu.levels()


@contextmanager
def taking(level: str) -> Iterator[None]:
    """Take one code path, and afterwards the fastest again."""
    cpu.use_level(level)
    try:
        yield
    finally:
        cpu.use_level(LEVELS[-1])
