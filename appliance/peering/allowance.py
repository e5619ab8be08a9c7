"""How often others may ask something of this node: so many at once, and so many a second."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

_MOST_REMEMBERED: Final = 1024


class Allowance:
    """Grants ``burst`` at once and ``per_second`` from then on. Times are any clock's seconds."""

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = burst
        self._counted_at = 0.0

    def wait_seconds(self, now: float) -> float:
        """Return how long it is until another is granted; 0 if one is now."""
        self._count(now)
        return max(0.0, (1.0 - self._left) / self._per_second)

    def take(self, now: float) -> float:
        """Take one, perhaps in advance; return for how long to wait until it is granted."""
        seconds = self.wait_seconds(now)
        self._left -= 1.0
        return seconds

    def _count(self, now: float) -> None:
        grown = self._left + max(0.0, now - self._counted_at) * self._per_second
        self._left = min(self._burst, grown)
        self._counted_at = now


class Allowances:
    """An allowance for each of those who ask; who has not asked for longest is forgotten first."""

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._each: OrderedDict[Hashable, Allowance] = OrderedDict()

    def of(self, who: Hashable) -> Allowance:
        """Return the allowance of one who asks."""
        if who not in self._each:
            self._each[who] = Allowance(per_second=self._per_second, burst=self._burst)
        self._each.move_to_end(who)
        while len(self._each) > _MOST_REMEMBERED:
            self._each.popitem(last=False)
        return self._each[who]
