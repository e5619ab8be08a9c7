"""The recovery key of the disk: one is made, and when that was is known; it is kept nowhere."""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.machine import orders
from appliance.machine.ask import Helper, ask
from appliance.machine.errors import OrderRefused
from appliance.machine.posture import Problem
from services.errors import ServiceError

log = logging.getLogger(__name__)

NOTE: Final = "recovery-key-made"
"""Below the state folder: a file with the time in milliseconds since 1970, or one of these."""
BEGUN: Final = "begun"
UNKNOWN: Final = "0"
_MOST_BYTES: Final = 32
_MOST_MILLISECONDS: Final = 1 << 62
_RECOVERY: Final = "recovery"  # as systemd-cryptenroll calls the kind of key

NO_KEY: Final = Problem(
    what="no recovery key is known of: if the TPM does not open the disk, all on it is lost",
    remedy="make one and keep it away from the machine: coffer machine add-recovery-key",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryKey:
    """What is known of the recovery key.

    is_wanted:         whether there is somebody who could keep one.
    made_milliseconds: since 1970; 0 if there is one and nobody knows since when, None if none.
    """

    is_wanted: bool
    made_milliseconds: int | None

    def problems(self) -> tuple[Problem, ...]:
        """Return what is amiss."""
        return (NO_KEY,) if self.is_wanted and self.made_milliseconds is None else ()


class Recovery:
    """Has recovery keys made, and notes when, in the node's folder.

    To make one ends the one before, and what is made and not told to anybody is none. So it is
    noted before that one is begun, and after when it was made: a failure in between never lets a
    machine whose key nobody has pass for one that has it.

    has_operators: tells whether somebody looks after the machine.
    """

    def __init__(
        self,
        state: Path,
        helper: Helper = ask,
        *,
        has_operators: Callable[[], bool],
        now_milliseconds: Callable[[], int],
    ) -> None:
        self._note = state / NOTE
        self._helper = helper
        self._has_operators = has_operators
        self._now_milliseconds = now_milliseconds
        self._has_asked = False

    async def add(self) -> str:
        """Have a key made, in place of any older one, and return it; nothing keeps it.

        Raises: OrderRefused if that cannot be noted; what the helper raises.
        """
        try:
            await asyncio.to_thread(self._write, BEGUN)
        except OSError as error:
            raise OrderRefused(
                f"that a recovery key is made cannot be noted: {error.strerror}",
                remedy="see whether /var is full: coffer machine show",
            ) from error
        told: Any = await asyncio.to_thread(self._helper, orders.AddRecoveryKey())
        try:
            await asyncio.to_thread(self._write, str(self._now_milliseconds()))
        except OSError as error:  # the one before has ended: this one must reach its reader
            log.warning("that a recovery key was made is not noted: %s", error)
        key: str = told["recovery_key"]
        return key

    async def look(self, *, is_appliance: bool) -> RecoveryKey:
        """Return what is known; where nothing is noted, the helper is asked, once.

        is_appliance: outside there is no such key.
        """
        is_wanted = is_appliance and self._has_operators()
        noted = await asyncio.to_thread(self._read)
        if is_wanted and noted is None and not self._has_asked:
            self._has_asked = True
            noted = await asyncio.to_thread(self._ask_for_unknown)
        return RecoveryKey(is_wanted=is_wanted, made_milliseconds=_time_of(noted))

    def _ask_for_unknown(self) -> str | None:
        """Note a key that the disk has and no note tells of, as one of an unknown time."""
        try:
            kinds: Any = self._helper(orders.ShowDiskKeys())["kinds"]
            if _RECOVERY in kinds:
                self._write(UNKNOWN)
        except (ServiceError, OSError) as error:
            log.warning("whether there is a recovery key cannot be told: %s", error)
            return None
        return UNKNOWN if _RECOVERY in kinds else None

    def _read(self) -> str | None:
        try:
            with self._note.open(encoding="ascii") as file:
                return file.read(_MOST_BYTES).strip()
        except (OSError, ValueError):
            return None

    def _write(self, noted: str) -> None:
        unfinished = self._note.with_name(f"{NOTE}.unfinished")
        with unfinished.open("w", encoding="ascii") as file:
            file.write(f"{noted}\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._note)
        folder = os.open(self._note.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _time_of(noted: str | None) -> int | None:
    made = int(noted) if noted and noted.isascii() and noted.isdecimal() else None
    return made if made is not None and made < _MOST_MILLISECONDS else None
