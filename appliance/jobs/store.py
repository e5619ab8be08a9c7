"""The jobs' tables, and the questions that are asked of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ForeignKey, Select, and_, delete, func, or_, select
from sqlalchemy.orm import Mapped, Session, aliased, defer, mapped_column

from appliance.identity.node_id import NodeId
from appliance.jobs.metering import Tally
from appliance.jobs.states import ENDED, JobState
from appliance.jobs.verdicts import GivenVerdict, Position, Verdict
from appliance.store.schema import Row


class JobRow(Row):
    """A job. ``cause`` and ``remedy`` are what this node alone knows of its own verdict.

    ``contract`` is empty if this node refused it by itself: of that no more is kept than is shown.
    """

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    contract: Mapped[bytes]
    digest: Mapped[str]
    # As the contract says, for lists.
    service: Mapped[str]
    created_milliseconds: Mapped[int]
    # Our own rank, and the proposer's.
    rank: Mapped[int]
    proposer_rank: Mapped[int]
    state: Mapped[str]
    opened_milliseconds: Mapped[int]
    expires_milliseconds: Mapped[int]
    # When the first attempt began, and the present one's number; see attempts.py.
    began_milliseconds: Mapped[int | None]
    attempt: Mapped[int]
    ended_milliseconds: Mapped[int | None]
    cause: Mapped[str]
    remedy: Mapped[str]
    # JSON: figures of the outcome, and of each result file its name and row count.
    summary: Mapped[str]
    files: Mapped[str]
    row_counts: Mapped[str]
    # JSON of the last ProgressReport, empty before the worker is done.
    progress: Mapped[str]

    @property
    def job_state(self) -> JobState:
        """The state as a value."""
        return JobState(self.state)


class JobMeterRow(Row):
    """What a job that has begun had taken here when this was written last; see metering.py."""

    __tablename__ = "job_meters"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    bytes_sent: Mapped[int]
    bytes_received: Mapped[int]
    rounds: Mapped[int]
    cpu_milliseconds: Mapped[int]
    # When our own verdict was given: what comes after is waiting for others.
    verdict_milliseconds: Mapped[int | None]

    @property
    def tally(self) -> Tally:
        """The figures as a value."""
        return Tally(
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
            rounds=self.rounds,
            cpu_milliseconds=self.cpu_milliseconds,
        )


class JobPartyRow(Row):
    """One party of a job, by the proposer's name for it, with what it has signed and said."""

    __tablename__ = "job_parties"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    signature: Mapped[bytes | None]
    verdict: Mapped[str | None]
    reason: Mapped[str]
    note: Mapped[str]


class JobApprovalRow(Row):
    """That somebody here approved a job's contract, with what their name was then."""

    __tablename__ = "job_approvals"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    at_milliseconds: Mapped[int]


class JobEventRow(Row):
    """Something that happened to a job, for people."""

    __tablename__ = "job_events"

    number: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    at_milliseconds: Mapped[int]
    state: Mapped[str]
    text: Mapped[str]


class EarlyLetterRow(Row):
    """A party's letter about a job whose proposal has not come yet, from another party."""

    __tablename__ = "job_early_letters"

    number: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(index=True)
    node: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    body: Mapped[bytes]
    at_milliseconds: Mapped[int]


def find_job(session: Session, job_id: str) -> JobRow | None:
    """Return a job by its whole id."""
    return session.get(JobRow, job_id)


def find_jobs_beginning(session: Session, beginning: str) -> Sequence[JobRow]:
    """Return up to two jobs whose ids begin so."""
    query = select(JobRow).where(JobRow.id.startswith(beginning, autoescape=True))
    return session.scalars(query.limit(2)).all()


def all_jobs(session: Session, *states: JobState) -> Sequence[JobRow]:
    """Return the jobs in some states, or all, newest first."""
    query = select(JobRow).order_by(JobRow.opened_milliseconds.desc(), JobRow.id)
    if states:
        query = query.where(JobRow.state.in_([state.value for state in states]))
    return session.scalars(query).all()


def count_jobs(session: Session, state: JobState) -> int:
    """Return how many jobs are in a state."""
    query = select(func.count()).select_from(JobRow).where(JobRow.state == state.value)
    return session.scalars(query).one()


