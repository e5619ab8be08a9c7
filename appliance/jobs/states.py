"""The states of a job, as one node sees it, and all ways from one to another."""

from enum import Enum
from typing import Final

from services.errors import ConfigError


class JobState(Enum):
    """How far a job has come on this node."""

    WAITING_APPROVAL = "waiting_approval"
    WAITING_PEERS = "waiting_peers"
    # Signed by all; nothing runs, so that a restarted agent can still begin, or begin again.
    STARTING = "starting"
    RUNNING = "running"
    # This node has given its verdict; the others' decide.
    SETTLING = "settling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether the state is final."""
        return self in ENDED

    @property
    def is_decided(self) -> bool:
        """Whether this node's verdict has been given."""
        return self.has_ended or self is JobState.SETTLING

    @property
    def phrase(self) -> str:
        """What people read after "the job"."""
        return _PHRASES[self]

    def after(self, event: "JobEvent") -> "JobState":
        """Return the state that follows; IllegalTransition if the event cannot happen now."""
        following = TRANSITIONS.get((self, event))
        if following is None:
            raise IllegalTransition(self, event)
        return following


_PHRASES: Final = {
    JobState.WAITING_APPROVAL: "waits for your approval",
    JobState.WAITING_PEERS: "waits for the other parties' approval",
    JobState.STARTING: "is about to start",
    JobState.RUNNING: "is under way",
    JobState.SETTLING: "is done here and waits to hear of the others",
    JobState.SUCCEEDED: "has succeeded",
    JobState.FAILED: "has failed",
    JobState.REJECTED: "was rejected",
    JobState.CANCELLED: "was cancelled",
}


class JobEvent(Enum):
    """What can happen to a job."""

    APPROVED = "approved"
    ALL_SIGNED = "all signed"
    BEGUN = "begun"
    ATTEMPT_LOST = "attempt lost"
    VERDICT_GIVEN = "verdict given"
    ALL_SUCCEEDED = "all succeeded"
    ONE_FAILED = "one failed"
    ONE_REJECTED = "one rejected"
    ONE_CANCELLED = "one cancelled"


# (state, event) -> next state. Anything absent is refused with IllegalTransition.
TRANSITIONS: Final = {
    (JobState.WAITING_APPROVAL, JobEvent.APPROVED): JobState.WAITING_PEERS,
    (JobState.WAITING_PEERS, JobEvent.ALL_SIGNED): JobState.STARTING,
    (JobState.STARTING, JobEvent.BEGUN): JobState.RUNNING,
    (JobState.RUNNING, JobEvent.ATTEMPT_LOST): JobState.STARTING,
    (JobState.WAITING_APPROVAL, JobEvent.VERDICT_GIVEN): JobState.SETTLING,
    (JobState.WAITING_PEERS, JobEvent.VERDICT_GIVEN): JobState.SETTLING,
    (JobState.STARTING, JobEvent.VERDICT_GIVEN): JobState.SETTLING,
    (JobState.RUNNING, JobEvent.VERDICT_GIVEN): JobState.SETTLING,
    (JobState.SETTLING, JobEvent.ALL_SUCCEEDED): JobState.SUCCEEDED,
    (JobState.SETTLING, JobEvent.ONE_FAILED): JobState.FAILED,
    (JobState.SETTLING, JobEvent.ONE_REJECTED): JobState.REJECTED,
    (JobState.SETTLING, JobEvent.ONE_CANCELLED): JobState.CANCELLED,
}

OUTCOMES: Final = {
    JobEvent.ALL_SUCCEEDED: "every party has its part; the results are released",
    JobEvent.ONE_FAILED: "the job has failed; no results are kept",
    JobEvent.ONE_REJECTED: "the job was rejected",
    JobEvent.ONE_CANCELLED: "the job was cancelled; no results are kept",
}
"""What people read of each end."""

ENDED: Final = frozenset(
    {JobState.SUCCEEDED, JobState.FAILED, JobState.REJECTED, JobState.CANCELLED}
)


class IllegalTransition(ConfigError):
    """The job is in a state in which this cannot be done."""

    def __init__(self, state: JobState, event: JobEvent) -> None:
        super().__init__(
            f"the job {state.phrase}: {_IMPOSSIBLE.get(event, event.value)}",
            remedy='see why: "coffer jobs show JOB"'
            if state.has_ended
            else 'follow it: "coffer jobs watch JOB"',
        )


_IMPOSSIBLE: Final = {
    JobEvent.APPROVED: "it cannot be approved or rejected",
    JobEvent.VERDICT_GIVEN: "it cannot be cancelled any more",
}
