"""Parse the log that the firmware keeps of what it measured, and compute the PCRs it leads to.

Source: TCG PC Client Platform Firmware Profile 1.06 (PFP) §10.2: TCG_PCR_EVENT2, the first event
in the older TCG_PCR_EVENT, and TCG_EfiSpecIdEvent in it; logs of SHA-1 alone are read too. Linux
shows the log as /sys/kernel/security/tpm0/binary_bios_measurements.

What a log proves, even when its replay equals the PCRs that a TPM has signed: which digests went
into which PCR in which order. Nothing else. An event's type is not measured, so an attacker who
runs code after the firmware can rename events to a type that a reader skips and append others to
his liking (go-attestation, "Verifying TPM Boot Events and Untrusted Metadata"). An event's data
are measured only where the digest is recomputed from them (:meth:`Event.proven_data`), which for
loaded images and most EV_IPL is impossible: their digest is that of something else. So machines
are judged by comparing digests with predicted ones (:mod:`firmware.boot.prediction`); types and
data only explain differences to people (:mod:`firmware.boot.explain`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from firmware.boot.banks import PCR_COUNT, Bank
from firmware.boot.event_data import describe, text_in
from firmware.boot.event_types import EventType, name_of
from firmware.errors import UnknownBank
from firmware.reading import Reader

MOST_LOG_BYTES: Final = 8 * 1024 * 1024
MOST_EVENTS: Final = 16_384
MOST_DATA_BYTES: Final = 1024 * 1024
MOST_BANKS: Final = len(Bank)

SPEC_ID_SIGNATURE: Final = b"Spec ID Event03\0"
_LOCALITY_SIGNATURE: Final = b"StartupLocality\0"
_LOCALITIES: Final = frozenset({0, 3, 4})  # PFP 1.06 §10.4.5.3
_NO_PCR: Final = 0xFFFFFFFF  # what some firmware gives for EV_NO_ACTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One measurement as the log tells it; see the module for what of it can be trusted.

    number: its place in the log, from 0
    pcr:    0…23, or None for an EV_NO_ACTION that names no PCR
    kind:   the number of its type, unproven
    """

    number: int
    pcr: int | None
    kind: int
    digests: Mapping[Bank, bytes] = field(repr=False)
    data: bytes = field(repr=False)

    @property
    def is_measured(self) -> bool:
        """Whether its digest was extended into its PCR: EV_NO_ACTION only informs."""
        return self.kind != EventType.EV_NO_ACTION

    @property
    def title(self) -> str:
        """The event in a few words, unproven."""
        return f"event {self.number} ({name_of(self.kind)}): {describe(self.kind, self.data)}"

    def proven_data(self) -> bytes | None:
        """Return the bytes that the digests prove to have been measured; None if none are known.

        The data themselves, or the forms that firmware and boot loaders are known to measure
        instead: the bare value of a variable, and the text of an EV_IPL. Each digest of the event
        must agree. What is proven are bytes: the event's type stays a claim.
        """
        for candidate in self._candidates():
            if all(bank.digest(candidate) == value for bank, value in self.digests.items()):
                return candidate
        return None

    def _candidates(self) -> Iterable[bytes]:
        yield self.data
        if self.kind == EventType.EV_EFI_VARIABLE_BOOT:
            # EDK II measures the bare value of Boot#### and BootOrder (PFP 1.06 §10.4.1, note).
            reader = Reader(data=self.data, subject="variable")
            if reader.left > 32:
                reader.take(16, "GUID")
                skipped = 2 * reader.number(8, "name") + 8
                if skipped <= reader.left:
                    yield self.data[24 + skipped :]
        if self.kind == EventType.EV_IPL:
            text = text_in(self.data)
            encoded = text.encode("utf-8", "replace")
            wide = text.encode("utf-16-le", "replace")
            yield from (encoded + b"\0", encoded, wide + b"\0\0", wide)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLog:
    """A whole log: the banks that its header promises, and its events in order."""

    banks: tuple[Bank, ...]
    events: tuple[Event, ...]

    def of_pcr(self, pcr: int) -> tuple[Event, ...]:
        """Return what was measured into one PCR, in order."""
        return tuple(one for one in self.events if one.pcr == pcr and one.is_measured)

    def replay(self, bank: Bank) -> dict[int, bytes]:
        """Return the value of each PCR that the log's events lead to.

        PCRs without an event are left out. Values of 17…22 hold after a dynamic launch only.
        Raises UnknownBank if the log or one of its events has no digests of the bank.
        """
        if bank not in self.banks:
            raise UnknownBank(
                f"the event log has no bank {bank.algorithm}",
                remedy="ask for one of " + ", ".join(one.algorithm for one in self.banks),
            )
        values: dict[int, bytes] = {}
        for event in self.events:
            if event.pcr is None or not event.is_measured:
                continue
            if bank not in event.digests:
                raise UnknownBank(f"event {event.number} has no {bank.algorithm} digest")
            start = self._start(bank) if event.pcr == 0 else bank.zeros
            value = values.get(event.pcr, start)
            values[event.pcr] = bank.extend(value, event.digests[bank])
        return values

    def _start(self, bank: Bank) -> bytes:
        """Return PCR 0's first value: the locality of TPM2_Startup (PFP 1.06 §10.4.5.3)."""
        for event in self.events:
            if event.kind == EventType.EV_EFI_HCRTM_EVENT and event.pcr == 0:
                return bank.zeros[:-1] + b"\x04"
            if event.is_measured and event.pcr == 0:
                break
            if not event.is_measured and event.data.startswith(_LOCALITY_SIGNATURE):
                return bank.zeros[:-1] + event.data[-1:]
        return bank.zeros


