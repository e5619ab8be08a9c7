"""Each party's one and last word on a job, and what all of them together decide.

A verdict counts at a node once the node knows what it presupposes. That all have signed divides
them: before, nothing can have run, and honest parties are first to give REJECTED only where a
signature will for ever be missing; after, nobody may reject any more. So honest FAILED and REJECTED
never meet, either ends a job at once, and a liar cannot make of a run a job that never ran, nor the
reverse. How each verdict counts is a pure function of what parties have signed and said.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import rfc8785

from appliance.jobs.reasons import Reason
from appliance.jobs.states import JobEvent


class Verdict(Enum):
    """How a job ended for one party."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


# The verdicts that end a job for all, the weightiest first.
ENDING: Final = (Verdict.FAILED, Verdict.REJECTED, Verdict.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenVerdict:
    """One party's verdict. ``reason`` is a Reason's word, or one of another version's."""

    rank: int
    verdict: Verdict
    reason: str
    note: str = ""

    @property
    def is_followed(self) -> bool:
        """Whether it only passes on another party's."""
        return self.reason == Reason.FOLLOWED.word


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where one party stands, as far as a node knows: whether it has signed, and its verdict."""

    rank: int
    is_proposer: bool
    has_signed: bool
    given: GivenVerdict | None = None

    @property
    def is_silenced(self) -> bool:
        """Whether its verdict stands for words that never come, since it was unpaired."""
        return (
            self.given is not None
            and self.given.verdict is Verdict.CANCELLED
            and self.given.reason == Reason.UNPAIRED.word
        )

    @property
    def withholds(self) -> bool:
        """Whether its word makes sure that not all sign.

        It has not signed and will not any more; or it is the proposer and rejects, for a party may
        have refused to it alone.
        """
        if self.given is None:
            return False
        return not self.has_signed or (self.is_proposer and self.given.verdict is Verdict.REJECTED)


def counted(positions: Sequence[Position]) -> tuple[GivenVerdict, ...]:
    """Return the verdicts that count, as they count; others may once more is known.

    FAILED and SUCCEEDED count once all have signed, for before nothing ran. A rejection counts if
    some party withholds its signature; by one of parties who all have signed, it is its failure.
    """
    all_signed = all(one.has_signed for one in positions)
    may_have_run = all(one.has_signed or one.is_silenced for one in positions)
    is_withheld = any(one.withholds for one in positions)
    verdicts = []
    for given in [one.given for one in positions if one.given is not None]:
        if given.verdict is not Verdict.REJECTED:
            if may_have_run or given.verdict is Verdict.CANCELLED:
                verdicts.append(given)
        elif all_signed:
            verdicts.append(_as_fault(replace(given, verdict=Verdict.FAILED)))
        elif is_withheld:
            verdicts.append(given)
    return tuple(verdicts)


def settle(positions: Sequence[Position]) -> JobEvent | None:
    """Return what is decided by what is known so far, None if that takes more."""
    verdicts = [given.verdict for given in counted(positions)]
    if Verdict.FAILED in verdicts:
        return JobEvent.ONE_FAILED
    if Verdict.REJECTED in verdicts:
        return JobEvent.ONE_REJECTED
    if any(one.given is None for one in positions):
        return None
    is_success = verdicts == [Verdict.SUCCEEDED] * len(positions)
    return JobEvent.ALL_SUCCEEDED if is_success else JobEvent.ONE_CANCELLED


def followed(positions: Sequence[Position]) -> Verdict | None:
    """Return the verdict to give on hearing of others', None if there is no need to give one.

    It is passed on as it counts, so that all parties end alike even if its author falls silent.
    """
    given = {one.verdict for one in counted(positions)}
    return next((verdict for verdict in ENDING if verdict in given), None)


def explained(positions: Sequence[Position], own: int) -> tuple[GivenVerdict, ...]:
    """Return the verdicts that count, with who says that it followed another and followed none.

    That is known once all have spoken; ``own`` is this node's rank, which does follow another.
    """
    verdicts = counted(positions)
    causes = {given.verdict for given in verdicts if not given.is_followed}
    if any(one.given is None for one in positions):
        return verdicts
    return tuple(
        _as_fault(given)
        if given.is_followed and given.rank != own and given.verdict not in causes
        else given
        for given in verdicts
    )


def decisive(positions: Sequence[Position], own: int) -> GivenVerdict | None:
    """Return the verdict that explains a job's end; None if there is none but success.

    A lost connection explains least: whoever lost it may not know that the other side failed.
    """
    ending = [given for given in explained(positions, own) if given.verdict in ENDING]
    return min(
        ending,
        key=lambda given: (
            ENDING.index(given.verdict),
            given.is_followed,
            given.reason == Reason.PEER_LOST.word,
            given.rank,
        ),
        default=None,
    )


def record_of(digest: str, verdicts: Iterable[GivenVerdict]) -> str:
    """Return the SHA-256 over a contract's digest and all parties' verdicts, hexadecimal."""
    ordered = sorted(verdicts, key=lambda given: given.rank)
    listed = [[given.rank, given.verdict.value, given.reason] for given in ordered]
    return hashlib.sha256(rfc8785.dumps({"contract": digest, "verdicts": listed})).hexdigest()


def _as_fault(given: GivenVerdict) -> GivenVerdict:
    return replace(given, reason=Reason.BAD_VERDICT.word, note="")
