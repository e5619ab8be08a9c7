"""What is judged by a policy: what a contract asks, and what was used before."""

from dataclasses import dataclass
from decimal import Decimal

from appliance.identity.node_id import NodeId
from appliance.policies.policy import SHOWN
from services.demand import Demand
from services.service import Adversary


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractPeer:
    """A party other than us; ``name`` is ours for it, ``version`` what it says of itself."""

    rank: int
    node: NodeId
    name: str
    version: str
    is_attested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a contract asks of one dataset of ours.

    rank:      ours in the contract.
    columns:   those that the dataset has.
    adversary: against whom the run is safe, by its terms.
    peers:     all parties but us.
    demand:    what the service says that the contract makes of the dataset.
    expires_milliseconds: until when the contract may begin; once it has begun, when it did.
    """

    dataset: str
    rank: int
    columns: frozenset[str]
    service: str
    adversary: Adversary
    peers: tuple[ContractPeer, ...]
    demand: Demand
    expires_milliseconds: int

    @property
    def tells_exactly(self) -> bool:
        """Whether the others are told something exactly, or given rows."""
        gives_values = any(
            asked.shown_to or not SHOWN.isdisjoint(asked.uses)
            for asked in self.demand.columns.values()
        )
        return gives_values or self.demand.largest_result > 0 or bool(self.demand.told_exactly)

    @property
    def tells(self) -> bool:
        """Whether the others learn anything of the rows, with noise or without."""
        figures = (self.demand.epsilon, self.demand.smallest_group)
        return self.tells_exactly or any(figure is not None for figure in figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """How much of a privacy budget is spent."""

    epsilon: Decimal = Decimal(0)
    delta: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was made of the dataset before this contract: all that is counted apart from it.

    A job that has begun is judged anew, when its owner changes the policy, by what was counted
    before it, so that its own use is not counted twice and a later job never costs it its place.

    version:     the number of the policy's version, which the decision names.
    uses:        those counted before this one.
    uses_of_day: those of them on the day, in UTC, on which this one is counted.
    spent:       of the privacy budget, before this one.
    spent_after: with this one, composed by the caller's accountant.
    """

    version: int
    uses: int
    uses_of_day: int
    spent: Spent
    spent_after: Spent
