"""The governor: what policies allow is counted where it is used, and nothing begins beyond it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from appliance.contracts.contract import Contract, ServiceRef
from appliance.governance.asked import asked_by, grant_for
from appliance.governance.errors import GrantMissing, PolicyRefuses
from appliance.governance.governor import Governor
from appliance.grants.errors import GrantRefused, GrantRevoked
from appliance.grants.grants import Grants
from appliance.grants.store import GrantRow
from appliance.identity.node_id import NodeId
from appliance.ledger.ledger import Ledger
from appliance.policies import policies
from appliance.policies.rules import Rule
from appliance.store.database import Store
from services.service import Service
from tests.unit.contract_doubles import MemoryKey, contract, dataset
from tests.unit.job_doubles import JOIN

NOW = 1_800_000_000_000
OURS, THEIRS = 0, 1
BASE = """
type = "coffer.policy/1"
peers = ["peer"]
services = ["test.join", "test.noisy"]
valid_until = 2099-01-01T00:00:00Z
uses = 2
smallest_intersection = 0
[security]
adversary = "semi-honest"
[columns]
id = "join-key"
"""
NOISY = replace(
    JOIN,
    name="test.noisy",
    demand=lambda terms, rank: replace(
        JOIN.demand(terms, rank), epsilon=Decimal("0.4"), smallest_group=50
    ),
)
SERVICES: Mapping[str, Service] = {one.name: one for one in (JOIN, NOISY)}


@dataclass
class Node:
    """One node's books; ``now`` is its clock."""

    key: MemoryKey
    store: Store
    now: int = NOW

    @property
    def governor(self) -> Governor:
        return Governor(
            key=self.key,
            ledger=Ledger(self.key, now=lambda: datetime.fromtimestamp(self.now / 1000, UTC)),
            services=SERVICES,
            names=lambda _: {},
            version_of=lambda _: "0.1.0",
            now_milliseconds=lambda: self.now,
        )

    def do(self, work: Callable[..., Any]) -> Any:
        return asyncio.run(self.store.run(work))

    def set_policy(self, text: str, peer: NodeId, *, over: int = 0, name: str = "ours") -> None:
        self.do(
            lambda session: policies.change(
                session, name, text, {"peer": peer}, over=over, by="owner", now_milliseconds=1
            )
        )


@dataclass
class Pair:
    """Two nodes that make contracts with one another."""

    us: Node
    them: Node

    def contract(self, service: str = "test.join", **changes: Any) -> Contract:
        made = contract(
            [self.us.key.node_id, self.them.key.node_id],
            service=ServiceRef(name=service, version=1),
            created=self.us.now,
            expires=self.us.now + 3_600_000,
            **changes,
        )
        ours, theirs = made.parties
        return made.model_copy(
            update={
                "parties": (
                    ours.model_copy(update={"dataset": dataset("ours")}),
                    theirs.model_copy(update={"dataset": dataset("theirs")}),
                )
            }
        )

    def sign_by_both(self, made: Contract) -> None:
        """Have each sign, and take in the other's grant."""
        for node, rank, other in ((self.us, OURS, self.them), (self.them, THEIRS, self.us)):
            grant = node.do(lambda s, n=node, r=rank: n.governor.sign(s, made, r))
            other.do(lambda s, n=node, r=rank, o=other, g=grant: take(s, o, n, made, r, g))


def take(session: Session, at: Node, grantor: Node, made: Contract, rank: int, grant: str) -> None:
    key = grantor.key
    at.governor.take_grant(session, made, rank, key.node_id, key.public_der, grant)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    nodes = []
    for name in ("us", "them"):
        nodes.append(Node(MemoryKey(), Store.open(tmp_path / name)))
    us, them = nodes
    us.set_policy(BASE, them.key.node_id)
    them.set_policy(BASE, us.key.node_id, name="theirs")
    yield Pair(us, them)
    for node in nodes:
        node.store.close()


