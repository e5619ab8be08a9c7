"""Nodes in one process for tests of jobs: real databases, and mail that a test controls."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import tomlkit
from sqlalchemy.orm import Session

from appliance.accounts.principals import Person, Principal
from appliance.accounts.roles import ALL_POWERS
from appliance.contracts.contract import Contract
from appliance.datasets.errors import DatasetChanged, DatasetNotFound
from appliance.datasets.source import Kind, Source
from appliance.governance.agreement import Agreement
from appliance.governance.governor import Governor
from appliance.identity.node_id import NodeId
from appliance.jobs.checks import JobLimits
from appliance.jobs.compose import Submission, SubmittedParty
from appliance.jobs.errors import JobNotFound
from appliance.jobs.jobs import Jobs
from appliance.jobs.metering import Tally
from appliance.jobs.needs import DescribedDataset, Pin
from appliance.jobs.views import JobView
from appliance.ledger.ledger import Ledger
from appliance.mailbox.inbox import Inbox
from appliance.mailbox.letters import Letter, Receipt, Undelivered
from appliance.mailbox.outbox import Outbox
from appliance.policies import policies
from appliance.store.database import Store
from appliance.store.errors import StoreError
from services.demand import ColumnDemand, ColumnUse, Demand
from services.errors import ConfigError, ServiceError
from services.service import (
    Adversary,
    Parameters,
    Run,
    Service,
    Stage,
    Statement,
    Terms,
)
from tests.unit.contract_doubles import MemoryKey, dataset

OWNER = Person(principal=Principal.of_uid(1000), name="the owner", powers=ALL_POWERS)
NAMES = ("hospital", "laboratory", "registry", "stranger")


class JoinParameters(Parameters):
    depth: int = 1


def _check(terms: Terms) -> None:
    if any(party.dataset is None for party in terms.parties):
        raise ConfigError("each party must bring a dataset")


def _disclose(terms: Terms) -> tuple[Statement, ...]:
    return tuple(
        Statement(
            learner=rank,
            about=None,
            template="%(learner)s learns of %(count)s tables",
            to_us="you learn of %(count)s tables",
            values={"learner": party.name, "count": len(terms.parties)},
        )
        for rank, party in enumerate(terms.parties)
    )


def _demand(terms: Terms, rank: int) -> Demand:
    dataset = terms.parties[rank].dataset
    key = dataset.key if dataset else ()
    used = {name: ColumnDemand(uses=frozenset({ColumnUse.JOIN_KEY})) for name in key}
    return Demand(columns=used)


def _never() -> Run:
    raise NotImplementedError


JOIN = Service(
    name="test.join",
    version=1,
    title="Join",
    adversary=Adversary.SEMI_HONEST,
    party_counts=range(2, 5),
    roles=("member", "leader"),
    parameters=JoinParameters,
    outputs=("intersection",),
    stages=(
        Stage(name="read", title="Read", weight=1.0),
        Stage(name="join", title="Join", weight=3.0),
        Stage(name="write", title="Write", weight=0.0, knows_result=True),
    ),
    assign=lambda receivers, count: ("leader", *("member" for _ in range(count - 1))),
    check=_check,
    disclose=_disclose,
    demand=_demand,
    uses=frozenset({ColumnUse.JOIN_KEY}),
    load=_never,
    memory=lambda terms, rank: 2 << 20,
)


LIMITS = JobLimits(
    most_seconds=24 * 3600,
    most_grace_seconds=900,
    idle_seconds=3600,
    worker_memory_bytes=1 << 30,
)


# Tells figures with noise, each job as much.
NOISY = replace(
    JOIN,
    name="test.noisy",
    demand=lambda terms, rank: replace(
        _demand(terms, rank), epsilon=Decimal("0.4"), smallest_group=50
    ),
)
RESUMING = replace(JOIN, name="test.resuming", resumes=lambda terms: True)


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.milliseconds = 1_800_000_000_000

    def __call__(self) -> int:
        return self.milliseconds


class FakePeers:
    """A peer book that holds whom a test pairs."""

    def __init__(self) -> None:
        self.pins: dict[NodeId, Pin] = {}

    def find_paired(self, session: Session, node_id: NodeId) -> Pin | None:
        return self.pins.get(node_id)

    def get_paired(self, session: Session, peer: str) -> Pin:
        for pin in self.pins.values():
            if peer in (pin.name, pin.node_id.text):
                return pin
        raise ConfigError(f"no peer is called {peer}")

    def names(self, session: Session) -> Mapping[NodeId, str]:
        return {node_id: pin.name for node_id, pin in self.pins.items()}


class FakeDatasets:
    """A dataset book: this node's tables and the peers', as a test lays them down."""

    def __init__(self) -> None:
        self.own: dict[str, DescribedDataset] = {}
        self.published: dict[tuple[NodeId, str], DescribedDataset] = {}
        self.unpublished: set[NodeId] = set()
        self.changed = False
        self.asked = 0

    async def describe_own(self, name: str, toward: Collection[NodeId]) -> DescribedDataset:
        if name not in self.own:
            raise DatasetNotFound(name, list(self.own))
        return self.own[name]

    async def describe_published(self, owner: NodeId, name: str) -> DescribedDataset:
        if (owner, name) not in self.published:
            raise DatasetNotFound(name, [])
        return self.published[owner, name]

    async def is_published(self, name: str, peer: NodeId) -> bool:
        return peer not in self.unpublished

    async def require_unchanged(self, name: str, *, explains: bool = False) -> Source:
        self.asked += 1
        if self.changed:
            raise DatasetChanged(f"/data/{name}.csv")
        return Source(
            kind=Kind.CSV,
            location=f"/data/{name}.csv",
            files=(),
            columns=(),
            key=("id",),
            normal_form=("trim",),
            delimiter=",",
            row_count=100,
            content_hash="00",
        )


class FakeRunner:
    """A runner whose workers do what a test says, by way of the node's Jobs."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.attempts: list[int] = []
        self.seconds = 0
        self.tallies: dict[str, Tally] = {}
        self.folders: dict[str, Path] = {}
        self.trouble: ServiceError | None = None

    async def start(
        self,
        job_id: str,
        contract: Contract,
        rank: int,
        source: Source | None,
        folder: Path,
        *,
        attempt: int,
        seconds: int,
        tally: Tally,
    ) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.started.append(job_id)
        self.attempts.append(attempt)
        self.seconds = seconds
        self.tallies[job_id] = tally
        self.folders[job_id] = folder

    async def stop(self, job_id: str) -> None:
        self.stopped.append(job_id)


