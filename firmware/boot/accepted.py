"""The measurements that are accepted of a machine: per release, the value of each PCR that counts.

The image's build writes them beside the image; whoever judges a machine holds those of the
releases that he accepts and compares whole values, never what an event log says.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec

from firmware.boot.banks import PCR_COUNT, Bank
from firmware.boot.prediction import Prediction
from firmware.errors import MalformedInput, UnacceptedMeasurements

MOST_DOCUMENT_BYTES: Final = 64 * 1024

Release = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+~_-]{0,127}\Z")]
HexDigest = Annotated[str, msgspec.Meta(pattern=r"^(?:[0-9a-f]{2}){20,64}\Z")]
PCRIndex = Annotated[int, msgspec.Meta(ge=0, lt=PCR_COUNT)]


class AcceptedBoot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One release's boot: its PCRs in one bank, as lower-case hexadecimal digits."""

    release: Release
    bank: str
    pcrs: Annotated[dict[PCRIndex, HexDigest], msgspec.Meta(min_length=1)]

    def differing(self, seen: Mapping[int, bytes]) -> tuple[int, ...]:
        """Return which PCRs a machine shows otherwise, or not at all."""
        return tuple(
            pcr
            for pcr, value in sorted(self.pcrs.items())
            if not hmac.compare_digest(bytes.fromhex(value), seen.get(pcr, b""))
        )


def accept(release: str, predictions: Sequence[Prediction]) -> AcceptedBoot:
    """Return a release's boot from what is predicted of it; all in one bank, each PCR once."""
    banks = {one.bank for one in predictions}
    if len(banks) != 1 or len({one.pcr for one in predictions}) != len(predictions):
        raise MalformedInput("accepted measurements are of one bank, and of each PCR once")
    pcrs = {one.pcr: one.value.hex() for one in predictions}
    boot = AcceptedBoot(release=release, bank=banks.pop().algorithm, pcrs=pcrs)
    return parse_accepted(write_accepted(boot))


def write_accepted(boot: AcceptedBoot) -> bytes:
    """Return a release's boot as JSON: the same bytes for the same values."""
    ordered = AcceptedBoot(
        release=boot.release, bank=boot.bank, pcrs=dict(sorted(boot.pcrs.items()))
    )
    return msgspec.json.format(msgspec.json.encode(ordered), indent=2) + b"\n"


def parse_accepted(data: bytes) -> AcceptedBoot:
    """Return what :func:`write_accepted` wrote; MalformedInput names any fault."""
    if len(data) > MOST_DOCUMENT_BYTES:
        raise MalformedInput(f"accepted measurements: {len(data)} bytes are too many")
    try:
        boot = msgspec.json.decode(data, type=AcceptedBoot)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedInput(f"accepted measurements: {error}") from None
    size = 2 * Bank.named(boot.bank).size
    for pcr, value in boot.pcrs.items():
        if len(value) != size:
            raise MalformedInput(f"accepted measurements: PCR {pcr} is no {boot.bank} digest")
    return boot


def require_accepted(seen: Mapping[int, bytes], boots: Sequence[AcceptedBoot]) -> AcceptedBoot:
    """Return the accepted boot that a machine's PCRs (all of one bank) are of.

    Raises UnacceptedMeasurements, naming the release that comes nearest and what differs from it.
    """
    if not boots:
        raise UnacceptedMeasurements(
            "no release is accepted", remedy="name the releases that this machine may run"
        )
    differing, nearest = min(
        ((boot.differing(seen), boot) for boot in boots), key=lambda one: len(one[0])
    )
    if differing:
        names = ", ".join(map(str, differing))
        raise UnacceptedMeasurements(
            f"PCR {names} differ from release {nearest.release}, the nearest that is accepted",
            remedy="compare the machine's event log with that release's predictions",
        )
    return nearest
