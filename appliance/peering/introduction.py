"""What nodes tell each other of themselves, and whether two of them can work together."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from appliance.api import peer_pb2 as pb
from appliance.peering.addresses import parse_address
from appliance.peering.errors import (
    AddressMistyped,
    ClockSkewed,
    IntroductionInvalid,
    VersionsDiffer,
)

LOWEST_INTERFACE: Final = 1
HIGHEST_INTERFACE: Final = 1
MOST_SKEW: Final = timedelta(seconds=300)
MOST_NAME_CHARACTERS: Final = 64
BOOT_BYTES: Final = 16
_MOST_VERSION_CHARACTERS: Final = 64
_MOST_ADDRESS_CHARACTERS: Final = 264
_ID_BEGINS: Final = re.compile(r"[A-Z2-7]{7}(-[A-Z2-7]{7}){0,7}$")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_MILLISECONDS: Final = 253_402_300_799_000  # the end of the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """One node's word about itself; see the message of that name in peer.proto."""

    name: str
    address: str
    version: str
    lowest_interface: int = LOWEST_INTERFACE
    highest_interface: int = HIGHEST_INTERFACE
    clock: datetime
    boot: bytes = b""

    def to_proto(self) -> pb.Introduction:
        """Return the message that says it."""
        return pb.Introduction(
            name=self.name,
            address=self.address,
            version=self.version,
            lowest_interface=self.lowest_interface,
            highest_interface=self.highest_interface,
            clock_milliseconds=_milliseconds(self.clock),
            boot=self.boot,
        )

    @classmethod
    def from_proto(cls, message: pb.Introduction) -> "Introduction":
        """Read what another node says, within limits. Raises: IntroductionInvalid."""
        address = message.address
        if len(address) > _MOST_ADDRESS_CHARACTERS:
            raise IntroductionInvalid("a node's address is too long")
        try:
            address = parse_address(address) if address else ""
        except AddressMistyped as error:
            raise IntroductionInvalid(f"a node's address is malformed: {error.what}") from error
        version = message.version
        if not version.isascii() or not version.isprintable():
            raise IntroductionInvalid("a node's version is not printable")
        if not 1 <= len(version) <= _MOST_VERSION_CHARACTERS:
            raise IntroductionInvalid("a node's version is empty or too long")
        if not 1 <= message.lowest_interface <= message.highest_interface:
            raise IntroductionInvalid("a node's range of interface versions is empty")
        if not 0 <= message.clock_milliseconds <= _MOST_MILLISECONDS:
            raise IntroductionInvalid("a node's clock is out of all bounds")
        if len(message.boot) > BOOT_BYTES:
            raise IntroductionInvalid("a node's mark of its start is too long")
        return cls(
            name=require_name(message.name),
            address=address,
            version=version,
            lowest_interface=message.lowest_interface,
            highest_interface=message.highest_interface,
            clock=_EPOCH + timedelta(milliseconds=message.clock_milliseconds),
            boot=message.boot,
        )


Introduce: TypeAlias = Callable[[str], Introduction]
"""Says of this node what another at a host is told; the host is empty if nobody knows it."""


def require_name(name: str) -> str:
    """Return the name if a node may bear it: letters, digits, and " _.-" between them.

    Raises: IntroductionInvalid. A slash or a comma would be read as part of a command, and what
    looks like a node id as another node.
    """
    if not 1 <= len(name) <= MOST_NAME_CHARACTERS:
        raise IntroductionInvalid(f"a node's name has 1 to {MOST_NAME_CHARACTERS} characters")
    inner = name.replace("_", "").replace(".", "").replace("-", "").replace(" ", "")
    # Combining marks are neither letters nor digits: NFC leaves few, and none is needed.
    if not inner.isalnum() or not name[0].isalnum() or name[-1] == " ":
        raise IntroductionInvalid("a node's name has letters and digits, and in between ' _.-'")
    if _ID_BEGINS.match(name):
        raise IntroductionInvalid("a node's name looks like a node id, or like the first group")
    if unicodedata.normalize("NFC", name) != name:
        raise IntroductionInvalid("a node's name is not in Unicode normal form C")
    return name


def require_agreement(theirs: Introduction, peer: str, now: datetime) -> None:
    """Return if a node that introduces itself so can work with this one.

    Raises: VersionsDiffer, ClockSkewed; ``peer`` is what the texts call the other node.
    """
    if theirs.lowest_interface > HIGHEST_INTERFACE or theirs.highest_interface < LOWEST_INTERFACE:
        older = "this node" if theirs.lowest_interface > HIGHEST_INTERFACE else peer
        raise VersionsDiffer(
            f"{peer} runs version {theirs.version}, which this node cannot speak with",
            remedy=f"update {older}: both must speak a common interface; {peer} speaks"
            f" {theirs.lowest_interface} to {theirs.highest_interface}, this node"
            f" {LOWEST_INTERFACE} to {HIGHEST_INTERFACE}",
        )
    skew = theirs.clock - now
    if abs(skew) > MOST_SKEW:
        raise ClockSkewed(
            f"the clock of {peer} is {spell_duration(abs(skew))}"
            f" {'ahead of' if skew > timedelta(0) else 'behind'} this node's",
            remedy="compare both clocks with a third and set the wrong one right (systemd-timesyncd"
            " or chrony keeps it so)",
        )


def spell_duration(duration: timedelta) -> str:
    """Return a duration for people, in its largest unit that fits."""
    seconds = int(duration.total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
