"""Whatever the order of letters, words of operators, deaths of workers and of agents: one record.

Each example walks three nodes through random steps on real tables, then lets all letters arrive.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from appliance.contracts.contract import Contract, parse_contract, write_contract
from appliance.governance.governor import Governor
from appliance.identity.node_id import NodeId
from appliance.jobs import store as table
from appliance.jobs.attempts import LAST_ATTEMPT
from appliance.jobs.docket import Docket
from appliance.jobs.errors import Unfit
from appliance.jobs.figures import Figures
from appliance.jobs.live import LiveJobs
from appliance.jobs.needs import Pin
from appliance.jobs.reasons import Reason
from appliance.jobs.records import Records
from appliance.jobs.states import JobState
from appliance.jobs.store import JobRow
from appliance.jobs.verdicts import GivenVerdict, Verdict, record_of
from appliance.ledger.ledger import Ledger
from appliance.mailbox.inbox import Inbox
from appliance.mailbox.letters import Kind, Letter, Receipt, Undelivered
from appliance.mailbox.outbox import Outbox
from appliance.mailbox.store import first_letter, remove_letter
from appliance.store.database import Store
from tests.unit.contract_doubles import MemoryKey, contract, party
from tests.unit.job_doubles import JOIN, OWNER, FakePeers

COUNT = 3
KEYS = [MemoryKey() for _ in range(COUNT)]
UNFIT = Unfit(Reason.DATASET_KEYS, "three keys are null")
UNSENT = (JobState.WAITING_APPROVAL, JobState.WAITING_PEERS)

# What may happen at one node; "read" is followed by whose letter it reads.
STEPS = st.sampled_from(
    ["approve", "reject", "refuse", "cancel", "expire", "begin", "finish", "fail", "die", "repeat"]
    + ["crash", "follow"]
    + ["finish"] * 2
    + ["read"] * 9
)
WALKS = st.lists(
    st.tuples(STEPS, st.integers(0, COUNT - 1), st.integers(0, COUNT - 1)), max_size=60
)


async def no_mail(peer: NodeId, letter: Letter) -> Receipt:
    raise Undelivered("letters are carried by hand here")


def anything_goes(made: Contract) -> None:
    """Stand for the checks of a contract's terms."""


class HandNode:
    """A node whose every step a test takes by hand."""

    def __init__(self, folder: Path, rank: int, *, resumes: bool) -> None:
        self.key = KEYS[rank]
        self.resumes = resumes
        self.store = Store.open(folder)
        peers = FakePeers()
        for other, key in enumerate(KEYS):
            if other != rank:
                peers.pins[key.node_id] = Pin(
                    node_id=key.node_id, name=f"node-{other}", public_der=key.public_der
                )
        outbox = Outbox(self.store, no_mail, lambda: 0)
        ledger = Ledger(self.key, now=lambda: datetime.fromtimestamp(0, UTC))
        self.docket = Docket(
            outbox,
            self.key,
            peers,
            Governor(
                key=self.key,
                ledger=ledger,
                services={JOIN.name: JOIN},
                names=peers.names,
                version_of=lambda _: "",
                now_milliseconds=lambda: 0,
            ),
            Records(ledger, {JOIN.name: JOIN}),
            lambda session, peers: None,
            anything_goes,
            lambda made: resumes,
            lambda: 0,
            lambda _: None,
            Figures(LiveJobs(), lambda: 0),
            lambda _: True,
        )
        self.inbox = Inbox(self.store, lambda session, sender, kind: True)
        self.inbox.register(Kind.JOB_PROPOSED, self.docket.admit)
        self.inbox.register(Kind.JOB_SIGNED, self.docket.take_signature)
        self.inbox.register(Kind.JOB_VERDICT, self.docket.take_verdict)

    async def change(self, step: str) -> None:
        """Take a step, if the job is in a state in which the node's people or worker could."""
        await self.store.run(lambda session: self._change(session, step))

    def _change(self, session: Session, step: str) -> None:
        if step == "die":
            self.docket.interrupt(session)
        for row in table.all_jobs(session):
            state = row.job_state
            may: dict[str, tuple[bool, Callable[[], None]]] = {
                "approve": (
                    state is JobState.WAITING_APPROVAL,
                    lambda row=row: self.docket.approve(session, row, OWNER),  # type: ignore[misc]
                ),
                "begin": (
                    state is JobState.STARTING,
                    lambda row=row: self.docket.begin(session, row),  # type: ignore[misc]
                ),
                "expire": (
                    state in UNSENT,
                    lambda row=row: self.docket.expire(session, row),  # type: ignore[misc]
                ),
                "reject": (
                    state is JobState.WAITING_APPROVAL,
                    self._giving(session, row, Verdict.REJECTED, Reason.OPERATOR_REJECTED),
                ),
                "refuse": (
                    state is JobState.WAITING_APPROVAL,
                    lambda row=row: self.docket.refuse(session, row, UNFIT),  # type: ignore[misc]
                ),
                "cancel": (
                    state in (JobState.WAITING_PEERS, JobState.STARTING, JobState.RUNNING),
                    self._giving(session, row, Verdict.CANCELLED, Reason.OPERATOR_CANCELLED),
                ),
                "finish": (
                    state is JobState.RUNNING,
                    self._giving(session, row, Verdict.SUCCEEDED, Reason.COMPLETED),
                ),
                "crash": (
                    state is JobState.RUNNING and row.attempt < LAST_ATTEMPT,
                    self._losing(session, row, row.attempt + 1),
                ),
                "follow": (
                    state in (JobState.RUNNING, JobState.SETTLING),
                    self._losing(session, row, min(row.attempt + 2, LAST_ATTEMPT)),
                ),
                "fail": (
                    state in (JobState.STARTING, JobState.RUNNING),
                    self._giving(session, row, Verdict.FAILED, Reason.WORKER_CRASHED),
                ),
            }
            if step in may and may[step][0] and (self.resumes or step not in ("crash", "follow")):
                may[step][1]()

    def _losing(self, session: Session, row: JobRow, following: int) -> Callable[[], None]:
        return lambda: self.docket.lose_attempt(session, row, following, "it broke off")

    def _giving(
        self, session: Session, row: JobRow, verdict: Verdict, reason: Reason
    ) -> Callable[[], None]:
        return lambda: self.docket.give_verdict(session, row, verdict, reason)


