"""Who takes part in one run of a service, and the channels between them."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.channel import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who takes part: its rank, 0…n-1, and its name for people."""

    rank: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run among parties, seen from the party ``rank``.

    session_id: 32 bytes that all parties share (the hash of the signed contract).
    channels:   the channel to each other party, by its rank.
    """

    session_id: bytes
    rank: int
    parties: tuple[Party, ...]
    channels: Mapping[int, Channel]
