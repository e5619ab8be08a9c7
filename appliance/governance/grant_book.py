"""Grants as owners and peers deal with them: given for several jobs, listed, taken back.

A grant for one job comes with the signature on its contract, and nobody deals with it but to take
it back. One for several jobs stands for the approval of our people: what it covers, within what
the policy allows at that time, is signed at once.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from appliance.accounts.principals import Person
from appliance.contracts.errors import EnvelopeMalformed
from appliance.datasets.publication import Description
from appliance.governance.actors import actor_of
from appliance.governance.agreement import PublicKeyOf
from appliance.governance.governor import record_issued
from appliance.grants import store as table
from appliance.grants.errors import GrantMalformed, GrantNotFound, GrantRevoked, GrantUnfit
from appliance.grants.grant import Grant, GrantedColumn, grant_of, make_grant_id
from appliance.grants.grants import Grants
from appliance.grants.store import GrantRow
from appliance.identity.errors import SignatureInvalid
from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId
from appliance.ledger.entries import Actor, NodeItself, PeerNode
from appliance.ledger.facts import GrantRevoked as RevokedFacts
from appliance.ledger.facts import Kind as Entry
from appliance.ledger.ledger import Ledger
from appliance.mailbox.inbox import Handler
from appliance.mailbox.letters import GrantIssued, Kind, LetterRefused, Refusal
from appliance.mailbox.letters import GrantRevoked as RevokedLetter
from appliance.mailbox.outbox import Outbox
from appliance.peering.allowance import Allowances
from appliance.policies import policies
from appliance.policies.policies import Version
from appliance.policies.policy import SHOWN, Policy
from appliance.policies.values import microseconds_of
from appliance.store.database import Store

MOST_GRANTS_OF_PEER: Final = 1000
# Each leaves entries in the ledger, which are never forgotten at a peer's wish.
MOST_GRANTS_AN_HOUR: Final = 200
_HOUR_SECONDS: Final = 3600
_REVOKED: Final = "its owner takes it back"
_PARTED: Final = "a party of it is no longer paired"

log = logging.getLogger(__name__)

# Ends jobs that may not go on, with why; those that have ended stay as they are.
StopJobs = Callable[[Session, Sequence[str], str], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an owner wants to grant. peers: by this node's names, or node ids."""

    dataset: str
    peers: tuple[str, ...]
    service: str
    uses: int
    expires_milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """A grant, how many uses of it are taken, and what its being taken back has ended."""

    grant: Grant
    grantor: str
    grantees: tuple[str, ...]
    taken: int
    revoked_milliseconds: int | None
    stopped: tuple[str, ...] = ()