class Hands:
    """Carries letters one by one, and checks that no honest letter is refused."""

    def __init__(self, nodes: list[HandNode]) -> None:
        self.nodes = nodes
        self.carried: list[tuple[HandNode, NodeId, Letter]] = []

    async def read(self, reader: int, writer: int) -> bool:
        """Let one node read the next letter of another; tell whether there was one."""
        sender, receiver = self.nodes[writer], self.nodes[reader]
        to = receiver.key.node_id
        letter = await sender.store.run(lambda session: first_letter(session, to))
        if letter is None:
            return False
        receipt = await receiver.inbox.receive(sender.key.node_id, letter)
        assert receipt == Receipt(number=letter.number), f"{letter} was refused: {receipt}"
        number = letter.number
        await sender.store.run(lambda session: remove_letter(session, to, number))
        self.carried.append((receiver, sender.key.node_id, letter))
        return True

    async def repeat(self) -> None:
        """Deliver some letters again, out of order."""
        for receiver, sender, letter in self.carried[-3:][::-1]:
            assert (await receiver.inbox.receive(sender, letter)).refusal is None

    async def read_all(self) -> None:
        pairs = [(a, b) for a in range(COUNT) for b in range(COUNT) if a != b]
        while any([await self.read(a, b) for a, b in pairs]):
            pass


def propose() -> Contract:
    # Without datasets, so that no policy is asked.
    parties = tuple(
        party(key.node_id, f"node-{rank}", dataset=None) for rank, key in enumerate(KEYS)
    )
    return contract([], parties=parties)


async def walk(
    folder: Path, steps: list[tuple[str, int, int]], prepared: str, *, resumes: bool
) -> None:
    """Walk from the proposal, or from where a job stands once all have signed or begun."""
    nodes = [HandNode(folder / str(rank), rank, resumes=resumes) for rank in range(COUNT)]
    try:
        hands = Hands(nodes)
        made = propose()
        data = write_contract(made)
        await nodes[0].store.run(lambda s: nodes[0].docket.propose(s, made, data, OWNER))
        if prepared != "proposed":
            await hands.read_all()
            for one in nodes:
                await one.change("approve")
        if prepared in ("running", "settling"):
            await hands.read_all()
            for one in nodes:
                await one.change("begin")
        if prepared == "settling":
            await nodes[0].change("finish")
            await nodes[1].change("finish")
        for step, node, other in steps:
            if step == "read" and node != other:
                await hands.read(node, other)
            elif step == "repeat":
                await hands.repeat()
            else:
                await nodes[node].change(step)
        await hands.read_all()
        # Time passes: contracts expire, agents die as often as they may, and each tells the others.
        for step in ("expire", *["begin", "die"] * (LAST_ATTEMPT + 1)):
            for one in nodes:
                await one.change(step)
            await hands.read_all()
        await check(nodes)
    finally:
        for one in nodes:
            one.store.close()


async def check(nodes: list[HandNode]) -> None:
    ends: set[tuple[str, str]] = set()
    said: set[tuple[GivenVerdict, ...]] = set()
    for one in nodes:
        (row,) = await one.store.run(lambda session: list(table.all_jobs(session)))
        parties = await one.store.run(lambda s, job_id=row.id: table.parties_of(s, job_id))  # type: ignore[misc]
        verdicts = table.verdicts_of(parties)
        assert len(verdicts) == COUNT
        assert row.job_state.has_ended
        assert not row.contract or parse_contract(row.contract).id == row.id
        ends.add((row.state, record_of(row.digest, verdicts)))
        said.add(tuple(verdicts))
    assert len(ends) == 1
    assert len(said) == 1
    (state, _), (verdicts_told,) = ends.pop(), said
    if state == "succeeded":
        assert {given.verdict for given in verdicts_told} == {Verdict.SUCCEEDED}


@settings(max_examples=40)
@given(WALKS, st.sampled_from(["proposed", "signed", "running", "settling"]), st.booleans())
def test_all_parties_end_alike_with_the_same_record(
    steps: list[tuple[str, int, int]], prepared: str, resumes: bool
) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        asyncio.run(walk(folder, steps, prepared, resumes=resumes))
    finally:
        shutil.rmtree(folder)
