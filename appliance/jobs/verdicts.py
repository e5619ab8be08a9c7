"""Each party's one and last word on a job, and what all of them together decide.

Honest parties are first to give FAILED only after everybody has signed, and to give REJECTED only
where a signature will for ever be missing: the two never meet, so that either ends a job at once,
and alike on all nodes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import rfc8785

from appliance.jobs.states import JobEvent


class Verdict(Enum):
    """How a job ended for one party."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenVerdict:
    """One party's verdict. ``reason`` is a Reason's word, or one of another version's."""

    rank: int
    verdict: Verdict
    reason: str
    note: str = ""


def settle(verdicts: Mapping[int, Verdict], party_count: int) -> JobEvent | None:
    """Return what the verdicts known so far decide, None if that takes more of them."""
    given = set(verdicts.values())
    if Verdict.FAILED in given:
        return JobEvent.ONE_FAILED
    if Verdict.REJECTED in given:
        return JobEvent.ONE_REJECTED
    if len(verdicts) < party_count:
        return None
    return JobEvent.ONE_CANCELLED if Verdict.CANCELLED in given else JobEvent.ALL_SUCCEEDED


def followed(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return the verdict to give on hearing of others', None if there is no need to give one.

    It is passed on as it came, so that all parties end alike even if its author falls silent.
    """
    given = set(verdicts)
    for verdict in (Verdict.FAILED, Verdict.REJECTED, Verdict.CANCELLED):
        if verdict in given:
            return verdict
    return None


def record_of(digest: str, verdicts: Iterable[GivenVerdict]) -> str:
    """Return the SHA-256 over a contract's digest and all parties' verdicts, hexadecimal."""
    ordered = sorted(verdicts, key=lambda given: given.rank)
    listed = [[given.rank, given.verdict.value, given.reason] for given in ordered]
    return hashlib.sha256(rfc8785.dumps({"contract": digest, "verdicts": listed})).hexdigest()


def decisive(verdicts: Sequence[GivenVerdict]) -> GivenVerdict | None:
    """Return the verdict that explains a job's end; None if there is none but success."""
    weight = {Verdict.FAILED: 0, Verdict.REJECTED: 1, Verdict.CANCELLED: 2}
    ranked = sorted(
        (weight[given.verdict], given.reason == "followed", given.rank)
        for given in verdicts
        if given.verdict in weight
    )
    chosen = ranked[0][2] if ranked else None
    return next((given for given in verdicts if given.rank == chosen), None)
