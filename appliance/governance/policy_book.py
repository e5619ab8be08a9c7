"""The policies of our datasets as their owners deal with them: drafted, checked, set, looked up."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from appliance.accounts.principals import Person
from appliance.budgets import budgets
from appliance.budgets.accountant import Spend
from appliance.datasets.errors import DatasetNotFound
from appliance.datasets.publication import Description
from appliance.governance.actors import actor_of
from appliance.governance.asked import Services
from appliance.governance.governor import DAY_MILLISECONDS
from appliance.grants import store as grants_table
from appliance.identity.node_id import NodeId
from appliance.ledger.entries import Actor, NodeItself
from appliance.ledger.facts import Kind, PolicyChanged
from appliance.ledger.ledger import Ledger
from appliance.policies import policies
from appliance.policies import store as table
from appliance.policies.document import parse_policy, pin_peers
from appliance.policies.errors import PolicyNotFound
from appliance.policies.policies import Version
from appliance.policies.policy import NEVER, ColumnRule, Policy
from appliance.policies.review import Caution, review
from appliance.policies.store import PolicyRow
from appliance.policies.values import POLICY_TYPE
from appliance.policies.writing import write_policy
from appliance.store.database import Store
from services.demand import ColumnUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What jobs have taken of a dataset so far: uses, and what is spent of its privacy budget."""

    uses: int
    uses_today: int
    spent: Spend


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """A version of a policy. An empty text says that there is none, or that it was taken away.

    cautions: what its owner should look at again.
    stopped:  the jobs that this change has ended, as it refuses them.
    taken:    what counts against the policy that holds now; None for any other.
    """

    dataset: str
    version: int
    text: str
    digest: str
    changed_by: str
    changed_milliseconds: int
    cautions: tuple[Caution, ...] = ()
    stopped: tuple[str, ...] = ()
    taken: Taken | None = None


