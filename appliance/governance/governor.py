"""What stands between a contract and its run: policies, grants, uses and privacy budgets.

Nothing here is decided twice in two ways: jobs ask the governor, each time in the transaction in
which they act on its word. The owner's node counts; a peer's node only checks what it was granted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy.orm import Session

from appliance.budgets import budgets
from appliance.budgets.accountant import Spend
from appliance.budgets.store import SpendRow
from appliance.contracts.contract import Contract
from appliance.contracts.envelope import parse_envelope
from appliance.governance.asked import Services, asked_by, asked_of, grant_for, request_of
from appliance.governance.errors import GrantMissing, PolicyRefuses
from appliance.grants import store as grants_table
from appliance.grants.grant import GRANT, Grant, parse_grant
from appliance.grants.grants import Grants
from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId
from appliance.ledger.entries import Actor, NodeItself
from appliance.ledger.facts import BudgetSpent, GrantIssued, GrantUsed, Kind
from appliance.ledger.ledger import Ledger
from appliance.policies import policies
from appliance.policies.decide import Decision, Refused, decide
from appliance.policies.facts import Request, Spent, Standing
from appliance.policies.policies import Version
from appliance.policies.values import microseconds_of, plain_text

DAY_MILLISECONDS: Final = 24 * 3600 * 1000
_NOTHING: Final = Spend(epsilon=Decimal(0), delta=Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """That our policy allows a contract: by which version, once so many people approve."""

    version: int
    approvals: int


class Governor:
    """Judges contracts and counts what they use, for one node."""

    def __init__(
        self,
        *,
        key: IdentityKey,
        ledger: Ledger,
        services: Services,
        names: Callable[[Session], Mapping[NodeId, str]],
        version_of: Callable[[NodeId], str],
        now_milliseconds: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._services = services
        self._names = names
        self._version_of = version_of
        self._now_milliseconds = now_milliseconds
        self._own = key.node_id
        self._grants = Grants(key)

    def require_allowed(self, session: Session, contract: Contract, rank: int) -> Permit:
        """Return how many people must approve what our policy allows; 1 if we bring no dataset.

        A grant of ours that covers the contract is an approval that was given before, by one
        person: where two must approve each contract, it stands for none.
        Raises: PolicyRefuses.
        """
        request = self._request(session, contract, rank)
        if request is None:
            return Permit(version=0, approvals=1)
        version = policies.current(session, request.dataset)
        decision = self._decide(session, contract.id, request, version)
        if isinstance(decision, Refused):
            raise PolicyRefuses(decision.refusals)
        asked = asked_of(contract, rank, request.demand)
        has_grant = (
            decision.approvals == 1
            and asked is not None
            and self._grants.find_for(session, asked, self._now_milliseconds()) is not None
        )
        return Permit(version=decision.version, approvals=0 if has_grant else decision.approvals)

    def sign(self, session: Session, contract: Contract, rank: int) -> str:
        """Take a use for a contract that is signed here; return the grant, in its envelope.

        It is one of ours that covers the contract, else one for this job alone. What the job will
        lose of the privacy budget is set aside. Empty if we bring no dataset.
        Raises: PolicyRefuses.
        """
        request = self._request(session, contract, rank)
        asked = None if request is None else asked_of(contract, rank, request.demand)
        if asked is None or request is None:
            return ""
        version = policies.current(session, request.dataset)
        decision = self._decide(session, contract.id, request, version)
        if isinstance(decision, Refused):
            raise PolicyRefuses(decision.refusals)
        now = self._now_milliseconds()
        grant = self._grants.find_for(session, asked, now)
        if grant is None:
            expires = max(_last(contract, version), now + 1)
            grant = grant_for(asked, policy=version.digest, issued=now, expires=expires)
            self._grants.issue(session, grant)
            record_issued(session, self._ledger, grant, NodeItself())
        self._grants.take_use(session, grant.id, asked, now)
        if request.demand.epsilon is not None:
            loss = Spend(epsilon=request.demand.epsilon, delta=request.demand.delta)
            budgets.set_aside(session, asked.dataset, asked.job, asked.others, loss, now)
        return self._grants.envelope_of(session, grant.id)

    def take_grant(
        self,
        session: Session,
        contract: Contract,
        rank: int,
        grantor: NodeId,
        public_der: bytes,
        envelope: str,
    ) -> None:
        """Keep what a party grants with its signature, and take the use of it.

        Raises: GrantMissing, EnvelopeMalformed, GrantMalformed, SignatureInvalid, GrantRefused.
        """
        asked = asked_by(contract, rank, self._services)
        if asked is None:
            return
        if not envelope:
            raise GrantMissing(f"{grantor.short} signs without a grant for its dataset")
        offered = parse_grant(parse_envelope(envelope, GRANT).data)
        if offered.job is None and grants_table.find_grant(session, offered.id) is None:
            raise GrantMissing(f"{grantor.short} signs by a grant that it has not given before")
        grant = self._grants.take_in(session, grantor, public_der, envelope)
        self._grants.take_use(session, grant.id, asked, self._now_milliseconds())

    def begin(self, session: Session, contract: Contract, rank: int) -> None:
        """Have a job that begins use what it was granted, for good; again, it changes nothing.

        Our own policy judges it once more, by what was counted before it.
        Raises: GrantMissing, GrantRevoked, PolicyRefuses.
        """
        for party in contract.parties:
            if party.dataset is None:
                continue
            if grants_table.taken_at(session, contract.id, party.node) is None:
                raise GrantMissing(f"{party.name} has granted nothing of {party.dataset.name}")
        self.require_allowed(session, contract, rank)
        now = self._now_milliseconds()
        for used in self._grants.begin(session, contract.id, now):
            facts = GrantUsed(grant=used.grant, use=used.count, left=used.left)
            self._ledger.append(session, Kind.GRANT_USED, facts, NodeItself(), contract.id)
        for row in budgets.begin(session, contract.id, now):
            self._record_spent(session, row)

    def give_back(self, session: Session, job_id: str) -> None:
        """Give back what a job had taken that has ended without having begun."""
        self._grants.give_back(session, job_id)
        budgets.give_back(session, job_id)

    def _record_spent(self, session: Session, row: SpendRow) -> None:
        policy = policies.current(session, row.dataset).policy
        most_delta = policy.budget.delta if policy and policy.budget else Spent().delta
        total = budgets.spent(session, row.dataset, most_delta=most_delta, peer=NodeId(row.peer))
        facts = BudgetSpent(
            dataset=row.dataset,
            peer=row.peer,
            epsilon=plain_text(Decimal(row.epsilon)),
            delta=plain_text(Decimal(row.delta)),
            total_epsilon=plain_text(total.epsilon),
            total_delta=plain_text(total.delta),
        )
        self._ledger.append(session, Kind.BUDGET_SPENT, facts, NodeItself(), row.job_id)

    def _request(self, session: Session, contract: Contract, rank: int) -> Request | None:
        return request_of(
            contract,
            rank,
            self._services,
            names=self._names(session),
            version_of=self._version_of,
            expires_milliseconds=contract.expires,
        )

    def _decide(
        self, session: Session, job_id: str, request: Request, version: Version
    ) -> Decision:
        standing = self._standing(session, job_id, request, version)
        return decide(request, version.policy, standing, self._now_milliseconds())

    def _standing(
        self, session: Session, job_id: str, request: Request, version: Version
    ) -> Standing:
        """Return what was counted before this job, or so far if it has taken no use yet."""
        taken = grants_table.taken_at(session, job_id, self._own.text)
        counted = self._now_milliseconds() if taken is None else taken
        before = None if taken is None else (counted, job_id)
        day = counted - counted % DAY_MILLISECONDS
        spent, after = self._losses(session, request, version, before)
        uses, of_day = grants_table.count_uses(
            session, self._own.text, request.dataset, since_milliseconds=day, before=before
        )
        return Standing(
            version=version.number,
            uses=uses,
            uses_of_day=of_day,
            spent=Spent(epsilon=spent.epsilon, delta=spent.delta),
            spent_after=Spent(epsilon=after.epsilon, delta=after.delta),
        )

    def _losses(
        self,
        session: Session,
        request: Request,
        version: Version,
        before: tuple[int, str] | None,
    ) -> tuple[Spend, Spend]:
        """Return what of the privacy budget is spent before this job, and with it."""
        budget = version.policy.budget if version.policy else None
        if budget is None:
            return _NOTHING, _NOTHING
        epsilon = request.demand.epsilon
        loss = None if epsilon is None else Spend(epsilon=epsilon, delta=request.demand.delta)
        return budgets.spent_before_and_after(
            session, request.dataset, loss, most_delta=budget.delta, before=before
        )


def _last(contract: Contract, version: Version) -> int:
    """Return until when a grant for a contract holds: no longer than the policy does."""
    until = version.policy.valid_until if version.policy else None
    return (
        contract.expires if until is None else min(contract.expires, microseconds_of(until) // 1000)
    )


def record_issued(session: Session, ledger: Ledger, grant: Grant, actor: Actor) -> None:
    """Record a grant, ours or one to us. Of a peer's what concerns us: it chooses the others."""
    own = ledger.node_id.text
    for node in grant.grantees if grant.grantor == own else (own,):
        facts = GrantIssued(
            grant=grant.id,
            peer=node,
            dataset=grant.dataset,
            service=grant.service,
            uses=grant.uses,
            expires=grant.expires,
        )
        ledger.append(session, Kind.GRANT_ISSUED, facts, actor, grant.job)
