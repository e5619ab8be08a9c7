"""Judge what is measured of a card by the limits of its family. Pure: the caller measures."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from firmware.cards.catalogue import Limit

# Of every card: 1 when its configuration no longer reads back, as that of a card that fell off the
# bus or hangs does not; else 0.
ANSWERS: Final = Limit(metric="configuration_reads_failed", fail_above=0)


class Health(Enum):
    """How a metric of a card stands to its limits."""

    WELL = "well"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A metric of a card at one moment; its name's last word is the unit, counts count."""

    metric: str
    value: float
    health: Health


def judge(measured: Mapping[str, float], limits: Iterable[Limit]) -> tuple[Reading, ...]:
    """Return a reading for each limit of which something was measured, in the limits' order.

    What was measured and has no limit is left out, and so is a limit that nothing was measured of:
    silence is no health.
    """
    return tuple(_readings(measured, (ANSWERS, *limits)))


def _readings(measured: Mapping[str, float], limits: Iterable[Limit]) -> Iterator[Reading]:
    for limit in limits:
        value = measured.get(limit.metric)
        if value is not None:
            yield Reading(metric=limit.metric, value=value, health=_health(value, limit))


def _health(value: float, limit: Limit) -> Health:
    # Written so that no number (NaN) fails: what cannot be compared is not well.
    if limit.fail_above is not None and not value <= limit.fail_above:
        return Health.FAILED
    if limit.warn_above is not None and not value <= limit.warn_above:
        return Health.WARNING
    return Health.WELL
