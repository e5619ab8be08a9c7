"""The program ``coffer-update``: what of updates only root can do, one verb for each of its units.

It takes no argument but the verb: what comes from outside is the bundle alone, as an open file.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import FrameType
from typing import BinaryIO, Final, NoReturn

from pydantic import ValidationError

from appliance.updates import slots
from appliance.updates.errors import BundleForeign, Cancelled, StateUnreadable
from appliance.updates.fate import Verdict, told
from appliance.updates.record import FOLDER, NOTED, Record, Update
from appliance.updates.rules import Here
from appliance.updates.running import read_here
from appliance.updates.staged import clear
from appliance.updates.states import UpdateState
from services.errors import ServiceError

ROOT: Final = Path("/")
VERDICT: Final = Path("var/lib/coffer-health/verdict.json")
FIRST_DESCRIPTOR: Final = 3
"""Of the files that systemd opens for a unit [sd_listen_fds(3)]."""
_MOST_VERDICT_BYTES: Final = 64 << 10
_RESTART_SECONDS: Final = 60.0


def main(words: Sequence[str] | None = None) -> int:
    """Do what the one word says; return 0, or 1 with cause and remedy in the log."""
    given = sys.argv[1:] if words is None else words
    if len(given) != 1 or given[0] not in VERBS:
        print(f"error: coffer-update knows {', '.join(VERBS)}", file=sys.stderr)
        return 2
    try:
        VERBS[given[0]]()
    except ServiceError as error:
        print(f"error: {error.what}\nhint: {error.remedy}", file=sys.stderr)
        return 1
    except Cancelled:
        print("cancelled", file=sys.stderr)
    return 0


def install() -> None:
    """Install the bundle that systemd has opened. Raises: ServiceError; Cancelled at SIGTERM."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        raise BundleForeign
    _install(os.fdopen(FIRST_DESCRIPTOR, "rb"))


def install_from_stick() -> None:
    """Install the newest bundle on a USB stick. Raises: ServiceError; Cancelled at SIGTERM."""
    from appliance.updates.programs import run_program
    from appliance.updates.stick import open_bundle

    _install(open_bundle(ROOT, run_program))


def _install(bundle: AbstractContextManager[BinaryIO]) -> None:
    # Only who installs waits for all that is imported here; a start waits for what is noted.
    from appliance.store.migrate import known_revisions
    from appliance.updates.install import Installation
    from appliance.updates.programs import run_program
    from appliance.updates.trust import Trust

    signal.signal(signal.SIGTERM, _cancel)
    revisions = known_revisions()
    installation = Installation(
        trust=Trust.read(ROOT),
        here=read_here(revisions[-1]),
        schemas=revisions,
        run=run_program,
        root=ROOT,
    )
    installation.install(bundle)
    print("installed; it starts when the machine does", file=sys.stderr)


def cancel() -> None:
    """Take an update that waits for a restart off the list."""
    slots.withdraw(ROOT, read_here().version)
    note()


def other() -> None:
    """Have the other slot start next. Raises: NothingToStart, StateUnreadable."""
    from appliance.store.migrate import known_revisions

    start_other(ROOT, read_here(known_revisions()[-1]))


def start_other(root: Path, where: Here) -> None:
    """Have the other slot start next, if it reads the database as it is.

    Raises: NothingToStart, StateUnreadable.
    """
    record = Record.read(root)
    target = slots.find_other(root, where.version)
    if where.revision not in record.reads.get(target.version, ()):
        raise StateUnreadable(target.version, where.revision)
    slots.prefer_other(root, where.version)
    asked = Update(
        version=target.version,
        replaced=where.version,
        state=UpdateState.READY,
        began=where.now,
    )
    listed = slots.read_slots(root, where.version)
    record.with_update(asked).model_copy(update={"slots": listed}).write(root)


def restart_if_useful() -> None:
    """Restart after a start that was not good, unless there is nothing better to start."""
    from appliance.updates.programs import run_program

    if slots.has_better(ROOT):
        words = ("systemctl", "start", "--no-block", "--job-mode=replace-irreversibly")
        run_program(*words, "reboot.target", seconds=_RESTART_SECONDS)
    else:
        print("unhealthy, but there is nothing better to start", file=sys.stderr)


def note() -> None:
    """Keep what has become of the last update, as far as it is known by now."""
    clear(ROOT)
    before = Record.read(ROOT).update
    now = note_start(ROOT, read_here().version).update
    if now and now != before:
        state = now.state.value.replace("_", " ")
        print(f"update to {now.version}: {state} {now.reason}", file=sys.stderr)


def note_start(root: Path, running: str) -> Record:
    """Keep, and return, the record as what runs now leaves it."""
    record = Record.read(root)
    slots.relist(root, running, record.floor)
    now = told(record, slots.read_slots(root, running), read_verdict(root))
    now.write(root)
    is_good = any(slot.is_running and slot.tries_left is None for slot in now.slots)
    if is_good and not (now.update and now.update.state.is_open):
        (root / FOLDER / f"{NOTED}{running}").touch()
    return now


def read_verdict(root: Path) -> Verdict | None:
    """Return what the last health check said, None if there was none that can be read."""
    with suppress(OSError, ValidationError), (root / VERDICT).open("rb") as file:
        return Verdict.model_validate_json(file.read(_MOST_VERDICT_BYTES))
    return None


def _cancel(number: int, frame: FrameType | None) -> NoReturn:
    raise Cancelled


VERBS: Final[Mapping[str, Callable[[], None]]] = {
    "install": install,
    "stick": install_from_stick,
    "cancel": cancel,
    "other": other,
    "note": note,
    "settle": note,
    "unhealthy": restart_if_useful,
}


if __name__ == "__main__":
    sys.exit(main())
