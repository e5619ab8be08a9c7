"""What a policy's owner should look at again before it holds: what is legal, and has no effect."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from appliance.policies.errors import DID_YOU_MEAN, find_near, quoted
from appliance.policies.policy import SHOWN, Policy
from appliance.policies.rules import Sentence
from appliance.policies.values import microseconds_of
from services.demand import ColumnUse
from services.service import Service


class Doubt(Enum):
    """What may be wrong with a policy, in the order in which it is told.

    ALLOWS_NOTHING:  something is not said without which every contract is refused.
    ENDED:           valid_until is past.
    UNKNOWN_SERVICE: this node does not have a service.
    UNKNOWN_COLUMN:  the dataset does not have a column.
    UNUSED_USE:      no allowed service uses columns so.
    NO_ROWS:         a column may be shown, and no row may be.
    NO_NOISE:        there is a budget, and a service can have no noise, so it is always refused.
    """

    ALLOWS_NOTHING = "allows-nothing"
    ENDED = "ended"
    UNKNOWN_SERVICE = "unknown-service"
    UNKNOWN_COLUMN = "unknown-column"
    UNUSED_USE = "unused-use"
    NO_ROWS = "no-rows"
    NO_NOISE = "no-noise"


_LEAVE_OUT: Final = "take it out of the policy"

SENTENCES: Final[Mapping[Doubt, Sentence]] = {
    Doubt.ALLOWS_NOTHING: Sentence("nothing is allowed, as %(key)s is not said", "say %(key)s"),
    Doubt.ENDED: Sentence("the policy has ended already, at %(until)s", "change valid_until"),
    Doubt.UNKNOWN_SERVICE: Sentence("this node has no service %(service)s", _LEAVE_OUT),
    Doubt.UNKNOWN_COLUMN: Sentence("the dataset has no column %(column)s", _LEAVE_OUT),
    Doubt.UNUSED_USE: Sentence(
        "no service that is allowed uses a column as %(use)s, as column %(column)s may be",
        "allow a service that does, or take the use away",
    ),
    Doubt.NO_ROWS: Sentence(
        "column %(column)s may be shown row by row, and largest_result is 0",
        "raise largest_result, or take the use away",
    ),
    Doubt.NO_NOISE: Sentence(
        "%(service)s can have no noise, so the budget refuses it always",
        "take the service away, or the budget",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """Something that an owner may not have meant; templates and values, as of a refusal.

    A value ``near`` is what may have been meant: then that is the remedy.
    """

    doubt: Doubt
    values: Mapping[str, str]

    def __str__(self) -> str:
        return SENTENCES[self.doubt].template % self.values

    @property
    def remedy(self) -> str:
        """What may be done about it."""
        is_near = "near" in self.values
        return (DID_YOU_MEAN if is_near else SENTENCES[self.doubt].remedy) % self.values


def review(
    policy: Policy,
    columns: Collection[str],
    services: Mapping[str, Service],
    now_milliseconds: int,
) -> tuple[Caution, ...]:
    """Return what its owner should look at; ``columns`` are the dataset's, services this node's."""
    known = {name: services[name] for name in policy.services if name in services}
    return (
        *_unsaid(policy),
        *_ended(policy, now_milliseconds),
        *_unknown(Doubt.UNKNOWN_SERVICE, "service", policy.services, services),
        *_unknown(Doubt.UNKNOWN_COLUMN, "column", policy.columns, columns),
        *_unused_uses(policy, known),
        *_no_rows(policy),
        *_no_noise(policy, known),
    )


def _unsaid(policy: Policy) -> Iterator[Caution]:
    said = {
        "peers": policy.peers,
        "services": policy.services,
        "valid_until": policy.valid_until,
        "uses": policy.uses,
        "columns": any(rule.uses for rule in policy.columns.values()),
    }
    for key, value in said.items():
        if not value:
            yield Caution(doubt=Doubt.ALLOWS_NOTHING, values={"key": key})


def _ended(policy: Policy, now_milliseconds: int) -> Iterator[Caution]:
    end = policy.valid_until
    if end is not None and now_milliseconds * 1000 >= microseconds_of(end):
        yield Caution(doubt=Doubt.ENDED, values={"until": end.isoformat()})


def _unknown(
    doubt: Doubt, what: str, names: Iterable[str], known: Collection[str]
) -> Iterator[Caution]:
    for name in names:
        if name not in known:
            near = find_near(name, known)
            meant = {} if near is None else {"near": near}
            yield Caution(doubt=doubt, values={what: quoted(name), **meant})


def _unused_uses(policy: Policy, known: Mapping[str, Service]) -> Iterator[Caution]:
    """Yield the uses that are of no avail, themselves or by what they imply."""
    if not known:
        return
    made = frozenset[ColumnUse]().union(*(service.uses for service in known.values()))
    for name, rule in policy.columns.items():
        for use in rule.uses:
            if use.implied.isdisjoint(made):
                values = {"use": use.value, "column": quoted(name)}
                yield Caution(doubt=Doubt.UNUSED_USE, values=values)


def _no_rows(policy: Policy) -> Iterator[Caution]:
    for name, rule in policy.columns.items():
        if not policy.largest_result and not SHOWN.isdisjoint(rule.uses):
            yield Caution(doubt=Doubt.NO_ROWS, values={"column": quoted(name)})


def _no_noise(policy: Policy, known: Mapping[str, Service]) -> Iterator[Caution]:
    for name, service in known.items():
        if policy.budget is not None and not service.can_have_noise:
            yield Caution(doubt=Doubt.NO_NOISE, values={"service": name})