def refused(node: Node, made: Contract, rank: int = OURS) -> Rule:
    with pytest.raises(PolicyRefuses) as found:
        node.do(lambda session: node.governor.require_allowed(session, made, rank))
    return found.value.rule


def test_without_a_policy_everything_is_refused(pair: Pair) -> None:
    pair.us.set_policy("", pair.them.key.node_id, over=1)
    assert refused(pair.us, pair.contract()) is Rule.NO_POLICY


def test_what_is_allowed_waits_for_as_many_people_as_the_policy_says(pair: Pair) -> None:
    made = pair.contract()
    permit = pair.us.do(lambda s: pair.us.governor.require_allowed(s, made, OURS))
    assert (permit.version, permit.approvals) == (1, 1)

    pair.us.set_policy(f"approvals = 2\n{BASE}", pair.them.key.node_id, over=1)
    permit = pair.us.do(lambda s: pair.us.governor.require_allowed(s, made, OURS))
    assert (permit.version, permit.approvals) == (2, 2)


def test_both_nodes_count_what_both_have_signed_and_begin(pair: Pair) -> None:
    made = pair.contract()
    pair.sign_by_both(made)
    for node, rank in ((pair.us, OURS), (pair.them, THEIRS)):
        for _ in range(2):  # also after a crash
            node.do(lambda s, n=node, r=rank: n.governor.begin(s, made, r))
        node.do(lambda s, n=node: n.governor.give_back(s, made.id))
    pair.sign_by_both(pair.contract())

    assert refused(pair.us, pair.contract()) is Rule.USES
    assert refused(pair.them, pair.contract(), THEIRS) is Rule.USES


def test_of_two_jobs_that_race_for_the_last_use_one_is_signed(pair: Pair) -> None:
    pair.sign_by_both(pair.contract())
    first, second = pair.contract(), pair.contract()
    for made in (first, second):
        pair.us.do(lambda s, made=made: pair.us.governor.require_allowed(s, made, OURS))
    pair.us.do(lambda s: pair.us.governor.sign(s, second, OURS))

    with pytest.raises(PolicyRefuses, match="2 uses are counted"):
        pair.us.do(lambda s: pair.us.governor.sign(s, first, OURS))
    pair.us.do(lambda s: pair.us.governor.give_back(s, second.id))
    pair.us.do(lambda s: pair.us.governor.sign(s, first, OURS))


def test_a_job_that_lacks_a_grant_does_not_begin(pair: Pair) -> None:
    made = pair.contract()
    pair.us.do(lambda s: pair.us.governor.sign(s, made, OURS))
    with pytest.raises(GrantMissing, match="node-1 has granted nothing"):
        pair.us.do(lambda s: pair.us.governor.begin(s, made, OURS))
    with pytest.raises(GrantMissing, match="without a grant"):
        pair.us.do(lambda s: take(s, pair.us, pair.them, made, THEIRS, ""))


def test_a_grant_for_another_job_is_no_use_to_a_peer(pair: Pair) -> None:
    made, other = pair.contract(), pair.contract()
    grant = pair.them.do(lambda s: pair.them.governor.sign(s, other, THEIRS))
    with pytest.raises(GrantRefused, match="alone"):
        pair.us.do(lambda s: take(s, pair.us, pair.them, made, THEIRS, grant))


def test_a_stricter_policy_keeps_a_signed_job_from_beginning(pair: Pair) -> None:
    made = pair.contract()
    pair.sign_by_both(made)
    pair.us.set_policy(BASE.replace('"join-key"', '"never"'), pair.them.key.node_id, over=1)
    with pytest.raises(PolicyRefuses, match="rule column"):
        pair.us.do(lambda s: pair.us.governor.begin(s, made, OURS))


def test_a_later_job_costs_an_earlier_one_nothing(pair: Pair) -> None:
    first, second = pair.contract(), pair.contract()
    for made in (first, second):
        pair.sign_by_both(made)
        pair.us.now += 1
        pair.them.now += 1
    pair.us.set_policy(BASE.replace("uses = 2", "uses = 1"), pair.them.key.node_id, over=1)

    pair.us.do(lambda s: pair.us.governor.begin(s, first, OURS))
    with pytest.raises(PolicyRefuses, match="rule uses"):
        pair.us.do(lambda s: pair.us.governor.begin(s, second, OURS))


