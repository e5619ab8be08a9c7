"""Which code path the kernels take; all give the same results, bit for bit."""

from services.kernels import _native


def levels() -> tuple[str, ...]:
    """Return the code paths that this processor offers, the fastest last, which is taken."""
    return tuple(_native.levels())


def use_level(name: str) -> None:
    """Take a slower path from now on, in this whole process: for tests and benchmarks.

    Raises: ValueError if the processor does not offer it.
    """
    _native.use_level(name)
