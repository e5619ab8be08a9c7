"""Read little-endian structures from bytes of unknown honesty, and say where they break."""

from dataclasses import dataclass
from uuid import UUID

from firmware.errors import MalformedInput

GUID_BYTES = 16


@dataclass(slots=True, kw_only=True)
class Reader:
    """A place in some bytes that only moves forward, and never past their end.

    ``subject`` names what is being read in errors; ``at`` counts bytes from the beginning.
    """

    data: bytes
    subject: str
    at: int = 0

    @property
    def left(self) -> int:
        """How many bytes have not been read yet."""
        return len(self.data) - self.at

    def fault(self, what: str) -> MalformedInput:
        """Return the error to raise for what stands here."""
        return MalformedInput(f"{self.subject}: {what} (at byte {self.at})")

    def take(self, count: int, what: str, *, most: int | None = None) -> bytes:
        """Return the next ``count`` bytes; refuse more than ``most``, or than there are."""
        if most is not None and count > most:
            raise self.fault(f"{what} has {count} bytes, more than {most}")
        if count < 0 or count > self.left:
            raise self.fault(f"truncated: {what} needs {count} bytes and {self.left} are left")
        piece = self.data[self.at : self.at + count]
        self.at += count
        return piece

    def number(self, size: int, what: str) -> int:
        """Return the next unsigned number of ``size`` bytes, the lowest byte first."""
        return int.from_bytes(self.take(size, what), "little")

    def guid(self, what: str) -> UUID:
        """Return the next GUID, whose first three fields UEFI stores little-endian."""
        return UUID(bytes_le=self.take(GUID_BYTES, what))

    def require_end(self, what: str) -> None:
        """Refuse bytes that nobody has read."""
        if self.left:
            raise self.fault(f"{self.left} bytes follow {what}")