def parse_event_log(data: bytes) -> EventLog:
    """Return the log that the bytes hold, down to their last; MalformedInput names any fault."""
    reader = Reader(data=data, subject="event log")
    if len(data) > MOST_LOG_BYTES:
        raise reader.fault(f"{len(data)} bytes are more than {MOST_LOG_BYTES}")
    first = _parse_old_event(reader, 0)
    if first.is_measured or not first.data.startswith(SPEC_ID_SIGNATURE):
        return _parse_old_log(reader, first)
    if any(first.digests[Bank.SHA1]):
        raise reader.fault("its header has a digest, which must be zeros")
    sizes = _parse_header(first.data)
    events = [Event(number=0, pcr=first.pcr, kind=first.kind, digests={}, data=first.data)]
    while reader.left:
        _require_room(reader, events)
        events.append(_parse_event(reader, len(events), sizes))
    return EventLog(banks=tuple(sizes), events=tuple(events))


def _require_room(reader: Reader, events: list[Event]) -> None:
    if len(events) >= MOST_EVENTS:
        raise reader.fault(f"it has more than {MOST_EVENTS} events")


def _parse_old_log(reader: Reader, first: Event) -> EventLog:
    """Return a log of TCG_PCR_EVENT throughout: SHA-1 alone, with a header or without."""
    events = [first]
    while reader.left:
        _require_room(reader, events)
        events.append(_parse_old_event(reader, len(events)))
    return EventLog(banks=(Bank.SHA1,), events=tuple(events))


def _parse_old_event(reader: Reader, number: int) -> Event:
    """Return the next TCG_PCR_EVENT (PFP 1.06 §10.2.1)."""
    pcr, kind = _parse_place(reader, number)
    digest = reader.take(Bank.SHA1.size, f"the digest of event {number}")
    data = _parse_data(reader, number)
    digests = MappingProxyType({Bank.SHA1: digest})
    return _checked(reader, Event(number=number, pcr=pcr, kind=kind, digests=digests, data=data))