class PolicyBook:
    """The policies of this node.

    describe:    how one of our datasets is described; raises DatasetNotFound.
    is_registered: whether there is one of that name, in the caller's transaction.
    peers:       the paired peers by this node's names.
    judge_again: ends what the policy of a dataset refuses, as it is now; returns the jobs.
    """

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        services: Services,
        describe: Callable[[str], Awaitable[Description]],
        is_registered: Callable[[Session, str], bool],
        peers: Callable[[Session], Mapping[str, NodeId]],
        judge_again: Callable[[Session, str], Sequence[str]],
        now_milliseconds: Callable[[], int],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._services = services
        self._describe = describe
        self._is_registered = is_registered
        self._peers = peers
        self._judge_again = judge_again
        self._now_milliseconds = now_milliseconds

    async def draft(self, dataset: str) -> str:
        """Return a text that allows nothing yet and names every key and column. DatasetNotFound."""
        described = await self._describe(dataset)
        columns = {
            one.name: ColumnRule.model_validate(
                ColumnUse.JOIN_KEY.value if one.name in described.key else NEVER
            )
            for one in described.columns
        }
        return write_policy(Policy(type=POLICY_TYPE, columns=columns))

    async def check(self, dataset: str, text: str) -> PolicyView:
        """Return a text as it would be kept, with what to look at. Nothing is kept.

        Raises: DatasetNotFound, PolicyInvalid.
        """
        columns = await self._columns_of(dataset)

        def work(session: Session) -> PolicyView:
            peers = self._peers(session)
            policy = pin_peers(parse_policy(text), peers)
            written = write_policy(policy, {node.text: name for name, node in peers.items()})
            now = self._now_milliseconds()
            return PolicyView(
                dataset=dataset,
                version=policies.current(session, dataset).number,
                text=written,
                digest="",
                changed_by="",
                changed_milliseconds=0,
                cautions=review(policy, columns, self._services, now),
            )

        return await self._store.run(work)

    async def change(self, dataset: str, text: str, *, over: int, by: Person) -> PolicyView:
        """Put a policy in place of the version ``over``, and stop the jobs that it refuses.

        An empty text takes it away.
        Raises: DatasetNotFound, PolicyInvalid, PolicyConflict.
        """
        columns = await self._columns_of(dataset)

        def work(session: Session) -> PolicyView:
            if text and not self._is_registered(session, dataset):  # removed meanwhile
                raise DatasetNotFound(dataset, ())
            version = policies.change(
                session,
                dataset,
                text,
                self._peers(session),
                over=over,
                by=by.name,
                now_milliseconds=self._now_milliseconds(),
            )
            self._record(session, dataset, version, actor_of(by))
            stopped = tuple(self._judge_again(session, dataset))
            return self._view(session, dataset, version.number, columns, stopped)

        return await self._store.run(work)

    async def show(self, dataset: str, version: int = 0) -> PolicyView:
        """Return a version of a policy, the newest if it is 0. DatasetNotFound, PolicyNotFound."""
        columns = await self._columns_of(dataset)
        return await self._store.run(
            lambda session: self._view(session, dataset, version, columns, ())
        )

    async def versions(self, dataset: str) -> tuple[PolicyView, ...]:
        """Return all versions of a policy, the newest first, without texts. DatasetNotFound."""
        await self._describe(dataset)

        def work(session: Session) -> tuple[PolicyView, ...]:
            return tuple(_brief(row) for row in table.versions_of(session, dataset))

        return await self._store.run(work)

    def forget(self, session: Session, dataset: str) -> None:
        """Take away the policy of a dataset that is removed: another may bear the name some day."""
        before = policies.current(session, dataset)
        if before.policy is not None:
            version = policies.change(
                session,
                dataset,
                "",
                {},
                over=before.number,
                by="the dataset's removal",
                now_milliseconds=self._now_milliseconds(),
            )
            self._record(session, dataset, version, NodeItself())
        self._judge_again(session, dataset)

    def _record(self, session: Session, dataset: str, version: Version, actor: Actor) -> None:
        digest = version.digest or None
        facts = PolicyChanged(dataset=dataset, version=version.number, digest=digest)
        self._ledger.append(session, Kind.POLICY_CHANGED, facts, actor)

    async def _columns_of(self, dataset: str) -> tuple[str, ...]:
        return tuple(one.name for one in (await self._describe(dataset)).columns)

    def _view(
        self,
        session: Session,
        dataset: str,
        version: int,
        columns: Collection[str],
        stopped: tuple[str, ...],
    ) -> PolicyView:
        rows = table.versions_of(session, dataset)
        row = next((one for one in rows if version in (0, one.version)), None)
        if row is None:
            raise PolicyNotFound(dataset, version)
        brief = _brief(row)
        policy = policies.version_of(row).policy
        if policy is None:
            return brief
        names = {node.text: name for name, node in self._peers(session).items()}
        return PolicyView(
            dataset=dataset,
            version=row.version,
            text=write_policy(policy, names),
            digest=row.digest,
            changed_by=row.changed_by,
            changed_milliseconds=row.changed_milliseconds,
            cautions=review(policy, columns, self._services, self._now_milliseconds()),
            stopped=stopped,
            taken=self._taken(session, dataset, policy) if row is rows[0] else None,
        )

    def _taken(self, session: Session, dataset: str, policy: Policy) -> Taken:
        now = self._now_milliseconds()
        uses, today = grants_table.count_uses(
            session,
            self._ledger.node_id.text,
            dataset,
            since_milliseconds=now - now % DAY_MILLISECONDS,
        )
        most_delta = policy.budget.delta if policy.budget else Decimal(0)
        spent = budgets.spent(session, dataset, most_delta=most_delta)
        return Taken(uses=uses, uses_today=today, spent=spent)


def _brief(row: PolicyRow) -> PolicyView:
    return PolicyView(
        dataset=row.dataset,
        version=row.version,
        text="",
        digest=row.digest,
        changed_by=row.changed_by,
        changed_milliseconds=row.changed_milliseconds,
    )