def test_uses_of_a_day_are_those_of_its_calendar_day(pair: Pair) -> None:
    daily = BASE.replace("uses = 2", "uses = 2\nuses_per_day = 1")
    pair.us.set_policy(daily, pair.them.key.node_id, over=1)
    pair.us.now = NOW - NOW % 86_400_000 + 86_400_000 - 1
    first = pair.contract()
    pair.us.do(lambda s: pair.us.governor.sign(s, first, OURS))
    assert refused(pair.us, pair.contract()) is Rule.USES_PER_DAY

    pair.us.now += 1
    pair.us.do(lambda s: pair.us.governor.require_allowed(s, pair.contract(), OURS))


def test_a_standing_grant_stands_for_the_people_and_is_used_up(pair: Pair) -> None:
    made = pair.contract()
    asked = asked_by(made, OURS, SERVICES)
    assert asked is not None
    one_job = grant_for(asked, policy="digest", issued=NOW, expires=NOW + 7_200_000)
    standing = one_job.model_copy(update={"job": None, "uses": 1})
    pair.us.do(lambda s: Grants(pair.us.key).issue(s, standing))

    permit = pair.us.do(lambda s: pair.us.governor.require_allowed(s, made, OURS))
    assert permit.approvals == 0
    given = pair.us.do(lambda s: pair.us.governor.sign(s, made, OURS))
    assert given == pair.us.do(lambda s: Grants(pair.us.key).envelope_of(s, standing.id))
    again = pair.us.do(lambda s: pair.us.governor.require_allowed(s, pair.contract(), OURS))
    assert again.approvals == 1


def test_where_two_must_approve_a_standing_grant_stands_for_nobody(pair: Pair) -> None:
    made = pair.contract()
    asked = asked_by(made, OURS, SERVICES)
    assert asked is not None
    one_job = grant_for(asked, policy="digest", issued=NOW, expires=NOW + 7_200_000)
    standing = one_job.model_copy(update={"job": None, "uses": 1})
    pair.us.do(lambda s: Grants(pair.us.key).issue(s, standing))
    pair.us.set_policy(f"approvals = 2\n{BASE}", pair.them.key.node_id, over=1)

    permit = pair.us.do(lambda s: pair.us.governor.require_allowed(s, made, OURS))

    assert permit.approvals == 2


def test_a_revoked_grant_keeps_a_signed_job_from_beginning(pair: Pair) -> None:
    made = pair.contract()
    pair.sign_by_both(made)
    grants, owner = Grants(pair.us.key), pair.us.key.node_id
    used = pair.us.do(lambda s: [(one.id, one.grantor) for one in s.scalars(select(GrantRow))])
    [held] = [grant for grant, grantor in used if grantor == owner.text]
    jobs = pair.us.do(lambda s: grants.revoke(s, owner, held, NOW))
    assert list(jobs) == [made.id]
    with pytest.raises(GrantRevoked):
        pair.us.do(lambda s: pair.us.governor.begin(s, made, OURS))


def test_the_privacy_budget_is_set_aside_at_signing_and_never_overspent(pair: Pair) -> None:
    text = BASE.replace("uses = 2", "uses = 9") + "[budget]\nepsilon = 0.8\n"
    pair.us.set_policy(text, pair.them.key.node_id, over=1)
    jobs = [pair.contract("test.noisy") for _ in range(3)]
    for made in jobs[:2]:
        pair.us.do(lambda s, made=made: pair.us.governor.sign(s, made, OURS))

    assert refused(pair.us, jobs[2]) is Rule.EPSILON
    pair.us.do(lambda s: pair.us.governor.give_back(s, jobs[0].id))
    pair.us.do(lambda s: pair.us.governor.sign(s, jobs[2], OURS))