class Mail:
    """Carries letters between nodes; a hindrance may raise Undelivered, or just take time."""

    def __init__(self) -> None:
        self.nodes: dict[NodeId, Node] = {}
        self.hinder: Callable[[NodeId, NodeId, Letter], Awaitable[None]] = _unhindered
        self.hinder_receipt: Callable[[NodeId, NodeId, Letter], Awaitable[None]] = _unhindered

    async def carry(self, sender: NodeId, receiver: NodeId, letter: Letter) -> Receipt:
        await self.hinder(sender, receiver, letter)
        node = self.nodes.get(receiver)
        if node is None or not node.is_up:
            raise Undelivered("the peer is down")
        try:
            receipt = await node.inbox.receive(sender, letter)
        except StoreError as error:
            raise Undelivered("the peer is in trouble") from error
        await self.hinder_receipt(sender, receiver, letter)
        return receipt


async def _unhindered(sender: NodeId, receiver: NodeId, letter: Letter) -> None:
    """Let the letter pass."""


@dataclass
class Node:
    """One node; ``up`` and ``kill`` can be repeated."""

    name: str
    folder: Path
    mail: Mail
    clock: Clock
    key: MemoryKey = field(default_factory=MemoryKey)
    peers: FakePeers = field(default_factory=FakePeers)
    datasets: FakeDatasets = field(default_factory=FakeDatasets)
    limits: JobLimits = LIMITS
    services: Mapping[str, Service] = field(
        default_factory=lambda: {one.name: one for one in (JOIN, NOISY, RESUMING)}
    )
    is_up: bool = False

    @property
    def node_id(self) -> NodeId:
        return self.key.node_id

    async def up(self) -> None:
        self.store = Store.open(self.folder)
        self.outbox = Outbox(
            self.store,
            lambda peer, letter: self.mail.carry(self.node_id, peer, letter),
            self.clock,
            shortest_wait_seconds=0.01,
        )
        self.inbox = Inbox(self.store, lambda session, sender, kind: sender in self.peers.pins)
        self.runner = FakeRunner()
        self.gone: set[str] = set()  # people who may not approve any more
        self.ledger = Ledger(self.key, now=self.time)
        self.agreement = Agreement(
            ledger=self.ledger,
            key=self.key,
            outbox=self.outbox,
            public_key_of=self.public_key_of,
            now=self.time,
        )
        self.jobs = Jobs(
            store=self.store,
            outbox=self.outbox,
            key=self.key,
            own_name=self.name,
            peers=self.peers,
            datasets=self.datasets,
            services=self.services,
            ledger=self.ledger,
            ended=self.agreement.show,
            may_approve=lambda person: person not in self.gone,
            governor=Governor(
                key=self.key,
                ledger=self.ledger,
                services=self.services,
                names=self.peers.names,
                version_of=lambda _: "0.1.0",
                now_milliseconds=self.clock,
            ),
            runner=self.runner,
            folder=self.folder / "jobs",
            limits=self.limits,
            now_milliseconds=self.clock,
        )
        for kind, handler in (self.jobs.handlers() | self.agreement.handlers()).items():
            self.inbox.register(kind, handler)
        await self.jobs.recover()
        self.is_up = True
        self.tasks = [
            asyncio.create_task(self.outbox.deliver()),
            asyncio.create_task(self.jobs.run()),
        ]

    async def allow(self, **changes: Any) -> list[str]:
        """Set a policy for our table, one that allows all jobs but for the changes; return whom it
        stops."""
        said: dict[str, Any] = {
            "type": "coffer.policy/1",
            "peers": [node.text for node in self.peers.pins],
            "services": [*self.services],
            "valid_until": datetime(2100, 1, 1, tzinfo=UTC),
            "uses": 1000,
            "smallest_intersection": 0,
            "security": {"adversary": "semi-honest"},
            "columns": {"id": "join-key"},
        }
        kept = {key: value for key, value in (said | changes).items() if value is not None}
        name = f"table-of-{self.name}"

        def work(session: Session) -> list[str]:
            over = policies.current(session, name).number
            known = {pin.name: pin.node_id for pin in self.peers.pins.values()}
            policies.change(
                session,
                name,
                tomlkit.dumps(kept),
                known,
                over=over,
                by="owner",
                now_milliseconds=self.clock(),
            )
            return [*self.jobs.revision.by_policy(session, name)]

        return await self.store.run(work)

    def time(self) -> datetime:
        return datetime.fromtimestamp(self.clock() / 1000, UTC)

    def public_key_of(self, session: Session, peer: NodeId) -> bytes | None:
        pin = self.peers.find_paired(session, peer)
        return None if pin is None else pin.public_der

    async def kill(self) -> None:
        """Stop at once, as if by SIGKILL: what is not committed is lost."""
        self.is_up = False
        for task in self.tasks:
            task.cancel()
        async with asyncio.timeout(60):
            await asyncio.gather(*self.tasks, return_exceptions=True)
        self.store.close()

    async def restart(self) -> None:
        await self.kill()
        await self.up()

    async def state(self, job_id: str) -> str:
        return (await self.jobs.get(job_id)).state.value

    async def finish(self, job_id: str, content: bytes = b"rows") -> None:
        """Have the worker write its result and end well."""
        (self.runner.folders[job_id] / "intersection.parquet").write_bytes(content)
        await self.jobs.worker_finished(
            job_id, {"rows": 7}, {"intersection": "intersection.parquet"}, {"intersection": 7}
        )


