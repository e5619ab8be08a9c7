"""The states of an update on this machine, and all ways from one to another."""

from enum import Enum
from typing import Final

from services.errors import ConfigError


class UpdateState(Enum):
    """How far an update has come."""

    CHECKING = "checking"
    WRITING = "writing"
    # The other slot holds it; it starts when the machine does.
    READY = "ready"
    # It runs, and has not passed its health check yet.
    TRYING = "trying"
    GOOD = "good"
    FELL_BACK = "fell_back"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_under_way(self) -> bool:
        """Whether it is being installed at this moment."""
        return self in (UpdateState.CHECKING, UpdateState.WRITING)

    @property
    def is_open(self) -> bool:
        """Whether the next start may change it."""
        return self.is_under_way or self in (UpdateState.READY, UpdateState.TRYING)

    def after(self, event: "UpdateEvent") -> "UpdateState":
        """Return the state that follows; UpdateOutOfOrder if the event cannot happen now."""
        following = TRANSITIONS.get((self, event))
        if following is None:
            raise UpdateOutOfOrder(self, event)
        return following


class UpdateEvent(Enum):
    """What can happen to an update."""

    VERIFIED = "verified"
    WRITTEN = "written"
    REFUSED = "refused or failed"
    CANCEL_ASKED = "cancel asked"
    POWER_LOST = "power lost"
    STARTED = "started"
    HEALTHY = "healthy"
    OLD_STARTED = "old one started"


# (state, event) -> next state. Anything absent is refused with UpdateOutOfOrder.
TRANSITIONS: Final = {
    (UpdateState.CHECKING, UpdateEvent.VERIFIED): UpdateState.WRITING,
    (UpdateState.WRITING, UpdateEvent.WRITTEN): UpdateState.READY,
    (UpdateState.CHECKING, UpdateEvent.REFUSED): UpdateState.FAILED,
    (UpdateState.WRITING, UpdateEvent.REFUSED): UpdateState.FAILED,
    (UpdateState.CHECKING, UpdateEvent.CANCEL_ASKED): UpdateState.CANCELLED,
    (UpdateState.WRITING, UpdateEvent.CANCEL_ASKED): UpdateState.CANCELLED,
    (UpdateState.CHECKING, UpdateEvent.POWER_LOST): UpdateState.FAILED,
    (UpdateState.WRITING, UpdateEvent.POWER_LOST): UpdateState.FAILED,
    # The power went after the last step and before it was noted.
    (UpdateState.WRITING, UpdateEvent.STARTED): UpdateState.TRYING,
    (UpdateState.READY, UpdateEvent.STARTED): UpdateState.TRYING,
    # Its kernel image is taken off the list again.
    (UpdateState.READY, UpdateEvent.CANCEL_ASKED): UpdateState.CANCELLED,
    # It never came far enough to note that it had started.
    (UpdateState.READY, UpdateEvent.OLD_STARTED): UpdateState.FELL_BACK,
    (UpdateState.TRYING, UpdateEvent.HEALTHY): UpdateState.GOOD,
    (UpdateState.TRYING, UpdateEvent.OLD_STARTED): UpdateState.FELL_BACK,
}


class UpdateOutOfOrder(ConfigError):
    """The update is in a state in which this cannot happen."""

    def __init__(self, state: UpdateState, event: UpdateEvent) -> None:
        super().__init__(
            f"an update that is {state.value.replace('_', ' ')} cannot become {event.value}",
            remedy='see "coffer updates show"',
        )
