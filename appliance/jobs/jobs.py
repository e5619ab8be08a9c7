"""Jobs: what operators, peers' letters and workers may do to them, and how they stand."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from appliance.accounts.principals import Person
from appliance.accounts.roles import Power
from appliance.contracts.contract import Contract, parse_contract, write_contract
from appliance.contracts.terms import terms_of
from appliance.governance.errors import PolicyRefuses
from appliance.governance.governor import Governor
from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId
from appliance.jobs import store as table
from appliance.jobs.attendant import Attendant
from appliance.jobs.checks import Checks, JobLimits
from appliance.jobs.compose import Composer, Named, Submission
from appliance.jobs.docket import Docket
from appliance.jobs.errors import (
    ContractExpired,
    DigestDiffers,
    JobAmbiguous,
    JobNotFound,
    NoResult,
    NoteInvalid,
    RejectionNotYours,
)
from appliance.jobs.figures import Figures
from appliance.jobs.live import LiveJobs
from appliance.jobs.needs import DatasetBook, PeerBook, Runner
from appliance.jobs.progress import PeerReport, ProgressReport
from appliance.jobs.reasons import Reason
from appliance.jobs.records import Records
from appliance.jobs.results import ResultFolders
from appliance.jobs.revision import Revision
from appliance.jobs.states import IllegalTransition, JobEvent, JobState
from appliance.jobs.store import JobRow
from appliance.jobs.verdicts import Verdict
from appliance.jobs.views import JobView, brief_of, find_service, progress_of, view_of
from appliance.ledger.ledger import Ledger
from appliance.mailbox.inbox import Handler
from appliance.mailbox.letters import JobProposed, JobSigned, Kind, Refusal
from appliance.mailbox.outbox import Outbox
from appliance.store.database import Store
from services.errors import ConfigError
from services.service import Service

MOST_NOTE_CHARACTERS: Final = 200
PAGE_JOBS: Final = 100
MOST_PAGE_JOBS: Final = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Some jobs, newest first, without their contracts; ``more`` if there are older ones."""

    views: tuple[JobView, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """Where a job's results lie on this node, and how many rows each has, by output name."""

    files: Mapping[str, Path]
    row_counts: Mapping[str, int]


class Jobs:
    """All jobs of this node.

    ``ended`` is told, in the transaction, of the other parties of each signed job that ends.
    ``may_approve`` tells whether one of this node's people, by id, may approve jobs now.
    ``revision`` ends those that are not allowed any more.

    Call :meth:`recover` before letters are read, then :meth:`run` for as long as the agent runs.
    """

    def __init__(
        self,
        *,
        store: Store,
        outbox: Outbox,
        key: IdentityKey,
        own_name: str,
        peers: PeerBook,
        datasets: DatasetBook,
        services: Mapping[str, Service],
        governor: Governor,
        ledger: Ledger,
        ended: Callable[[Session, Sequence[NodeId]], None],
        may_approve: Callable[[str], bool],
        runner: Runner,
        folder: Path,
        limits: JobLimits,
        now_milliseconds: Callable[[], int],
    ) -> None:
        self._own = Named(node_id=key.node_id, name=own_name)
        self._store, self._peers, self._services = store, peers, services
        self._governor, self._now_milliseconds = governor, now_milliseconds
        self._live, self._folders = LiveJobs(), ResultFolders(folder)
        self._checks = Checks(
            store=store,
            services=services,
            peers=peers,
            datasets=datasets,
            limits=limits,
            now_milliseconds=now_milliseconds,
        )
        self._composer = Composer(
            own=self._own,
            store=store,
            services=services,
            peers=peers,
            datasets=datasets,
            now_milliseconds=now_milliseconds,
        )
        self._records, figures = Records(ledger, services), Figures(self._live, now_milliseconds)
        told = (self._require_terms, self._resumes, now_milliseconds, self._have_attended)
        self._docket = Docket(
            outbox, key, peers, governor, self._records, ended, *told, figures, may_approve
        )
        self.revision = Revision(self._docket)
        self._attendant = Attendant(
            store=store,
            docket=self._docket,
            figures=figures,
            checks=self._checks,
            key=key,
            peers=peers,
            services=services,
            runner=runner,
            folders=self._folders,
            live=self._live,
            idle_seconds=limits.idle_seconds,
            now_milliseconds=now_milliseconds,
        )
        self._hear_of_refusals(outbox)

    def _hear_of_refusals(self, outbox: Outbox) -> None:
        outbox.when_refused(Kind.JOB_PROPOSED, self._on_proposal_refused)
        outbox.when_refused(Kind.JOB_SIGNED, self._on_signature_refused)

    def handlers(self) -> dict[Kind, Handler]:
        """Return what the inbox calls for letters about jobs."""
        return {
            Kind.JOB_PROPOSED: self._docket.admit,
            Kind.JOB_SIGNED: self._docket.take_signature,
            Kind.JOB_VERDICT: self._docket.take_verdict,
        }

    async def recover(self) -> None:
        """Bring all jobs into a true state after a start, and go on with those that can."""
        await self._attendant.recover()

    async def run(self) -> None:
        """Attend to jobs until cancelled."""
        await self._attendant.run()

    async def keep_figures(self) -> None:
        """Write down what jobs have taken so far; for an agent that is about to stop."""
        await self._attendant.keep_figures()

    async def submit(self, submission: Submission, by: Person) -> JobView:
        """Compose and check a contract, and propose it to its other parties once it is approved.

        Whoever may approve jobs does so by submitting one; our policy may ask for others besides.
        Raises: Unfit, PolicyRefuses, SubmissionInvalid, ServiceUnknown, and what the peer and
        dataset books do.
        """
        contract = await self._composer.compose(submission)
        data = write_contract(contract)
        await self._checks.require_fit(contract, contract.proposer)
        try:
            await self._store.run(lambda session: self._docket.propose(session, contract, data, by))
        except PolicyRefuses as refused:
            await self._store.run(
                partial(self._records.refused, contract=contract, data=data, why=refused, by=by)
            )
            raise
        return await self.get(contract.id)

    async def list(self, *, waiting: bool = False, after: str = "", most: int = 0) -> JobPage:
        """Return the newest jobs, or of those that wait for this node's approval.

        ``after`` is the last job of the page before; JobNotFound if it was forgotten meanwhile.
        """
        states = (JobState.WAITING_APPROVAL,) if waiting else ()
        count = min(most or PAGE_JOBS, MOST_PAGE_JOBS)

        def work(session: Session) -> JobPage:
            last = _get(session, after) if after else None
            rows = table.page_of_jobs(session, *states, most=count + 1, after=last)
            parties, names = table.parties_of_all(session, rows), self._names(session)
            views = (brief_of(row, parties[row.id], self._services, names) for row in rows[:count])
            return JobPage(views=tuple(views), more=len(rows) > count)

        return await self._store.run(work)

    async def get(self, job_id: str) -> JobView:
        """Return a job by its id or a beginning of it; JobNotFound, JobAmbiguous."""
        view = await self._store.run(lambda session: self._view(session, _get(session, job_id)))
        return self._with_progress(view)

    async def approve(self, job_id: str, digest: str, by: Person) -> JobView:
        """Approve the contract with this digest, which has been read, and sign it if that suffices.

        Raises: DigestDiffers, ContractExpired, Unfit, PolicyRefuses, ApprovedBefore,
        IllegalTransition; the job then still waits.
        """
        row = await self._store.run(
            lambda session: self._require_approvable(session, job_id, digest)
        )
        await self._checks.require_fit(parse_contract(row.contract), row.rank)

        def work(session: Session) -> None:
            self._docket.approve(session, self._require_approvable(session, row.id, digest), by)

        await self._store.run(work)
        return await self.get(row.id)

    async def reject(self, job_id: str, by: Person, note: str = "") -> JobView:
        """Refuse a contract that waits for approval; the other parties are told the note.

        Raises: NoteInvalid, IllegalTransition.
        """
        if len(note) > MOST_NOTE_CHARACTERS or not note.isprintable():
            raise NoteInvalid(MOST_NOTE_CHARACTERS)

        def work(session: Session) -> str:
            row = _get(session, job_id)
            if row.job_state is not JobState.WAITING_APPROVAL:
                raise IllegalTransition(row.job_state, JobEvent.APPROVED)
            reason = Reason.OPERATOR_REJECTED
            self._docket.stop_for(session, row, Verdict.REJECTED, reason, by, note)
            return row.id

        return await self.get(await self._store.run(work))

    async def cancel(self, job_id: str, by: Person) -> JobView:
        """Stop a job on all nodes. To stop what a peer proposes, unsigned, is to reject it.

        Raises: IllegalTransition once this node's verdict has been given; RejectionNotYours.
        """

        def work(session: Session) -> str:
            row = _get(session, job_id)
            is_ours = row.rank == row.proposer_rank
            if row.job_state is JobState.WAITING_APPROVAL and not is_ours:
                if Power.APPROVE_JOBS not in by.powers:
                    raise RejectionNotYours(row.id)
                verdict, reason = Verdict.REJECTED, Reason.OPERATOR_REJECTED
            else:
                verdict, reason = Verdict.CANCELLED, Reason.OPERATOR_CANCELLED
            self._docket.stop_for(session, row, verdict, reason, by, "")
            return row.id

        return await self.get(await self._store.run(work))

    async def watch(self, job_id: str) -> AsyncIterator[JobView]:
        """Give the job as it is, and again after each change and progress, until it has ended."""
        view = await self.get(job_id)
        live = self._live.of(view.id)
        changed = asyncio.Event()
        live.watchers.add(changed)
        version = -1
        try:
            while True:
                changed.clear()
                if version != live.version:
                    version = live.version
                    view = await self.get(view.id)
                else:
                    view = self._with_progress(view)
                yield view
                if view.state.has_ended:
                    return
                await changed.wait()
        finally:
            live.watchers.discard(changed)
            if view.state.has_ended and not live.watchers:
                self._live.drop(view.id)

    async def result(self, job_id: str) -> JobResult:
        """Return where the job's results lie; NoResult if there are none on this node."""
        row = await self._store.run(lambda session: _get(session, job_id))
        if row.job_state is not JobState.SUCCEEDED:
            remedy = "see why" if row.job_state.has_ended else "see what it waits for"
            raise NoResult(
                f"job {row.id} {row.job_state.phrase}, so there is no result",
                remedy=f'{remedy}: "coffer jobs show {row.id}"',
            )
        if row.files == "{}":
            raise NoResult(
                f"job {row.id} gave this node no output",
                remedy=f'see who receives what: "coffer jobs show {row.id}"',
            )
        await self._attendant.release_results(row.id)
        names: dict[str, str] = json.loads(row.files)
        files = {output: self._folders.path_of(row.id, name) for output, name in names.items()}
        missing = [path for path in files.values() if not path.is_file()]
        if missing:
            raise NoResult(f"the result file {missing[0]} is gone", remedy="run the job again")
        return JobResult(files=files, row_counts=json.loads(row.row_counts))

    async def result_file(self, job_id: str, output: str) -> Path:
        """Return where one of the job's results lies; NoResult if there is none on this node."""
        files = (await self.result(job_id)).files
        if output not in files:
            raise NoResult(
                f"the job gave this node no output {output[:64]!r}",
                remedy=f"it has: {', '.join(sorted(files))}",
            )
        return files[output]

    async def waiting_count(self) -> int:
        """Return how many jobs wait for this node's approval."""
        return await self._store.run(
            lambda session: table.count_jobs(session, JobState.WAITING_APPROVAL)
        )

    async def part_from(self, node_id: NodeId) -> None:
        """End all jobs with a peer that is no longer paired."""
        await self._store.run(lambda session: self._docket.part_from(session, node_id))

    def worker_progressed(self, job_id: str, report: ProgressReport) -> None:
        """Take note of how far our worker has come."""
        now = time.monotonic()
        self._live.follow(job_id, lambda course: course.after_report(report, now))

    def peer_progressed(self, job_id: str, rank: int, report: PeerReport) -> None:
        """Take note of how far a peer's worker has come, as its agent says."""
        self._live.follow(job_id, lambda course: course.after_peer_report(rank, report))

    def link_changed(self, job_id: str, rank: int, *, is_up: bool) -> None:
        """Take note that the job's link to a peer was lost, or resumed."""
        self._live.follow(job_id, lambda course: course.after_link(rank, is_up=is_up))

    async def worker_finished(
        self,
        job_id: str,
        summary: Mapping[str, int],
        files: Mapping[str, str],
        row_counts: Mapping[str, int],
    ) -> None:
        """Take in that our part is done, with the names of the files in staging, by output."""

        def work(session: Session, row: JobRow) -> None:
            if row.job_state is not JobState.RUNNING:
                return
            row.summary = json.dumps(dict(summary))
            row.files = json.dumps(dict(files))
            row.row_counts = json.dumps(dict(row_counts))
            self._docket.give_verdict(session, row, Verdict.SUCCEEDED, Reason.COMPLETED)

        await self._attendant.insist(job_id, work)

    async def worker_failed(self, job_id: str, reason: Reason, what: str, remedy: str) -> None:
        """Take in that our worker could not do its part; what and remedy are told here only.

        Once the run depends on its result, the others do not hear even the reason.
        """
        course = self._live.course_of(job_id)
        knows_result = course is not None and course.knows_result
        cause, to_do = what or reason.sentence, remedy or reason.remedy

        def work(session: Session, row: JobRow) -> None:
            if row.job_state is JobState.RUNNING:
                self._docket.fail(session, row, reason, cause, to_do, knows_result=knows_result)

        await self._attendant.insist(job_id, work)

    async def attempt_lost(self, job_id: str, following: int, what: str) -> None:
        """Take in that our run was broken off, and why; the ``following`` attempt is due."""
        await self._attendant.insist(
            job_id,
            lambda session, row: self._docket.lose_attempt(session, row, following, what),
        )

    def _have_attended(self, job_id: str) -> None:
        self._attendant.changed(job_id)

    def _require_terms(self, contract: Contract) -> None:
        rank = contract.rank_of(self._own.node_id)
        if rank is not None:
            self._checks.require_terms(contract, rank)

    def _resumes(self, contract: Contract) -> bool:
        service = find_service(contract, self._services)
        return service is not None and service.resumes(terms_of(contract, service))

    def _names(self, session: Session) -> Mapping[NodeId, str]:
        return {**self._peers.names(session), self._own.node_id: self._own.name}

    def _view(self, session: Session, row: JobRow) -> JobView:
        view = view_of(session, row, self._services, self._names(session))
        if row.job_state is not JobState.WAITING_APPROVAL:
            return view
        try:
            contract = parse_contract(row.contract)
            permit = self._governor.require_allowed(session, contract, row.rank)
        except ConfigError as refused:  # by the policy, or a service that is another by now
            return replace(view, cause=refused.what, remedy=refused.remedy)
        return replace(view, approvals_needed=permit.approvals)

    def _with_progress(self, view: JobView) -> JobView:
        course = self._live.course_of(view.id)
        if course is None or view.state not in (JobState.RUNNING, JobState.SETTLING):
            return view
        return replace(view, progress=progress_of(course, time.monotonic()))

    def _require_approvable(self, session: Session, job_id: str, digest: str) -> JobRow:
        row = _get(session, job_id)
        row.job_state.after(JobEvent.APPROVED)
        if row.digest != digest:
            raise DigestDiffers(row.id)
        if row.expires_milliseconds <= self._now_milliseconds():
            raise ContractExpired(row.id)
        return row

    def _on_proposal_refused(
        self, session: Session, peer: NodeId, body: JobProposed, refusal: Refusal
    ) -> None:
        self._docket.end_refused(session, peer, self._docket.proposed_id(body), refusal)

    def _on_signature_refused(
        self, session: Session, peer: NodeId, body: JobSigned, refusal: Refusal
    ) -> None:
        self._docket.end_refused(session, peer, body.job_id, refusal)


def _get(session: Session, named: str) -> JobRow:
    job_id = named.casefold()
    row = table.find_job(session, job_id)
    if row is not None:
        return row
    found = table.find_jobs_beginning(session, job_id) if job_id else []
    if not found:
        raise JobNotFound(job_id)
    if len(found) > 1:
        raise JobAmbiguous(job_id)
    return found[0]