class Fleet:
    """Some nodes, each paired with each other; to be used as an async context."""

    def __init__(self, folder: Path, count: int) -> None:
        self.mail = Mail()
        self.clock = Clock()
        self.nodes = [Node(name, folder / name, self.mail, self.clock) for name in NAMES[:count]]
        for node in self.nodes:
            self.mail.nodes[node.node_id] = node
            terms = DescribedDataset(terms=dataset(f"table-of-{node.name}"))
            node.datasets.own[terms.terms.name] = terms
            for other in self.nodes:
                if other is not node:
                    other.datasets.published[node.node_id, terms.terms.name] = terms
                    other.peers.pins[node.node_id] = Pin(
                        node_id=node.node_id, name=node.name, public_der=node.key.public_der
                    )

    async def __aenter__(self) -> "Fleet":
        for node in self.nodes:
            await node.up()
            await node.allow()
        return self

    async def __aexit__(self, *trouble: object) -> None:
        for node in self.nodes:
            if node.is_up:
                await node.kill()

    def submission(self, *nodes: Node, **changes: Any) -> Submission:
        """Return a job among nodes, all if none is named."""
        plain: dict[str, Any] = {
            "service": JOIN.name,
            "parameters": {},
            "parties": tuple(
                SubmittedParty(
                    node=node.name, dataset=f"table-of-{node.name}", receives=("intersection",)
                )
                for node in nodes or self.nodes
            ),
        }
        return Submission(**plain | changes)

    async def submit(self, **changes: Any) -> JobView:
        """Have the first node propose a job to all."""
        return await self.nodes[0].jobs.submit(self.submission(**changes), OWNER)

    async def run_all(self, **changes: Any) -> str:
        """Propose, approve everywhere, and wait until all run; return the job's id."""
        job = await self.submit(**changes)
        for node in self.nodes[1:]:
            await self.reach(job.id, "waiting_approval", node)
            await node.jobs.approve(job.id, job.digest, OWNER)
        await self.reach(job.id, "running")
        await until(lambda: all(job.id in node.runner.started for node in self.nodes))
        return job.id

    async def reach(self, job_id: str, state: str, *nodes: Node) -> list[JobView]:
        """Wait until a job is in a state on nodes, on all if none is named."""
        views = []
        for node in nodes or self.nodes:
            async with asyncio.timeout(60):
                while not (view := await _find(node, job_id)) or view.state.value != state:
                    await asyncio.sleep(0.01)
            views.append(view)
        return views

    async def hear(self, job_id: str, rank: int, node: Node) -> JobView:
        """Wait until a node knows why the party of a rank ended a job."""
        async with asyncio.timeout(60):
            while not (await node.jobs.get(job_id)).parties[rank].reason:
                await asyncio.sleep(0.01)
        return await node.jobs.get(job_id)


async def _find(node: Node, job_id: str) -> JobView | None:
    try:
        return await node.jobs.get(job_id)
    except JobNotFound:
        return None


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(60):
        for _ in itertools.count():
            if condition():
                return
            await asyncio.sleep(0.005)


Test = Callable[[Fleet], Awaitable[None]]


def play(folder: Path, count: int, test: Test) -> None:
    """Run a test on so many nodes."""

    async def run() -> None:
        async with Fleet(folder, count) as fleet:
            await test(fleet)

    asyncio.run(run())
