"""One decision: a contract, judged by the policy of one dataset of ours and what was used of it.

Pure: it reads no clock and no table. It takes time in proportion to the columns of the contract.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from appliance.policies.facts import Request, Standing
from appliance.policies.policy import SHOWN, ColumnRule, Policy
from appliance.policies.rules import NONE, ROWS, Refusal, Rule, Values
from appliance.policies.values import EPOCH, VERSION, microseconds_of, plain_text
from services.demand import ColumnDemand, ColumnUse
from services.service import Adversary

_LAST_MILLISECOND: Final = 253_402_300_799_999  # of the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The contract may be signed when so many different people approve; if 0, at once."""

    version: int
    approvals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The contract may not be signed; the first refusal is the verdict, all are to be told."""

    version: int
    refusals: tuple[Refusal, ...]

    @property
    def rule(self) -> Rule:
        """The rule that refuses."""
        return self.refusals[0].rule


Decision = Allowed | Refused


def decide(
    request: Request, policy: Policy | None, standing: Standing, now_milliseconds: int
) -> Decision:
    """Judge a contract by every rule; it is allowed if none refuses."""
    of: dict[str, str | int] = {"dataset": request.dataset}
    if policy is None:
        refusal = Refusal(rule=Rule.NO_POLICY, values=of)
        return Refused(version=standing.version, refusals=(refusal,))
    case = _Case(request, policy, standing, now_milliseconds)
    refusals = tuple(
        Refusal(rule=rule, values={**of, **values})
        for rule, check in _CHECKS.items()
        for values in check(case)
    )
    if refusals:
        return Refused(version=standing.version, refusals=refusals)
    return Allowed(version=standing.version, approvals=policy.approvals)


class _Case(NamedTuple):
    request: Request
    policy: Policy
    standing: Standing
    now_milliseconds: int


def _peer(case: _Case) -> Iterator[Values]:
    for peer in case.request.peers:
        if peer.node.text not in case.policy.peers:
            yield {"peer": peer.name}


def _service(case: _Case) -> Iterator[Values]:
    service, allowed = case.request.service, case.policy.services
    if service not in allowed:
        yield {"service": service, "allowed": ", ".join(allowed) or NONE}


def _not_begun(case: _Case) -> Iterator[Values]:
    begin = case.policy.valid_from
    if begin is not None and case.now_milliseconds * 1000 < microseconds_of(begin):
        yield {"from": begin.isoformat()}


def _no_end(case: _Case) -> Iterator[Values]:
    if case.policy.valid_until is None:
        yield {}


def _ended(case: _Case) -> Iterator[Values]:
    end = case.policy.valid_until
    if end is not None and case.now_milliseconds * 1000 >= microseconds_of(end):
        yield {"until": end.isoformat()}


def _expiry(case: _Case) -> Iterator[Values]:
    end, expires = case.policy.valid_until, case.request.expires_milliseconds
    if end is not None and expires * 1000 > microseconds_of(end):
        yield {"expires": _moment_text(expires), "until": end.isoformat()}


def _adversary(case: _Case) -> Iterator[Values]:
    is_asked = case.policy.security.adversary is Adversary.MALICIOUS
    if is_asked and case.request.adversary is not Adversary.MALICIOUS:
        yield {"service": case.request.service}


def _attestation(case: _Case) -> Iterator[Values]:
    if case.policy.security.attested_peers:
        for peer in case.request.peers:
            if not peer.is_attested:
                yield {"peer": peer.name}


def _version(case: _Case) -> Iterator[Values]:
    smallest = case.policy.security.smallest_version
    if smallest is not None:
        for peer in case.request.peers:
            if not _is_as_new(peer.version, smallest):
                yield {"peer": peer.name, "version": peer.version, "smallest": smallest}


def _no_column(case: _Case) -> Iterator[Values]:
    for name in case.request.demand.columns:
        if name not in case.request.columns:
            yield {"column": name}


def _column(case: _Case) -> Iterator[Values]:
    for name in case.request.demand.columns:
        if name not in case.policy.columns or not case.policy.columns[name].uses:
            yield {"column": name}


def _use(case: _Case) -> Iterator[Values]:
    peers = [peer.node.text for peer in case.request.peers]
    for name, asked, column in _usable(case):
        if not asked.uses <= (allowed := column.uses_among(peers)):
            words = ", ".join(_words(allowed))
            for word in _words(asked.uses - allowed):
                yield {"column": name, "use": word, "allowed": words}


def _receiver(case: _Case) -> Iterator[Values]:
    peers = {peer.rank: peer for peer in case.request.peers}
    for name, asked, column in _usable(case):
        if not asked.shown_to and SHOWN.isdisjoint(asked.uses):
            continue
        # Who is not named may be any of them.
        for rank in sorted((asked.shown_to or {*peers}) - {case.request.rank}):
            if rank not in peers:
                yield {"column": name, "peer": f"party {rank}"}
            elif peers[rank].node.text not in column.receivers:
                yield {"column": name, "peer": peers[rank].name}


def _group(case: _Case) -> Iterator[Values]:
    asked, smallest = case.request.demand.smallest_group, case.policy.smallest_group
    if asked is not None and asked < smallest:
        yield {"asked": asked, "smallest": smallest}


def _intersection(case: _Case) -> Iterator[Values]:
    asked, smallest = case.request.demand.smallest_intersection, case.policy.smallest_intersection
    if case.request.tells and asked < smallest:
        yield {"asked": asked, "smallest": smallest}


def _result(case: _Case) -> Iterator[Values]:
    asked, most = case.request.demand.largest_result, case.policy.largest_result
    if asked > most:
        yield {"asked": asked, "most": most}


def _noise(case: _Case) -> Iterator[Values]:
    demand = case.request.demand
    if case.policy.budget is not None and demand.epsilon is None and case.request.tells:
        yield {}


def _exact(case: _Case) -> Iterator[Values]:
    budget, demand = case.policy.budget, case.request.demand
    if budget is None or budget.exact_figures or demand.epsilon is None:
        return
    if case.request.tells_exactly:
        yield {"told": "; ".join(demand.told_exactly) or ROWS}


def _epsilon(case: _Case) -> Iterator[Values]:
    budget, standing = case.policy.budget, case.standing
    if budget is not None and case.request.demand.epsilon is not None:
        yield from _overspent(standing.spent.epsilon, standing.spent_after.epsilon, budget.epsilon)


def _delta(case: _Case) -> Iterator[Values]:
    budget, standing = case.policy.budget, case.standing
    if budget is not None and case.request.demand.epsilon is not None:
        yield from _overspent(standing.spent.delta, standing.spent_after.delta, budget.delta)


def _overspent(spent: Decimal, after: Decimal, most: Decimal) -> Iterator[Values]:
    if after > most:  # exact to the last digit, whatever the context's precision
        yield {"spent": plain_text(spent), "after": plain_text(after), "most": plain_text(most)}


def _uses(case: _Case) -> Iterator[Values]:
    count, most = case.standing.uses, case.policy.uses
    if count >= most:
        yield {"count": count, "most": most}


def _uses_per_day(case: _Case) -> Iterator[Values]:
    count, most = case.standing.uses_of_day, case.policy.uses_per_day
    if most is not None and count >= most:
        yield {"count": count, "most": most}


_CHECKS: Final[Mapping[Rule, Callable[[_Case], Iterator[Values]]]] = {
    Rule.PEER: _peer,
    Rule.SERVICE: _service,
    Rule.NOT_BEGUN: _not_begun,
    Rule.NO_END: _no_end,
    Rule.ENDED: _ended,
    Rule.EXPIRY: _expiry,
    Rule.ADVERSARY: _adversary,
    Rule.ATTESTATION: _attestation,
    Rule.VERSION: _version,
    Rule.NO_COLUMN: _no_column,
    Rule.COLUMN: _column,
    Rule.USE: _use,
    Rule.RECEIVER: _receiver,
    Rule.GROUP: _group,
    Rule.INTERSECTION: _intersection,
    Rule.RESULT: _result,
    Rule.NOISE: _noise,
    Rule.EXACT: _exact,
    Rule.EPSILON: _epsilon,
    Rule.DELTA: _delta,
    Rule.USES: _uses,
    Rule.USES_PER_DAY: _uses_per_day,
}


@lru_cache(maxsize=256)  # all sets of eight uses
def _words(uses: frozenset[ColumnUse]) -> tuple[str, ...]:
    return tuple(sorted(use.value for use in uses))


def _usable(case: _Case) -> Iterator[tuple[str, ColumnDemand, ColumnRule]]:
    """Yield the columns that are asked for and may be used at all."""
    for name, asked in case.request.demand.columns.items():
        column = case.policy.columns.get(name)
        if column is not None and column.uses:
            yield name, asked, column


def _is_as_new(version: str, smallest: str) -> bool:
    """Whether a version is that one or a later one; what is no version of ours is not."""
    return bool(re.fullmatch(VERSION, version)) and _numbers(version) >= _numbers(smallest)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _moment_text(milliseconds: int) -> str:
    """Return a time that a peer chose, which may lie beyond what calendars have."""
    return (EPOCH + timedelta(milliseconds=min(milliseconds, _LAST_MILLISECOND))).isoformat()