def _parse_event(reader: Reader, number: int, banks: Mapping[Bank, int]) -> Event:
    """Return the next TCG_PCR_EVENT2 (PFP 1.06 §10.2.2)."""
    pcr, kind = _parse_place(reader, number)
    count = reader.number(4, f"the number of digests of event {number}")
    if not 1 <= count <= len(banks):
        raise reader.fault(f"event {number} has {count} digests in a log of {len(banks)} banks")
    digests: dict[Bank, bytes] = {}
    for _ in range(count):
        identifier = reader.number(2, f"an algorithm of event {number}")
        bank = _bank(reader, identifier)
        if bank not in banks:
            raise reader.fault(f"event {number} has a {bank.algorithm} digest, the header none")
        if bank in digests:
            raise reader.fault(f"event {number} has two {bank.algorithm} digests")
        digests[bank] = reader.take(bank.size, f"the {bank.algorithm} digest of event {number}")
    data = _parse_data(reader, number)
    return _checked(
        reader,
        Event(number=number, pcr=pcr, kind=kind, digests=MappingProxyType(digests), data=data),
    )


def _parse_place(reader: Reader, number: int) -> tuple[int | None, int]:
    """Return an event's PCR and type; only what is not measured may be without a PCR."""
    pcr = reader.number(4, f"the PCR of event {number}")
    kind = reader.number(4, f"the type of event {number}")
    if pcr == _NO_PCR and kind == EventType.EV_NO_ACTION:
        return None, kind
    if pcr >= PCR_COUNT:
        raise reader.fault(f"event {number} names PCR {pcr}; there are {PCR_COUNT}")
    return pcr, kind


def _parse_data(reader: Reader, number: int) -> bytes:
    size = reader.number(4, f"the size of event {number}")
    return reader.take(size, f"the data of event {number}", most=MOST_DATA_BYTES)


def _checked(reader: Reader, event: Event) -> Event:
    """Refuse a locality that TPM2_Startup cannot have had."""
    if not event.is_measured and event.data.startswith(_LOCALITY_SIGNATURE):
        locality = event.data[len(_LOCALITY_SIGNATURE) :]
        if len(locality) != 1 or locality[0] not in _LOCALITIES:
            raise reader.fault(f"event {event.number} gives no locality of TPM2_Startup")
    return event


def _bank(reader: Reader, identifier: int) -> Bank:
    try:
        return Bank.of(identifier)
    except UnknownBank as error:
        raise reader.fault(error.what) from None


def _parse_header(data: bytes) -> dict[Bank, int]:
    """Return the banks of TCG_EfiSpecIdEvent with their sizes (PFP 1.06 §10.4.5.1)."""
    reader = Reader(data=data, subject="event log's header")
    reader.take(len(SPEC_ID_SIGNATURE), "its signature")
    reader.take(4, "its platform class")
    minor, major, _errata, uintn = reader.take(4, "its version")
    if (major, minor) != (2, 0):
        raise reader.fault(f"version {major}.{minor} is not 2.0")
    if uintn not in (1, 2):
        raise reader.fault(f"a UINTN of {uintn} times 32 bits is neither 1 nor 2")
    count = reader.number(4, "its number of algorithms")
    if not 1 <= count <= MOST_BANKS:
        raise reader.fault(f"{count} algorithms are not 1 to {MOST_BANKS}")
    sizes: dict[Bank, int] = {}
    for _ in range(count):
        bank = _bank(reader, reader.number(2, "an algorithm"))
        size = reader.number(2, "the size of an algorithm's digests")
        if size != bank.size:
            raise reader.fault(f"{bank.algorithm} digests have {bank.size} bytes, not {size}")
        if bank in sizes:
            raise reader.fault(f"{bank.algorithm} stands there twice")
        sizes[bank] = size
    reader.take(reader.number(1, "the size of its vendor's data"), "its vendor's data")
    reader.require_end("its vendor's data")
    return sizes
