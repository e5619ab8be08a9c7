"""What is kept of updates, outside the node's database: it must outlive both slots' schemas.

One small file that only root writes and all may read: the agent, the console without an agent,
and the next slot.
"""

import os
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from appliance.updates.errors import InstallFailed, NothingToCancel
from appliance.updates.manifest import Revision, Version
from appliance.updates.states import UpdateEvent, UpdateState

FOLDER: Final = Path("var/lib/coffer-updates")
FILE: Final = FOLDER / "record.json"
NOTED: Final = "noted-"
"""Beside it, before a version: a start of that one has nothing to note, so none waits for it.

There from a note that leaves nothing open until the record is next written.
"""
MOST_BYTES: Final = 256 << 10
_MOST_REASON: Final = 2000

Text = Annotated[str, StringConstraints(max_length=_MOST_REASON)]


class _Kept(BaseModel):
    # Of a newer slot's file an older one reads what it knows.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Update(_Kept):
    """One update. replaced: the version that ran when it began.

    reason: why it failed or fell back; remedy: what to do.
    """

    version: Version | None = None
    replaced: Version
    state: UpdateState
    done_bytes: int = 0
    total_bytes: int = 0
    reason: Text = ""
    remedy: Text = ""
    began: int = 0

    def after(self, event: UpdateEvent, *, reason: str = "", remedy: str = "") -> "Update":
        """Return it as an event leaves it. Raises: UpdateOutOfOrder."""
        changed = {"state": self.state.after(event), "reason": reason[:_MOST_REASON]}
        return self.model_copy(update=changed | {"remedy": remedy[:_MOST_REASON]})


class Slot(_Kept):
    """One copy of the system on the disk.

    version:    empty if nothing is in it. tries_left: None once it has passed its health check.
    has_kernel: whether it can be started.
    """

    version: str
    is_running: bool
    has_kernel: bool
    tries_left: int | None = None


class Record(_Kept):
    """What is kept.

    floor: the newest version that was good here; nothing older is ever installed.
    reads: the revisions of the node's database that each version on the disk reads.
    """

    floor: str = Field(default="", pattern=r"^([0-9]{8}\.[0-9]{6})?$")
    update: Update | None = None
    slots: tuple[Slot, ...] = ()
    reads: dict[str, tuple[Revision, ...]] = {}

    @classmethod
    def read(cls, root: Path = Path("/")) -> Self:
        """Return what is kept; nothing if nothing is.

        Raises: InstallFailed if it cannot be read, rather than forget the floor.
        """
        try:
            with (root / FILE).open("rb") as file:
                return cls.model_validate_json(file.read(MOST_BYTES))
        except FileNotFoundError:
            return cls()
        except (OSError, ValidationError) as error:
            raise InstallFailed(
                f"what is kept of updates cannot be read ({type(error).__name__})",
                remedy="see the disk's health in the log; a factory reset makes it anew",
            ) from None

    def write(self, root: Path = Path("/")) -> None:
        """Keep it, whole and durably; the next start is then noted."""
        for noted in (root / FOLDER).glob(f"{NOTED}*"):
            noted.unlink()
        path = root / FILE
        beside = path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(self.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)

    def cancelled(self) -> "Record":
        """Return it with its update cancelled. Raises: NothingToCancel, UpdateOutOfOrder."""
        if self.update is None:
            raise NothingToCancel(
                "there is no update to cancel", remedy='see "coffer updates show"'
            )
        return self.with_update(self.update.after(UpdateEvent.CANCEL_ASKED))

    def with_update(self, update: Update) -> "Record":
        """Return it with an update in the place of the last one."""
        return self.model_copy(update={"update": update})


def keep_event(root: Path, event: UpdateEvent, *, reason: str = "", remedy: str = "") -> None:
    """Keep what has happened to the present update. Raises: UpdateOutOfOrder."""
    record = Record.read(root)
    if record.update is not None:
        changed = record.update.after(event, reason=reason, remedy=remedy)
        record.with_update(changed).write(root)


def keep_change(root: Path, **changed: object) -> None:
    """Keep what is now known of the present update."""
    record = Record.read(root)
    if record.update is not None:
        record.with_update(record.update.model_copy(update=changed)).write(root)


def sync_folder(folder: Path) -> None:
    """Return once what was renamed and removed in a folder is on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
