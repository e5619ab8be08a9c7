"""How often a job's run is begun again, as one node counts it. Pure.

Attempts are numbered from 0, alike at all parties: bytes pass only between workers of one attempt.
A node that loses its worker goes on with the next one; the others hear of it, end their workers,
and follow. A number only grows, and there is a last one, so that no party can go on for ever.
"""

from typing import Final

LAST_ATTEMPT: Final = 5
_LONGEST_PAUSE_SECONDS: Final = 8.0


def last_attempt(*, resumes: bool) -> int:
    """Return the last attempt that any party may begin at a run of a service."""
    return LAST_ATTEMPT if resumes else 0


def is_spent(attempt: int) -> bool:
    """Tell whether this is no attempt any more: the last one was lost."""
    return attempt > LAST_ATTEMPT


def is_due(attempt: int, begun: int | None) -> bool:
    """Tell whether our part, done before, is to be done again for a peer that lost its own.

    begun: the last attempt that was begun since our agent started, None if none was.
    """
    return attempt > (begun or 0) and not is_spent(attempt)


def pause_seconds(attempt: int) -> float:
    """Return how long to wait once the worker of an attempt has crashed, lest crashes come fast."""
    return min(2.0**attempt, _LONGEST_PAUSE_SECONDS)
