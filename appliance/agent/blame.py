"""What a worker tells of an error, and whose fault it is held to be.

Errors of ours are written to hold no value of the data; of others only the kind and the place are
told.
"""

import errno
import sys
import traceback
from collections.abc import Iterator
from typing import Final

from appliance.agent.control import Failed
from appliance.datasets.errors import DatasetError, DigitsShort, DiskFull, MemoryShort
from appliance.jobs.reasons import Reason
from services.errors import (
    CheatingDetected,
    ConfigError,
    LocalProtocolError,
    PeerLost,
    PeerProtocolError,
    RoomShort,
    ServiceError,
)

# The reasons of errors, the nearest class counts. Whose fault is said first is told first.
REASONS: Final[dict[type[BaseException], Reason]] = {
    CheatingDetected: Reason.CHEATING,
    PeerProtocolError: Reason.PEER_BROKE_RULES,
    DiskFull: Reason.DISK_FULL,
    MemoryShort: Reason.MEMORY,
    MemoryError: Reason.MEMORY,
    DatasetError: Reason.DATA,
    RoomShort: Reason.ROOM,
    DigitsShort: Reason.DIGITS,
    ConfigError: Reason.TERMS,
    LocalProtocolError: Reason.INTERNAL,
    PeerLost: Reason.PEER_LOST,
    ServiceError: Reason.INTERNAL,
    Exception: Reason.INTERNAL,
}
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def failed(error: Exception) -> Failed:
    """Return the report of an error: in full if it is one of ours, else its kind and place."""
    told = min(_leaves(error), key=_rank_of_blame)
    reason = REASONS[_known_kind(told)]
    if isinstance(told, ServiceError):
        what, remedy = told.what, told.remedy
    elif isinstance(told, OSError) and told.errno in _FULL:
        reason = Reason.DISK_FULL
        what, remedy = "the disk is full, or a result is larger than is granted", ""
    elif isinstance(told, MemoryError):
        what, remedy = "the worker needed more memory than it is granted", ""
    else:
        frame = traceback.extract_tb(told.__traceback__)[-1]
        what = f"the worker met a {type(told).__name__} at {frame.filename}:{frame.lineno}"
        remedy = "this is a fault of coffer: report it, with the job's worker.log"
        sys.excepthook(type(told), told, told.__traceback__)
    rank = told.rank if isinstance(told, PeerProtocolError | CheatingDetected | PeerLost) else None
    return Failed(
        error=type(told).__name__, reason=reason.word, what=what, remedy=remedy, rank=rank
    )


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors that a group holds, from tasks that failed together."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _known_kind(error: BaseException) -> type[BaseException]:
    return next((kind for kind in type(error).__mro__ if kind in REASONS), Exception)


def _rank_of_blame(error: BaseException) -> int:
    return list(REASONS).index(_known_kind(error))