class GrantBook:
    """The grants of this node and its peers that are for more than one job."""

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        key: IdentityKey,
        outbox: Outbox,
        describe: Callable[[str], Awaitable[Description]],
        names: Callable[[Session], Mapping[NodeId, str]],
        paired: Callable[[Session], Mapping[str, NodeId]],
        public_key_of: PublicKeyOf,
        stop_jobs: StopJobs,
        now_milliseconds: Callable[[], int],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._own = key.node_id
        self._grants = Grants(key)
        self._outbox = outbox
        self._describe = describe
        self._names = names
        self._paired = paired
        self._public_key_of = public_key_of
        self._stop_jobs = stop_jobs
        self._now_milliseconds = now_milliseconds
        per_second = MOST_GRANTS_AN_HOUR / _HOUR_SECONDS
        self._allowances = Allowances(per_second=per_second, burst=MOST_GRANTS_AN_HOUR)

    def handlers(self) -> dict[Kind, Handler]:
        """Return what the inbox calls for letters about grants."""
        return {Kind.GRANT_ISSUED: self._on_issued, Kind.GRANT_REVOKED: self._on_revoked}

    async def issue(self, wanted: Wanted, by: Person) -> GrantView:
        """Grant peers several jobs of a service, as far as the policy allows them now.

        Raises: DatasetNotFound, GrantUnfit.
        """
        described = await self._describe(wanted.dataset)

        def work(session: Session) -> GrantView:
            peers = self._peers(session, wanted.peers)
            version = policies.current(session, wanted.dataset)
            grant = self._composed(wanted, peers, described, version)
            envelope = self._grants.issue(session, grant)
            for peer in peers:
                self._outbox.put(session, peer, Kind.GRANT_ISSUED, GrantIssued(envelope=envelope))
            record_issued(session, self._ledger, grant, actor_of(by))
            return self._view(session, self._row(session, grant.id))

        return await self._store.run(work)

    async def list(self) -> tuple[GrantView, ...]:
        """Return the grants for more than one job, ours and the peers', the newest first."""

        def work(session: Session) -> tuple[GrantView, ...]:
            return tuple(self._view(session, row) for row in table.standing_grants(session))

        return await self._store.run(work)

    async def revoke(self, grant_id: str, by: Person) -> GrantView:
        """Take a grant of ours back, and end the jobs that depend on it.

        Raises: GrantNotFound, GrantRevoked.
        """

        def work(session: Session) -> GrantView:
            stopped = self._take_back(session, grant_id, _REVOKED, actor_of(by))
            return self._view(session, self._row(session, grant_id), tuple(stopped))

        return await self._store.run(work)

    async def end_with_strangers(self) -> None:
        """End what we and peers that are none any more have granted each other for several jobs.

        They forget as much, so that after another pairing each grants anew what it still wants to.
        """

        def work(session: Session) -> None:
            now = self._now_milliseconds()
            for row in table.standing_grants(session):
                if row.revoked_milliseconds is not None or row.expires_milliseconds <= now:
                    continue
                grantor = NodeId(row.grantor)
                if grantor == self._own:
                    to = map(NodeId, grant_of(row.body).grantees)
                    if any(self._public_key_of(session, one) is None for one in to):
                        self._take_back(session, row.id, _PARTED, NodeItself())
                elif self._public_key_of(session, grantor) is None:
                    jobs = self._grants.revoke(session, grantor, row.id, now)
                    self._end(session, row.id, jobs, _PARTED, NodeItself())

        await self._store.run(work)

    def _take_back(self, session: Session, grant_id: str, why: str, actor: Actor) -> Sequence[str]:
        jobs = self._grants.revoke(session, self._own, grant_id, self._now_milliseconds())
        for text in grant_of(self._row(session, grant_id).body).grantees:
            peer = NodeId(text)
            if self._public_key_of(session, peer) is not None:
                self._outbox.put(session, peer, Kind.GRANT_REVOKED, RevokedLetter(id=grant_id))
        return self._end(session, grant_id, jobs, why, actor)

    def _on_issued(self, session: Session, peer: NodeId, body: GrantIssued) -> None:
        key = self._public_key_of(session, peer)
        if key is None:
            raise LetterRefused(Refusal.NOT_ALLOWED, "it is not paired")
        now = self._now_milliseconds() / 1000
        if self._allowances.of(peer).wait_seconds(now):
            raise LetterRefused(Refusal.TOO_MANY, "it has granted too much within an hour")
        if table.count_standing(session, peer.text) >= MOST_GRANTS_OF_PEER:
            table.forget_ended(session, peer.text, self._now_milliseconds())
        count = table.count_standing(session, peer.text)
        if count >= MOST_GRANTS_OF_PEER:
            raise LetterRefused(Refusal.TOO_MANY, "it has granted too much")
        try:
            grant = self._grants.take_in(session, peer, key, body.envelope)
        except (EnvelopeMalformed, GrantMalformed) as error:
            raise LetterRefused(Refusal.MALFORMED, error.what) from None
        except SignatureInvalid as error:
            raise LetterRefused(Refusal.BAD_SIGNATURE, error.what) from None
        if grant.job is not None:
            raise LetterRefused(Refusal.MALFORMED, "a grant for one job comes with its signature")
        if grant.expires <= self._now_milliseconds():
            raise LetterRefused(Refusal.NOT_ALLOWED, "the grant has expired")
        if table.count_standing(session, peer.text) > count:  # else it came before
            self._allowances.of(peer).take(now)
            record_issued(session, self._ledger, grant, PeerNode(node=peer.text))

    def _on_revoked(self, session: Session, peer: NodeId, body: RevokedLetter) -> None:
        try:
            jobs = self._grants.revoke(session, peer, body.id, self._now_milliseconds())
        except (GrantNotFound, GrantRevoked):
            return  # of a job that has ended here without having begun; or taken back before
        self._end(session, body.id, jobs, _REVOKED, PeerNode(node=peer.text))

    def _end(
        self, session: Session, grant_id: str, jobs: Sequence[str], why: str, actor: Actor
    ) -> Sequence[str]:
        facts = RevokedFacts(grant=grant_id, reason=why)
        self._ledger.append(session, Entry.GRANT_REVOKED, facts, actor)
        return self._stop_jobs(session, jobs, f"the grant {grant_id} was revoked: {why}")

    def _composed(
        self,
        wanted: Wanted,
        peers: Collection[NodeId],
        described: Description,
        version: Version,
    ) -> Grant:
        """Return the grant of all that the policy allows these peers by this service."""
        policy, nodes = version.policy, sorted(peer.text for peer in peers)
        now = self._now_milliseconds()
        if policy is None:
            raise GrantUnfit(
                f"{wanted.dataset} has no policy, so there is nothing to grant",
                remedy=f'have one drafted: "coffer policies draft {wanted.dataset}"',
            )
        for node in nodes:
            if node not in policy.peers:
                raise GrantUnfit(f"the policy of {wanted.dataset} does not name {node[:7]} a peer")
        if policy.approvals > 1:
            raise GrantUnfit(
                f"the policy of {wanted.dataset} has {policy.approvals} people approve each"
                " contract, a grant for several jobs is one person's word",
                remedy="have each job approved",
            )
        if wanted.service not in policy.services:
            raise GrantUnfit(
                f"the policy of {wanted.dataset} does not allow {wanted.service[:64]!r}"
            )
        until = policy.valid_until
        if until is None or wanted.expires_milliseconds * 1000 > microseconds_of(until):
            raise GrantUnfit(f"the policy of {wanted.dataset} ends before that")
        if wanted.expires_milliseconds <= now:
            raise GrantUnfit("it would have ended already", remedy="name a later end")
        if not 1 <= wanted.uses <= policy.uses:
            raise GrantUnfit(
                f"it is for {wanted.uses} jobs, the policy of {wanted.dataset} allows"
                f" {policy.uses} in all"
            )
        columns = _columns(policy, nodes, [one.name for one in described.columns])
        if not columns:
            raise GrantUnfit(f"the policy of {wanted.dataset} lets no column be used")
        return Grant(
            id=make_grant_id(),
            grantor=self._own.text,
            grantees=tuple(nodes),
            dataset=wanted.dataset,
            fingerprint=described.fingerprint,
            service=wanted.service,
            columns=columns,
            uses=wanted.uses,
            job=None,
            issued=now,
            expires=wanted.expires_milliseconds,
            policy=version.digest,
        )

    def _peers(self, session: Session, named: Sequence[str]) -> tuple[NodeId, ...]:
        known = self._paired(session)
        ids = {node.text: node for node in known.values()}
        found = []
        for name in named:
            node = known.get(name) or ids.get(name)
            if node is None:
                raise GrantUnfit(
                    f"there is no paired peer {name[:64]!r}", remedy='see "coffer peers list"'
                )
            found.append(node)
        if not found:
            raise GrantUnfit("it is granted to nobody", remedy="name a peer")
        return tuple(dict.fromkeys(found))

    def _row(self, session: Session, grant_id: str) -> GrantRow:
        row = table.find_grant(session, grant_id)
        if row is None:
            raise GrantNotFound(grant_id)
        return row

    def _view(self, session: Session, row: GrantRow, stopped: tuple[str, ...] = ()) -> GrantView:
        grant, names = grant_of(row.body), self._names(session)
        grantor = grant.grantor_id
        return GrantView(
            grant=grant,
            grantor="" if grantor == self._own else names.get(grantor, grantor.short),
            grantees=tuple(
                "this node" if node == self._own.text else names.get(NodeId(node), node[:7])
                for node in grant.grantees
            ),
            taken=table.uses_taken(session, row.id),
            revoked_milliseconds=row.revoked_milliseconds,
            stopped=stopped,
        )


def _columns(
    policy: Policy, nodes: Sequence[str], there: Collection[str]
) -> tuple[GrantedColumn, ...]:
    """Return what a policy lets these nodes make of the columns that are there."""
    granted = []
    for name, rule in sorted(policy.columns.items()):
        uses = tuple(sorted(rule.uses_among(nodes), key=lambda use: use.value))
        if uses and name in there:
            shown = not SHOWN.isdisjoint(uses)
            to = tuple(node for node in nodes if node in rule.receivers) if shown else ()
            granted.append(GrantedColumn(name=name, uses=uses, shown_to=to))
    return tuple(granted)