def page_of_jobs(
    session: Session, *states: JobState, most: int, after: JobRow | None
) -> Sequence[JobRow]:
    """Return up to ``most`` jobs in some states, or of all, newest first, without contracts.

    ``after`` is the last one of the page before.
    """
    query = select(JobRow).order_by(JobRow.opened_milliseconds.desc(), JobRow.id)
    if states:
        query = query.where(JobRow.state.in_([state.value for state in states]))
    if after is not None:
        opened = after.opened_milliseconds
        is_older = JobRow.opened_milliseconds < opened
        query = query.where(
            or_(is_older, and_(JobRow.opened_milliseconds == opened, JobRow.id > after.id))
        )
    return session.scalars(query.limit(most).options(defer(JobRow.contract))).all()


def unended_ids(session: Session) -> Sequence[str]:
    """Return the ids of the jobs that have not ended."""
    query = select(JobRow.id).where(JobRow.state.not_in([state.value for state in ENDED]))
    return session.scalars(query).all()


def unsigned_size(session: Session, proposer: NodeId) -> tuple[int, int]:
    """Return how many jobs of a proposer this node has not signed, and their contracts' bytes."""
    query = _unsigned_by_us(
        select(func.count(), func.coalesce(func.sum(func.length(JobRow.contract)), 0)), proposer
    )
    count, size_bytes = session.execute(query).one()
    return count, size_bytes


def oldest_refused(session: Session, proposer: NodeId, most: int) -> Sequence[str]:
    """Return ids of ended jobs of a proposer that this node has not signed, to be forgotten first.

    Those that nobody here ever decided on come first, then the oldest.
    """
    query = _unsigned_by_us(select(JobRow.id), proposer)
    query = query.where(JobRow.state.in_([state.value for state in ENDED]))
    decided = func.length(JobRow.contract) > 0
    return session.scalars(query.order_by(decided, JobRow.opened_milliseconds).limit(most)).all()


def _unsigned_by_us(query: Select[Any], proposer: NodeId) -> Select[Any]:
    own, theirs = aliased(JobPartyRow), aliased(JobPartyRow)
    return (
        query.select_from(JobRow)
        .join(own, (own.job_id == JobRow.id) & (own.rank == JobRow.rank))
        .join(theirs, (theirs.job_id == JobRow.id) & (theirs.rank == JobRow.proposer_rank))
        .where(own.signature.is_(None), theirs.node == proposer.text)
    )


def forget_job(session: Session, job_id: str) -> None:
    """Forget a job and all that was noted of it."""
    session.execute(delete(JobApprovalRow).where(JobApprovalRow.job_id == job_id))
    session.execute(delete(JobEventRow).where(JobEventRow.job_id == job_id))
    session.execute(delete(JobPartyRow).where(JobPartyRow.job_id == job_id))
    session.execute(delete(JobMeterRow).where(JobMeterRow.job_id == job_id))
    session.execute(delete(JobRow).where(JobRow.id == job_id))


def find_meter(session: Session, job_id: str) -> JobMeterRow | None:
    """Return what a job has taken, as it was written last; None of one that has not begun."""
    return session.get(JobMeterRow, job_id)


def keep_tally(session: Session, job_id: str, tally: Tally) -> JobMeterRow:
    """Write down what a job has taken so far."""
    kept = find_meter(session, job_id)
    if kept is None:
        kept = JobMeterRow(job_id=job_id, verdict_milliseconds=None)
        session.add(kept)
    kept.bytes_sent, kept.bytes_received = tally.bytes_sent, tally.bytes_received
    kept.rounds, kept.cpu_milliseconds = tally.rounds, tally.cpu_milliseconds
    return kept


def end_meter(session: Session, job_id: str, now_milliseconds: int) -> None:
    """Note that a job's time ends here, as our verdict is given."""
    kept = find_meter(session, job_id) or keep_tally(session, job_id, Tally())
    kept.verdict_milliseconds = now_milliseconds


def unended_jobs(session: Session) -> Sequence[JobRow]:
    """Return the jobs that have not ended."""
    query = select(JobRow).where(JobRow.state.not_in([state.value for state in ENDED]))
    return session.scalars(query).all()


def unended_jobs_with(session: Session, node_id: NodeId) -> Sequence[JobRow]:
    """Return the jobs with this party that have not ended."""
    query = (
        select(JobRow)
        .join(JobPartyRow, JobPartyRow.job_id == JobRow.id)
        .where(JobPartyRow.node == node_id.text)
        .where(JobRow.state.not_in([state.value for state in ENDED]))
    )
    return session.scalars(query).all()


