"""What has become of an update, told from what runs now: pure rules."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from appliance.updates.manifest import Version
from appliance.updates.record import Record, Slot, Update
from appliance.updates.states import UpdateEvent, UpdateState

_UNHEARD: Final = "it did not come as far as its health check in any of its tries"
_REMEDY: Final = "send the vendor a support bundle; install a newer update when there is one"


class Verdict(BaseModel):
    """What the last health check of a version found; no reasons if all was well."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Version
    reasons: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=400)], ...], Field(max_length=16)
    ] = ()


def told(record: Record, slots: Sequence[Slot], verdict: Verdict | None) -> Record:
    """Return the record as what runs now leaves it; the same again changes nothing."""
    running = next(slot for slot in slots if slot.is_running)
    floor = record.floor
    update = record.update and _told(record.update, running, slots, verdict)
    if running.tries_left is None:
        floor = max(floor, running.version)
        if update and update.state is UpdateState.TRYING and update.version == running.version:
            update = update.after(UpdateEvent.HEALTHY)
    on_disk = {slot.version for slot in slots}
    reads = {version: known for version, known in record.reads.items() if version in on_disk}
    return Record(floor=floor, update=update, slots=tuple(slots), reads=reads)


def _told(update: Update, running: Slot, slots: Sequence[Slot], verdict: Verdict | None) -> Update:
    if update.version == running.version:
        is_new = update.state in (UpdateState.WRITING, UpdateState.READY)
        return update.after(UpdateEvent.STARTED) if is_new else update
    if update.state.is_under_way:
        return update.after(
            UpdateEvent.POWER_LOST,
            reason="the installation was cut off",
            remedy="install it again",
        )
    is_tried = update.state in (UpdateState.READY, UpdateState.TRYING)
    left = [slot.tries_left for slot in slots if slot.version == update.version and slot.has_kernel]
    if not is_tried or any(tries != 0 for tries in left):
        return update
    is_its = verdict is not None and verdict.version == update.version
    reasons = verdict.reasons if verdict and is_its else ()
    why = "; ".join(reasons) or _UNHEARD
    return update.after(
        UpdateEvent.OLD_STARTED,
        reason=f"fell back from {update.version} to {running.version} because {why}",
        remedy=_REMEDY,
    )
