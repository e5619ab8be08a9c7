"""What a service tells its node while it runs: the stage it is in and how far it has come."""

from typing import Protocol


class Progress(Protocol):
    """Receives a service's progress; implemented by the worker, and by doubles in tests."""

    def stage(self, name: str, total: int) -> None:
        """Enter the stage ``name`` (one of the service's stages) with ``total`` rows of work."""

    def advance(self, count: int) -> None:
        """Report that ``count`` more units of the present stage are done."""


class Silent:
    """Progress that nobody watches."""

    def stage(self, name: str, total: int) -> None:
        """Ignore it."""

    def advance(self, count: int) -> None:
        """Ignore it."""
