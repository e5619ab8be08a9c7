"""How long to wait after wrong tries: longer each time, yet never for ever. Pure.

Wrong tries of one account are counted together from all sources but those from which it has
logged in before: these have a count each. So a crowd that guesses makes strangers wait, and not
the person at the usual place.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

FREE_TRIES: Final = 5
FREE_TRIES_OF_SOURCE: Final = 20
FIRST_DELAY_SECONDS: Final = 30.0
MOST_DELAY_SECONDS: Final = 15 * 60.0
FORGOTTEN_SECONDS: Final = 24 * 3600.0
_MOST_COUNTED: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Wrong tries in a row, and when the last one was."""

    count: int = 0
    last_milliseconds: int = 0

    def after_another(self, now_milliseconds: int) -> "Failures":
        """Return the count after one more wrong try."""
        is_old = now_milliseconds - self.last_milliseconds > FORGOTTEN_SECONDS * 1000
        return Failures(count=1 if is_old else self.count + 1, last_milliseconds=now_milliseconds)

    def wait_seconds(self, now_milliseconds: int, *, free: int = FREE_TRIES) -> float:
        """Return how long it is until the next try is heard; 0 if it is now.

        A clock that was set back behind the last try makes nobody wait for it to come round.
        """
        passed = (now_milliseconds - self.last_milliseconds) / 1000
        if self.count < free or passed < 0:
            return 0.0
        doublings = min(self.count - free, 16)
        delay = min(FIRST_DELAY_SECONDS * 2.0**doublings, MOST_DELAY_SECONDS)
        return max(0.0, delay - passed)


class Tally:
    """Wrong tries by whom they are counted against; those unheard of longest are forgotten."""

    def __init__(self) -> None:
        self._each: OrderedDict[Hashable, Failures] = OrderedDict()

    def of(self, who: Hashable) -> Failures:
        """Return somebody's wrong tries."""
        return self._each.get(who, Failures())

    def add(self, who: Hashable, now_milliseconds: int) -> None:
        """Count one more."""
        self._each[who] = self.of(who).after_another(now_milliseconds)
        self._each.move_to_end(who)
        while len(self._each) > _MOST_COUNTED:
            self._each.popitem(last=False)

    def clear(self, who: Hashable) -> None:
        """Begin anew, after a right try."""
        self._each.pop(who, None)
