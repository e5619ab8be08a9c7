"""How long a decision takes at a node with many datasets and grants, by the clock and in CPU time.

Each round a contract comes for the next dataset: its policy is found, the uses of its grants are
counted, and the decision is made. Policies are held as they were read.
"""

import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from appliance.identity.node_id import NodeId
from appliance.policies.decide import Allowed, decide
from appliance.policies.facts import ContractPeer, Request, Spent, Standing
from appliance.policies.policy import Policy
from appliance.policies.values import POLICY_TYPE
from bench.asked import Asked
from bench.bars import Bar
from services.demand import ColumnDemand, ColumnUse, Demand
from services.service import Adversary

DATASETS: Final = 1000
GRANTS: Final = 10_000
COLUMNS: Final = 100
PEERS: Final = 20
DECISIONS: Final = 20_000
MOST_P99_MILLISECONDS: Final = 2.0
_NOW: Final = 1_803_945_600_000
_END: Final = datetime(2028, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a peer was once allowed of a dataset, as far as counting goes."""

    dataset: str
    uses: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What each decision took, in milliseconds; on a busy machine the clock says more of others."""

    wall: list[float]
    cpu: list[float]


def run(asked: Asked) -> dict[str, Any]:
    """Decide on contracts that are allowed, and on some that are refused for all their columns."""
    policies = {f"dataset{number}": _policy() for number in range(DATASETS)}
    grants = _by_dataset([Grant(f"dataset{n % DATASETS}", n % 3) for n in range(GRANTS)])
    cases = {"allowed": _request(ColumnUse.AGGREGATED), "refused": _request(ColumnUse.LABEL)}
    count = DECISIONS // 10 if asked.is_quick else DECISIONS
    taken = {name: _take(request, policies, grants, count) for name, request in cases.items()}
    lines = [_line(name, taken[name]) for name in cases]
    bars = [
        Bar(
            what=f"{line['decisions']}, {key.replace('_', ' ')}",
            figure=line[key],
            limit=MOST_P99_MILLISECONDS,
        )
        for line in lines
        for key in ("wall_p99_ms", "cpu_p99_ms")
    ]
    return {
        "decisions": lines,
        "bars": [bar.as_dict() for bar in bars],
        "datasets": DATASETS,
        "grants": GRANTS,
        "passed": not any(bar.is_missed for bar in bars),
    }


def _line(name: str, taken: Taken) -> dict[str, Any]:
    return {
        "decisions": name,
        "columns": COLUMNS,
        "wall_p50_ms": round(statistics.median(taken.wall), 3),
        "wall_p99_ms": round(_p99(taken.wall), 3),
        "cpu_p99_ms": round(_p99(taken.cpu), 3),
    }


def _p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def _take(
    request: Request,
    policies: Mapping[str, Policy],
    grants: Mapping[str, Sequence[Grant]],
    count: int,
) -> Taken:
    taken = Taken([], [])
    is_due = request.demand.columns["column0"].uses == {ColumnUse.AGGREGATED}
    for name in itertools.islice(itertools.cycle(policies), count):
        wall, cpu = time.perf_counter(), time.thread_time()
        uses = sum(grant.uses for grant in grants[name])
        standing = Standing(version=1, uses=uses, uses_of_day=0, spent=Spent(), spent_after=Spent())
        found = decide(request, policies[name], standing, _NOW)
        taken.cpu.append(1000 * (time.thread_time() - cpu))
        taken.wall.append(1000 * (time.perf_counter() - wall))
        assert isinstance(found, Allowed) == is_due
    return taken


def _by_dataset(grants: Sequence[Grant]) -> dict[str, list[Grant]]:
    found: dict[str, list[Grant]] = {}
    for grant in grants:
        found.setdefault(grant.dataset, []).append(grant)
    return found


def _node(number: int) -> NodeId:
    return NodeId.from_public_der(str(number).encode())


def _policy() -> Policy:
    peers = [_node(number).text for number in range(PEERS)]
    columns = {f"column{number}": ["aggregated", "compared"] for number in range(COLUMNS)}
    return Policy.model_validate(
        {
            "type": POLICY_TYPE,
            "peers": peers,
            "services": ["psi.sum"],
            "valid_until": _END,
            "uses": GRANTS,
            "budget": {"epsilon": Decimal(1)},
            "columns": columns,
        }
    )


def _request(use: ColumnUse) -> Request:
    column = ColumnDemand(uses=frozenset({use}))
    peer = ContractPeer(rank=1, node=_node(PEERS - 1), name="peer", version="1.0", is_attested=True)
    return Request(
        dataset="dataset",
        rank=0,
        columns=frozenset(f"column{number}" for number in range(COLUMNS)),
        service="psi.sum",
        adversary=Adversary.MALICIOUS,
        peers=(peer,),
        demand=Demand(
            columns={f"column{number}": column for number in range(COLUMNS)},
            smallest_group=10,
            smallest_intersection=10,
            epsilon=Decimal("0.5"),
        ),
        expires_milliseconds=_NOW,
    )
