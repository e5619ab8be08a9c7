"""Tell people why a PCR is not what was predicted: which measurement, what it means, what to do.

An explanation is no judgement. PCRs decide; the log's types and texts are shown as claims, and
only bytes that a digest proves are told as facts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from firmware.boot.event_data import parse_variable
from firmware.boot.event_log import Event, EventLog
from firmware.boot.prediction import KERNEL_PCR, PHASES, Prediction, Step
from firmware.errors import MalformedInput

_MOST_SHOWN_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PCRMeaning:
    """What a PCR stands for: what goes into it, and what to do when it has changed."""

    holds: str
    remedy: str


# TCG PFP 1.06 §3.3.4 (0…7); the UAPI group's Linux TPM PCR registry (9…15).
MEANINGS: Final = {
    0: PCRMeaning(
        holds="the firmware's own code",
        remedy="if the firmware was updated on purpose, accept the new value; else ask its vendor",
    ),
    1: PCRMeaning(
        holds="the firmware's settings and the list of boot options",
        remedy="look for changed settings or boot options, and accept the new value or undo them",
    ),
    2: PCRMeaning(
        holds="code of expansion cards that the firmware runs",
        remedy="look for cards that were added, removed or updated",
    ),
    3: PCRMeaning(
        holds="settings of expansion cards",
        remedy="look for cards that were added, removed or set up otherwise",
    ),
    4: PCRMeaning(
        holds="the boot loaders and kernels that the firmware started",
        remedy="check that the release on the machine is the one expected, and install it anew",
    ),
    5: PCRMeaning(
        holds="the partition table and the boot loader's settings",
        remedy="look for a changed partition table or loader.conf",
    ),
    6: PCRMeaning(holds="events of the vendor's own", remedy="ask the vendor of the machine"),
    7: PCRMeaning(
        holds="whether Secure Boot is on, its keys, and which of them vouched for what was started",
        remedy="look at the Secure Boot page of the firmware: is it on, and are the keys ours",
    ),
    9: PCRMeaning(
        holds="the initrds that the kernel was given",
        remedy="look for additions beside the kernel image on the boot partition",
    ),
    11: PCRMeaning(
        holds="the parts of the kernel image, and how far the boot has come",
        remedy="check that the release on the machine is the one expected, and install it anew",
    ),
    12: PCRMeaning(
        holds="command lines and credentials from outside the kernel image",
        remedy="look for add-ons and credentials on the boot partition, or given by a hypervisor",
    ),
    13: PCRMeaning(
        holds="system extensions that were given to the initrd",
        remedy="look for system extensions on the boot partition",
    ),
    14: PCRMeaning(holds="keys of the shim loader", remedy="remove the shim: it is not used here"),
    15: PCRMeaning(
        holds="the machine's id and the keys of its volumes",
        remedy="this is another machine or disk, or the disk was set up anew",
    ),
}
_ANY: Final = PCRMeaning(holds="measurements of no fixed meaning", remedy="ask whoever uses it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Why one PCR is not as predicted; ``event`` is the log's first that differs, if one does."""

    pcr: int
    what: str
    meaning: str
    remedy: str
    event: Event | None = None


def explain(
    predictions: Sequence[Prediction], seen: Mapping[int, bytes], log: EventLog | None = None
) -> tuple[Difference, ...]:
    """Return a difference for each prediction that a machine's PCRs do not meet, in its order.

    seen: the machine's PCRs in the bank of the predictions
    log:  its event log, where there is one; it is used only as far as its replay leads to ``seen``
    """
    return tuple(
        _explain_one(prediction, seen.get(prediction.pcr), log)
        for prediction in predictions
        if seen.get(prediction.pcr) != prediction.value
    )


def _explain_one(prediction: Prediction, seen: bytes | None, log: EventLog | None) -> Difference:
    if seen is None:
        return _difference(prediction.pcr, "the machine shows no value of it")
    if log is None or prediction.bank not in log.banks:
        return _difference(prediction.pcr, "its value differs, and no event log tells why")
    events = log.of_pcr(prediction.pcr)
    digests = [one.digests.get(prediction.bank, b"") for one in events]
    phases = _phases_after(prediction, digests, seen, log)
    if phases is None:
        return _difference(
            prediction.pcr,
            "the event log does not lead to its value: the log lacks events or was altered",
        )
    steps = prediction.steps
    digests += [prediction.bank.digest(phase.encode()) for phase in phases]
    at = _first_difference(steps, digests)
    event = events[at] if at < len(events) else None
    told = event.title if event else None
    if event is None and at < len(digests):
        told = f"phase {phases[at - len(events)]}"
    what = _told(steps, digests, at, told)
    note = _proven_note(event)
    return _difference(prediction.pcr, f"{what}; {note}" if note else what, event)


def _difference(pcr: int, what: str, event: Event | None = None) -> Difference:
    meaning = MEANINGS.get(pcr, _ANY)
    return Difference(
        pcr=pcr,
        what=what,
        meaning=f"PCR {pcr} holds {meaning.holds}",
        remedy=meaning.remedy,
        event=event,
    )


def _phases_after(
    prediction: Prediction, digests: Sequence[bytes], seen: bytes, log: EventLog
) -> tuple[str, ...] | None:
    """Return the phases that lead on from the log's end to the value seen; None if none do.

    systemd measures phases after the firmware's log has ended, into PCR 11 alone.
    """
    bank = prediction.bank
    if b"" in digests:
        return None
    value = log.replay(bank).get(prediction.pcr, bank.zeros) if digests else bank.zeros
    most = len(PHASES) if prediction.pcr == KERNEL_PCR else 0
    for count in range(most + 1):
        if value == seen:
            return PHASES[:count]
        if count < most:
            value = bank.extend(value, bank.digest(PHASES[count].encode()))
    return None


def _first_difference(steps: Sequence[Step], digests: Sequence[bytes]) -> int:
    """Return the first place at which predicted and measured digests differ."""
    for at, (step, digest) in enumerate(zip(steps, digests, strict=False)):
        if step.digest != digest:
            return at
    return min(len(steps), len(digests))


def _told(steps: Sequence[Step], digests: Sequence[bytes], at: int, told: str | None) -> str:
    """Return in words what differs at a place: something more, something less, or another."""
    predicted = [step.digest for step in steps]
    if told is None:
        return (
            f"not measured: {steps[at].what}"
            if at < len(steps)
            else "the TPM was started at another locality"
        )
    if at >= len(steps) or list(digests[at + 1 :]) == predicted[at:]:
        return f"measured in addition: {told}"
    if list(digests[at:]) == predicted[at + 1 :]:
        return f"not measured: {steps[at].what}"
    return f"expected {steps[at].what}, measured was {told}"


def _proven_note(event: Event | None) -> str:
    """Return the value of a variable that an event's digest proves to have been measured."""
    proven = event.proven_data() if event else None
    try:
        variable = parse_variable(proven or b"")
    except MalformedInput:
        return ""
    value = variable.value
    shown = value.hex() if len(value) <= _MOST_SHOWN_BYTES else f"{len(value)} bytes"
    name = variable.name if variable.name.isprintable() else "with an unprintable name"
    return f"proven by its digest: variable {name} is {shown or 'absent'}"
