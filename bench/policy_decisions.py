"""How long the governor takes to judge a contract, at a node with many datasets and grants.

Each round a contract comes for the next dataset: its policy is looked up, the uses that jobs have
taken of it are counted, the grants for several jobs are looked through, and the decision is made,
all of it from the database, in a transaction of its own as when a proposal comes. The first
contract for a dataset after the agent's start has its policy's text read, once; it is told apart.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from appliance.contracts.contract import (
    Contract,
    ContractColumn,
    ContractDataset,
    ContractParty,
    Limits,
    ServiceRef,
    make_job_id,
)
from appliance.governance.errors import PolicyRefuses
from appliance.governance.governor import Governor
from appliance.grants.grant import Grant, GrantedColumn, make_grant_id, write_grant
from appliance.grants.store import GrantRow, GrantUseRow
from appliance.identity.keys import FileKey
from appliance.identity.node_id import NodeId
from appliance.ledger.ledger import Ledger
from appliance.policies.policy import Policy, digest_of
from appliance.policies.store import PolicyRow
from appliance.policies.values import POLICY_TYPE
from appliance.policies.writing import write_policy
from appliance.store.database import Store
from bench.asked import Asked
from bench.bars import Bar
from services.demand import ColumnDemand, ColumnUse, Demand
from services.registry import SERVICES
from services.service import Service, Terms

DATASETS: Final = 1000
GRANTS: Final = 10_000
COLUMNS: Final = 100
PEERS: Final = 20
DECISIONS: Final = 20_000
MOST_P99_MILLISECONDS: Final = 2.0
_NOW: Final = 1_803_945_600_000
_END: Final = datetime(2028, 1, 1, tzinfo=UTC)
_NAMES: Final = tuple(f"column{number}" for number in range(COLUMNS))
# Of ten grants of a dataset one is for several jobs, and covers something else.
_STANDING: Final = 10


@dataclass(frozen=True, slots=True)
class Taken:
    """What each decision took, in milliseconds; on a busy machine the clock says more of others."""

    wall: list[float]
    cpu: list[float]


def run(asked: Asked) -> dict[str, Any]:
    """Judge contracts that are allowed, and some that are refused for all their columns."""
    count = DECISIONS // 10 if asked.is_quick else DECISIONS
    with tempfile.TemporaryDirectory(prefix="decisions-") as name:
        folder = Path(name)
        key = FileKey.open_or_make(folder, now=_now)
        store = Store.open(folder)
        try:
            asyncio.run(store.run(partial(_fill, key.node_id)))
            first = asyncio.run(_take(store, key, ColumnUse.AGGREGATED, DATASETS))
            taken = {
                word: asyncio.run(_take(store, key, use, count))
                for word, use in (("allowed", ColumnUse.AGGREGATED), ("refused", ColumnUse.LABEL))
            }
        finally:
            store.close()
    lines = [_line(word, times) for word, times in taken.items()]
    bars = [
        Bar(
            what=f"ms to decide, p99, {line['decisions']}",
            figure=line["wall_p99_ms"],
            limit=MOST_P99_MILLISECONDS,
            is_judged=not asked.is_quick,
        )
        for line in lines
    ]
    return {
        "decisions": [*lines, _line("the first of each dataset", first)],
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


async def _take(store: Store, key: FileKey, use: ColumnUse, count: int) -> Taken:
    service = _service(use)
    governor = Governor(
        key=key,
        ledger=Ledger(key, now=_now),
        services={service.name: service},
        names=lambda _: {},
        version_of=lambda _: "1.0",
        now_milliseconds=lambda: _NOW,
    )
    taken = Taken([], [])

    def judge(contract: Contract, session: Session) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            governor.require_allowed(session, contract, 0)
            is_allowed = True
        except PolicyRefuses:
            is_allowed = False
        taken.cpu.append(1000 * (time.thread_time() - cpu))
        taken.wall.append(1000 * (time.perf_counter() - wall))
        assert is_allowed == (use is ColumnUse.AGGREGATED)

    for number in itertools.islice(itertools.cycle(range(DATASETS)), count):
        await store.run(partial(judge, _contract(key.node_id, number, service.name)))
    return taken


def _service(use: ColumnUse) -> Service:
    """Return a service of ours that makes this of every column."""
    demand = Demand(
        columns={name: ColumnDemand(uses=frozenset({use})) for name in _NAMES},
        smallest_group=10,
        smallest_intersection=10,
        epsilon=Decimal("0.001"),
    )

    def asks(terms: Terms, rank: int) -> Demand:
        return demand

    return replace(SERVICES["psi.cardinality"], demand=asks, hardened=lambda _: True)


def _contract(own: NodeId, number: int, service: str) -> Contract:
    dataset = ContractDataset(
        name=f"dataset{number}",
        columns=tuple(ContractColumn(name=name, type="BIGINT") for name in _NAMES),
        key=("column0",),
        normal_form=("trim",),
        row_count=1000,
        fingerprint=f"fingerprint{number}",
    )
    peer = _peer(number % PEERS)
    return Contract(
        id=make_job_id(),
        service=ServiceRef(name=service, version=SERVICES[service].version),
        parameters={},
        parties=(
            ContractParty(node=own.text, name="us", role="sender", dataset=dataset, receives=()),
            ContractParty(
                node=peer.text,
                name="peer",
                role="receiver",
                dataset=dataset.model_copy(update={"name": "theirs"}),
                receives=("cardinality",),
            ),
        ),
        proposer=1,
        created=_NOW,
        expires=_NOW + 3_600_000,
        limits=Limits(),
    )


def _fill(own: NodeId, session: Session) -> None:
    """Lay down policies, grants, and a use of each."""
    policy = Policy.model_validate(
        {
            "type": POLICY_TYPE,
            "peers": [_peer(number).text for number in range(PEERS)],
            "services": ["psi.cardinality"],
            "valid_until": _END,
            "uses": GRANTS,
            "budget": {"epsilon": Decimal(1), "exact_figures": True},
            "columns": {name: ["aggregated", "compared"] for name in _NAMES},
        }
    )
    digest = digest_of(policy)
    for number in range(DATASETS):
        # Each another text, as owners write them: one that was read before is not read again.
        text = write_policy(policy.model_copy(update={"uses": GRANTS + number}))
        session.add(
            PolicyRow(
                dataset=f"dataset{number}",
                version=1,
                text=text,
                digest=digest,
                changed_by="owner",
                changed_milliseconds=_NOW,
            )
        )
    session.flush()
    for number in range(GRANTS):
        grant = _grant(own, number, digest)
        session.add(
            GrantRow(
                id=grant.id,
                grantor=own.text,
                dataset=grant.dataset,
                body=write_grant(grant),
                signature=bytes(70),
                uses=1,
                is_standing=grant.job is None,
                issued_milliseconds=grant.issued,
                expires_milliseconds=grant.expires,
                revoked_milliseconds=None,
            )
        )
        session.flush()
        session.add(
            GrantUseRow(
                job_id=grant.job or make_job_id(),
                grant_id=grant.id,
                taken_milliseconds=_NOW - number,
                began_milliseconds=_NOW,
            )
        )
    session.flush()


def _grant(own: NodeId, number: int, digest: str) -> Grant:
    return Grant(
        id=make_grant_id(),
        grantor=own.text,
        grantees=(_peer(number % PEERS).text,),
        dataset=f"dataset{number % DATASETS}",
        fingerprint=f"fingerprint{number % DATASETS}",
        service="psi.sum",
        columns=tuple(GrantedColumn(name=name, uses=(ColumnUse.AGGREGATED,)) for name in _NAMES),
        uses=1,
        job=None if number // DATASETS % _STANDING == 0 else make_job_id(),
        issued=_NOW,
        expires=_NOW + 3_600_000,
        policy=digest,
    )


def _peer(number: int) -> NodeId:
    return NodeId.from_public_der(str(number).encode())


def _now() -> datetime:
    return datetime.fromtimestamp(_NOW / 1000, UTC)
