"""When a recovery key of the disk was last made; the key itself is kept nowhere on the machine."""

import os
from pathlib import Path
from typing import Final

from appliance.machine.posture import Problem

MADE: Final = "recovery-key-made"
"""Below the state folder: a file with the time in milliseconds since 1970."""
_MOST_BYTES: Final = 32

NO_KEY: Final = Problem(
    what="there is no recovery key: if the TPM does not open the disk any more, all on it is lost",
    remedy="make one and keep it away from the machine: coffer machine add-recovery-key",
)


def note_made(state: Path, now_milliseconds: int) -> None:
    """Note that a key was made now. Raises: OSError."""
    unfinished = state / f"{MADE}.unfinished"
    with unfinished.open("w", encoding="ascii") as file:
        file.write(f"{now_milliseconds}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(state / MADE)


def read_made(state: Path) -> int | None:
    """Return when the last key was made, in milliseconds since 1970; None if none is known of."""
    try:
        with (state / MADE).open(encoding="ascii") as file:
            return int(file.read(_MOST_BYTES))
    except (OSError, ValueError):
        return None
