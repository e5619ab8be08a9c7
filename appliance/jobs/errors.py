"""What a person may ask of a job that cannot be done."""

from collections.abc import Iterator
from contextlib import contextmanager

from appliance.accounts.roles import Power, holders
from appliance.contracts.errors import ParametersInvalid, ServiceUnknown, ServiceVersionDiffers
from appliance.governance.errors import GrantMissing, PolicyRefuses
from appliance.grants.errors import GrantRefused
from appliance.jobs.reasons import Reason
from services.errors import ConfigError


class JobNotFound(ConfigError):
    """No job has that id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id}", remedy='see "coffer jobs list"')


class JobAmbiguous(ConfigError):
    """The beginning of an id fits more than one job."""

    def __init__(self, beginning: str) -> None:
        super().__init__(
            f"more than one job begins with {beginning}", remedy="give more letters of the id"
        )


class DigestDiffers(ConfigError):
    """The approver read another contract than the one that waits under this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"the contract of job {job_id} is not the one that was read",
            remedy=f'read it again: "coffer jobs show {job_id}"',
        )


class ApprovedBefore(ConfigError):
    """Somebody approves a job for the second time."""

    def __init__(self, job_id: str, name: str, missing: int) -> None:
        super().__init__(
            f"{name} has approved job {job_id} before, and each person counts once",
            remedy=f"have {missing} more approve it, each by an account of their own",
        )


class ContractExpired(ConfigError):
    """The contract could be signed until a time that has passed."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"the contract of job {job_id} has expired", remedy="ask its proposer to submit it anew"
        )


class NoResult(ConfigError):
    """The job has no result on this node."""


class SubmissionInvalid(ConfigError):
    """What was submitted makes no contract."""


class NoteInvalid(ConfigError):
    """The words with which a job is rejected cannot be sent."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"a reason is one line of at most {most} characters", remedy="say it in fewer words"
        )


class RejectionNotYours(ConfigError):
    """What a peer proposes is rejected by whoever may approve it."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"the job {job_id} is a peer's proposal, and waits for those who may approve it",
            remedy=f"ask a {' or a '.join(holders(Power.APPROVE_JOBS))} to reject it",
        )


class Unfit(ConfigError):
    """The contract cannot be signed here; reason and note are all that the other parties are told.

    note: a word that says more of the reason.
    """

    def __init__(self, reason: Reason, what: str, *, remedy: str = "", note: str = "") -> None:
        super().__init__(what, remedy=remedy or reason.remedy)
        self.reason = reason
        self.note = note


@contextmanager
def as_unfit() -> Iterator[None]:
    """Turn what the governor refuses, or a service that is not there, into what a job ends with."""
    try:
        yield
    except PolicyRefuses as refused:
        raise unfit_of(refused) from refused
    except (GrantMissing, GrantRefused) as error:
        raise Unfit(Reason.GRANT, error.what, remedy=error.remedy) from error
    except ServiceUnknown as error:
        raise Unfit(Reason.SERVICE_UNKNOWN, error.what, remedy=error.remedy) from error
    except ServiceVersionDiffers as error:
        raise Unfit(Reason.SERVICE_VERSION, error.what, remedy=error.remedy) from error
    except ParametersInvalid as error:
        raise Unfit(Reason.TERMS, error.what, remedy=error.remedy) from error


def unfit_of(refused: PolicyRefuses) -> Unfit:
    """Return what a job ends with that our policy refuses; the others hear of the rule alone."""
    rule = refused.rule.value
    return Unfit(Reason.POLICY, refused.what, remedy=refused.remedy, note=rule)
