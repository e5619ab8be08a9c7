"""Banks of PCRs: the digest algorithms of a TPM, and how a PCR is extended.

Source: TCG Algorithm Registry 1.34, table 3 (identifiers); TPM 2.0 Library, part 1, §17 (PCRs).
"""

import hashlib
from collections.abc import Iterable
from enum import Enum
from typing import Final, Self

from firmware.errors import UnknownBank

PCR_COUNT: Final = 24


class Bank(Enum):
    """One algorithm of a TPM: its identifier, hashlib's name for it, and its digests' bytes."""

    SHA1 = (0x0004, "sha1", 20)
    SHA256 = (0x000B, "sha256", 32)
    SHA384 = (0x000C, "sha384", 48)
    SHA512 = (0x000D, "sha512", 64)
    SM3_256 = (0x0012, "sm3", 32)
    SHA3_256 = (0x0027, "sha3_256", 32)
    SHA3_384 = (0x0028, "sha3_384", 48)
    SHA3_512 = (0x0029, "sha3_512", 64)

    def __init__(self, identifier: int, algorithm: str, size: int) -> None:
        self.identifier = identifier
        self.algorithm = algorithm
        self.size = size

    @classmethod
    def of(cls, identifier: int) -> Self:
        """Return the bank with an identifier of the registry's; UnknownBank if there is none."""
        for bank in cls:
            if bank.identifier == identifier:
                return bank
        raise UnknownBank(f"0x{identifier:04x} is no digest algorithm that we know")

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the bank that tools write as ``name``, such as ``sha256``."""
        for bank in cls:
            if bank.algorithm == name.lower():
                return bank
        raise UnknownBank(f"{name!r} is no digest algorithm that we know")

    @property
    def zeros(self) -> bytes:
        """A PCR's value before anything has been measured into it."""
        return bytes(self.size)

    def digest(self, data: bytes) -> bytes:
        """Return the digest of some bytes; UnknownBank where hashlib lacks the algorithm."""
        try:
            return hashlib.new(self.algorithm, data, usedforsecurity=False).digest()
        except ValueError:
            raise UnknownBank(f"this machine cannot compute {self.algorithm}") from None

    def extend(self, value: bytes, digest: bytes) -> bytes:
        """Return a PCR's value after one more digest: H(value ‖ digest)."""
        return self.digest(value + digest)

    def extended(self, digests: Iterable[bytes], *, start: bytes | None = None) -> bytes:
        """Return the value of a PCR into which digests went, in their order."""
        value = self.zeros if start is None else start
        for digest in digests:
            value = self.extend(value, digest)
        return value
