"""A policy, a contract that it allows to the last row, and what was used of the dataset before."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from appliance.identity.node_id import NodeId
from appliance.policies.decide import Allowed, Refused, decide
from appliance.policies.facts import ContractPeer, Request, Spent, Standing
from appliance.policies.policy import Policy
from appliance.policies.rules import Rule
from appliance.policies.values import POLICY_TYPE
from services.demand import ColumnDemand, ColumnUse, Demand
from services.service import Adversary
from tests.repository import tree

BEGIN = datetime(2027, 3, 1, tzinfo=UTC)
END = datetime(2027, 4, 1, tzinfo=UTC)
PAGE = tree.ROOT / "appliance/policies/README.md"
DAY = 24 * 3600 * 1000
OURS, SHOP_RANK, CLINIC_RANK = 0, 1, 2


def examples_of_the_page() -> list[str]:
    """Return the policies that the owners' page shows."""
    return re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def node_of(name: str) -> NodeId:
    return NodeId.from_public_der(name.encode())


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


NOW = milliseconds(BEGIN) + DAY


def peer(rank: int, name: str) -> ContractPeer:
    return ContractPeer(rank=rank, node=node_of(name), name=name, version="0.3.0", is_attested=True)


SHOP, CLINIC = peer(SHOP_RANK, "shop"), peer(CLINIC_RANK, "clinic")
SHOP_ID, CLINIC_ID = SHOP.node.text, CLINIC.node.text


def refused(found: Allowed | Refused) -> list[Rule]:
    """Return the rules that refuse; none if the contract is allowed."""
    return [refusal.rule for refusal in found.refusals] if isinstance(found, Refused) else []


def policy(**changes: Any) -> Policy:
    """Return a policy with these keys changed; budget and security as tables."""
    said = {
        "type": POLICY_TYPE,
        "peers": [SHOP_ID, CLINIC_ID],
        "services": ["psi.intersect", "psi.sum"],
        "valid_from": BEGIN,
        "valid_until": END,
        "uses": 3,
        "uses_per_day": 2,
        "smallest_group": 5,
        "smallest_intersection": 6,
        "largest_result": 100,
        "security": {"attested_peers": True, "smallest_version": "0.3"},
        "columns": {
            "id": "join-key",
            "balance": "aggregated",
            "name": {"uses": "join-payload", "receivers": [SHOP_ID]},
            "diagnosis": "never",
        },
    }
    return Policy.model_validate(said | changes)


def asked(*uses: ColumnUse, shown_to: set[int] | None = None) -> ColumnDemand:
    return ColumnDemand(uses=frozenset(uses), shown_to=frozenset(shown_to or ()))


DEMAND = Demand(
    columns={
        "id": asked(ColumnUse.JOIN_KEY),
        "balance": asked(ColumnUse.AGGREGATED),
        "name": asked(ColumnUse.JOIN_PAYLOAD, shown_to={SHOP_RANK}),
    },
    smallest_group=5,
    smallest_intersection=6,
    largest_result=100,
    told_exactly=("which keys match",),
)
NOISY = Demand(columns={"id": asked(ColumnUse.JOIN_KEY)}, epsilon=Decimal("0.5"))
NOISY = replace(NOISY, smallest_intersection=6, smallest_group=5)
SILENT = Demand(columns={"id": asked(ColumnUse.JOIN_KEY)})
BUDGET = {"epsilon": Decimal(1), "delta": Decimal("0.000001")}

REQUEST = Request(
    dataset="patients",
    rank=OURS,
    columns=frozenset({"id", "balance", "name", "diagnosis"}),
    service="psi.sum",
    adversary=Adversary.MALICIOUS,
    peers=(SHOP, CLINIC),
    demand=DEMAND,
    expires_milliseconds=NOW + DAY,
)


def standing(uses: int = 0, uses_of_day: int = 0, **spent_after: Decimal) -> Standing:
    return Standing(
        version=7,
        uses=uses,
        uses_of_day=uses_of_day,
        spent=Spent(),
        spent_after=Spent(**spent_after),
    )


NOTHING_BEFORE = standing()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A contract, the policy it is judged by, and what was used before."""

    policy: Policy
    request: Request
    standing: Standing
    now: int

    def decided(self) -> Allowed | Refused:
        return decide(self.request, self.policy, self.standing, self.now)


def case(
    says: dict[str, Any] | None = None,
    before: Standing = NOTHING_BEFORE,
    now: int = NOW,
    **asks: Any,
) -> Case:
    """Return what is allowed, with these changes of the policy (``says``) and of the contract."""
    request = replace(REQUEST, **asks)
    return Case(policy=policy(**says or {}), request=request, standing=before, now=now)


def demand(of: Demand = DEMAND, **changes: Any) -> Demand:
    return replace(of, **changes)


def column(
    name: str, *uses: ColumnUse, shown_to: set[int] | None = None, of: Demand = DEMAND
) -> Demand:
    """Return what is asked, with a column more, or one that is used otherwise."""
    return replace(of, columns={**of.columns, name: asked(*uses, shown_to=shown_to)})