def unended_parties(session: Session) -> Sequence[NodeId]:
    """Return the parties of jobs that have not ended."""
    query = (
        select(JobPartyRow.node)
        .join(JobRow, JobPartyRow.job_id == JobRow.id)
        .where(JobRow.state.not_in([state.value for state in ENDED]))
        .distinct()
    )
    return [NodeId(node) for node in session.scalars(query)]


def count_unended_by(session: Session, proposer: NodeId) -> int:
    """Return how many jobs that this node proposed have not ended."""
    query = (
        select(func.count())
        .select_from(JobRow)
        .join(
            JobPartyRow,
            (JobPartyRow.job_id == JobRow.id) & (JobPartyRow.rank == JobRow.proposer_rank),
        )
        .where(JobPartyRow.node == proposer.text)
        .where(JobRow.state.not_in([state.value for state in ENDED]))
    )
    return session.scalars(query).one()


def parties_of(session: Session, job_id: str) -> Sequence[JobPartyRow]:
    """Return a job's parties by rank."""
    query = select(JobPartyRow).where(JobPartyRow.job_id == job_id).order_by(JobPartyRow.rank)
    return session.scalars(query).all()


def parties_of_all(session: Session, rows: Sequence[JobRow]) -> Mapping[str, list[JobPartyRow]]:
    """Return the parties of several jobs by rank, without asking for each."""
    found: dict[str, list[JobPartyRow]] = {row.id: [] for row in rows}
    query = select(JobPartyRow).where(JobPartyRow.job_id.in_(found)).order_by(JobPartyRow.rank)
    for party in session.scalars(query):
        found[party.job_id].append(party)
    return found


def approvals_of(session: Session, job_id: str) -> Sequence[JobApprovalRow]:
    """Return who has approved a job here, the first first."""
    query = select(JobApprovalRow).where(JobApprovalRow.job_id == job_id)
    order = (JobApprovalRow.at_milliseconds, JobApprovalRow.person)
    return session.scalars(query.order_by(*order)).all()


def positions_of(row: JobRow, parties: Sequence[JobPartyRow]) -> list[Position]:
    """Return where a job's parties stand."""
    given = {verdict.rank: verdict for verdict in verdicts_of(parties)}
    return [
        Position(
            rank=party.rank,
            is_proposer=party.rank == row.proposer_rank,
            has_signed=party.signature is not None,
            given=given.get(party.rank),
        )
        for party in parties
    ]


def verdicts_of(parties: Sequence[JobPartyRow]) -> list[GivenVerdict]:
    """Return the verdicts that are known."""
    return [
        GivenVerdict(
            rank=party.rank, verdict=Verdict(party.verdict), reason=party.reason, note=party.note
        )
        for party in parties
        if party.verdict is not None
    ]


def events_of(session: Session, job_id: str) -> Sequence[JobEventRow]:
    """Return a job's events, oldest first."""
    query = select(JobEventRow).where(JobEventRow.job_id == job_id).order_by(JobEventRow.number)
    return session.scalars(query).all()


def add_event(session: Session, row: JobRow, at_milliseconds: int, text: str) -> None:
    """Note what happened to a job, with the state that it is in since."""
    event = JobEventRow(job_id=row.id, at_milliseconds=at_milliseconds, state=row.state, text=text)
    session.add(event)
    session.flush()


def count_early(session: Session, node_id: NodeId) -> int:
    """Return how many early letters of a node are kept."""
    query = select(func.count()).select_from(EarlyLetterRow)
    return session.scalars(query.where(EarlyLetterRow.node == node_id.text)).one()


def take_early(session: Session, job_id: str) -> Sequence[EarlyLetterRow]:
    """Return the early letters about a job, in the order of their coming, and forget them."""
    query = select(EarlyLetterRow).where(EarlyLetterRow.job_id == job_id)
    letters = session.scalars(query.order_by(EarlyLetterRow.number)).all()
    session.execute(delete(EarlyLetterRow).where(EarlyLetterRow.job_id == job_id))
    return letters


def forget_early(
    session: Session, *, before_milliseconds: int = 0, node_id: NodeId | None = None
) -> None:
    """Forget early letters that are old, or all of one node."""
    old = EarlyLetterRow.at_milliseconds < before_milliseconds
    session.execute(
        delete(EarlyLetterRow).where(
            old if node_id is None else EarlyLetterRow.node == node_id.text
        )
    )
