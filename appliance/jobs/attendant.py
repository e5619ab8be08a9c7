"""Does what a job's state calls for outside the database: examine, start, stop, release, expire.

Nothing here remembers what was done: each step looks at the state on disk and can be repeated, so
that an agent which was killed goes on where it stood.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from appliance.contracts.contract import Contract, parse_contract
from appliance.contracts.errors import ContractUnsigned
from appliance.contracts.signatures import require_signed_by_all
from appliance.governance.errors import PolicyRefuses
from appliance.identity.keys import IdentityKey
from appliance.identity.node_id import NodeId
from appliance.jobs import store as table
from appliance.jobs.attempts import is_due
from appliance.jobs.checks import Checks
from appliance.jobs.docket import Docket
from appliance.jobs.errors import Unfit
from appliance.jobs.figures import Figures
from appliance.jobs.live import LiveJob, LiveJobs
from appliance.jobs.metering import Meter, Tally
from appliance.jobs.needs import PeerBook, Runner
from appliance.jobs.progress import Course
from appliance.jobs.reasons import Reason
from appliance.jobs.results import ResultFolders
from appliance.jobs.states import IllegalTransition, JobState
from appliance.jobs.store import JobRow
from appliance.jobs.verdicts import Verdict
from appliance.jobs.views import find_service
from appliance.store.database import Store
from appliance.store.errors import StoreError
from services.errors import ServiceError
from services.service import Service

RETRY_SECONDS: Final = 5.0
FORGET_SECONDS: Final = 3600.0
KEEP_SECONDS: Final = 60.0
"""How much of what a run took may be lost with the agent."""

_LONGEST_TIMER_SECONDS: Final = 600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A job as the database tells it at one moment."""

    job_id: str
    state: JobState
    data: bytes
    rank: int
    is_proposer: bool
    expires_milliseconds: int
    began_milliseconds: int | None
    attempt: int
    verdict: Verdict | None


class Attendant:
    """Follows jobs from state to state. One job is attended to by one task at a time."""

    def __init__(
        self,
        store: Store,
        docket: Docket,
        figures: Figures,
        checks: Checks,
        key: IdentityKey,
        peers: PeerBook,
        services: Mapping[str, Service],
        runner: Runner,
        folders: ResultFolders,
        live: LiveJobs,
        idle_seconds: float,
        now_milliseconds: Callable[[], int],
    ) -> None:
        self._idle_seconds = idle_seconds
        self._store = store
        self._docket = docket
        self._figures = figures
        self._checks = checks
        self._key = key
        self._peers = peers
        self._services = services
        self._runner = runner
        self._folders = folders
        self._live = live
        self._now_milliseconds = now_milliseconds
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    def changed(self, job_id: str) -> None:
        """Tell those who watch that a job has changed, and have it attended to."""
        self._live.change(job_id)
        self._queue.put_nowait(job_id)

    async def recover(self) -> None:
        """Bring all jobs into a true state after a start, and have them attended to."""
        self._docket.start()
        await self._store.run(self._docket.interrupt)
        waiting = await self._store.run(table.unended_ids)
        for job_id in {*waiting, *self._folders.unfinished()}:
            self.changed(job_id)

    async def run(self) -> None:
        """Attend to jobs until cancelled."""
        async with asyncio.TaskGroup() as attendances:
            attendances.create_task(self._forget_old())
            attendances.create_task(self._keep_figures())
            while True:
                job_id = await self._queue.get()
                attendances.create_task(self._attend(job_id))

    async def release_results(self, job_id: str) -> None:
        """See to it that the results of a job that has succeeded lie where they are handed out."""
        async with self._live.of(job_id).lock:
            await asyncio.to_thread(self._folders.release, job_id)
        self._live.drop(job_id)

    async def _forget_old(self) -> None:
        while True:
            await asyncio.sleep(FORGET_SECONDS)
            try:
                await self._store.run(self._docket.forget_old)
            except StoreError as error:
                log.warning("old letters stay for now: %s", error.what)

    async def _keep_figures(self) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            await self.keep_figures()

    async def keep_figures(self) -> None:
        """Write down what jobs have taken so far, so that a crash loses little of it."""
        for job_id in self._live.metered():
            try:
                await self._change(job_id, self._figures.keep)
            except StoreError as error:
                log.warning("what job %s has taken is not kept for now: %s", job_id, error.what)

    async def _attend(self, job_id: str) -> None:
        live = self._live.of(job_id)
        async with live.lock:
            try:
                standing = await self._store.run(lambda session: _standing(session, job_id))
                if standing is None:
                    await asyncio.to_thread(self._folders.discard, job_id)
                else:
                    await self._step(standing, live)
            except (ServiceError, OSError) as error:
                log.warning("job %s is attended to again in a while: %s", job_id, error)
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._queue.put_nowait, job_id)
            except Exception:
                # An error of ours in one job is no reason to end all others with the agent.
                log.exception("job %s is attended to no more until it changes", job_id)

    async def _step(self, standing: Standing, live: LiveJob) -> None:
        live.disarm()
        job_id = standing.job_id
        match standing.state:
            case JobState.WAITING_APPROVAL | JobState.WAITING_PEERS:
                await self._wait(standing, live)
            case JobState.STARTING:
                await self._begin(standing, live)
            case JobState.RUNNING:
                await self._watch_progress(job_id, live)
            case JobState.SETTLING:
                if standing.verdict is not Verdict.SUCCEEDED:
                    await self._runner.stop(job_id)
                    await asyncio.to_thread(self._folders.discard, job_id)
                elif is_due(standing.attempt, live.begun):
                    await self._repeat(standing, live)
                elif live.is_repeating and not await self._may_run_on(job_id):
                    await self._runner.stop(job_id)
            case _:
                await self._runner.stop(job_id)
                if standing.state is JobState.SUCCEEDED:
                    await asyncio.to_thread(self._folders.release, job_id)
                else:
                    await asyncio.to_thread(self._folders.discard, job_id)
                self._live.drop(job_id)

    async def _wait(self, standing: Standing, live: LiveJob) -> None:
        seconds_left = (standing.expires_milliseconds - self._now_milliseconds()) / 1000
        if seconds_left <= 0:
            await self._change(standing.job_id, self._docket.expire)
            return
        live.timer = asyncio.get_running_loop().call_later(
            min(seconds_left + 0.01, _LONGEST_TIMER_SECONDS),
            self._queue.put_nowait,
            standing.job_id,
        )
        if standing.state is not JobState.WAITING_APPROVAL:
            return
        try:
            # What we propose was examined before.
            if not (standing.is_proposer or live.is_examined):
                contract = parse_contract(standing.data)
                await self._checks.require_fit(contract, standing.rank, explains=False)
                live.is_examined = True
            await self._change(standing.job_id, self._sign_by_rule)
        except Unfit as unfit:
            await self._refuse(standing.job_id, unfit)

    def _sign_by_rule(self, session: Session, row: JobRow) -> None:
        if row.job_state is JobState.WAITING_APPROVAL:
            self._docket.sign_by_rule(session, row)

    async def _refuse(self, job_id: str, unfit: Unfit) -> None:
        def work(session: Session, row: JobRow) -> None:
            if row.job_state is JobState.WAITING_APPROVAL:
                self._docket.stop(session, row, unfit)

        await self._change(job_id, work)

    async def _watch_progress(self, job_id: str, live: LiveJob) -> None:
        """End a run that has made no progress for too long, or look again when it may have."""
        if live.course is None:
            return
        still_seconds = live.course.moved + self._idle_seconds - time.monotonic()
        if still_seconds > 0:
            live.timer = asyncio.get_running_loop().call_later(
                still_seconds, self._queue.put_nowait, job_id
            )
            return
        what = f"neither the worker nor a peer has made progress for {self._idle_seconds:.0f} s"
        await self._fail(job_id, Reason.STALLED, what, Reason.STALLED.remedy)

    async def _begin(self, standing: Standing, live: LiveJob) -> None:
        """Start the worker: only with every signature, and the dataset that was signed."""
        job_id, rank = standing.job_id, standing.rank
        contract = parse_contract(standing.data)
        try:
            await self._store.run(lambda session: self._require_signed(session, job_id))
            source = await self._checks.require_dataset(contract, rank)
            staging = await asyncio.to_thread(self._folders.make_staging, job_id)
            seconds = self._seconds_left(standing, contract)
            tally = await self._begin_tally(job_id, live)
            await self._change(job_id, self._docket.begin)
            service = find_service(contract, self._services)
            live.begun = standing.attempt
            live.course = Course.begin(service.stages if service else (), time.monotonic())
            await self._runner.start(
                job_id,
                contract,
                rank,
                source,
                staging,
                attempt=standing.attempt,
                seconds=seconds,
                tally=tally,
            )
        except ContractUnsigned as error:
            await self._fail(job_id, Reason.INTERNAL, error.what, error.remedy)
        except Unfit as unfit:
            await self._stop(job_id, unfit)
        except IllegalTransition:  # it was cancelled meanwhile; that is attended to next
            return
        except StoreError:
            raise
        except (ServiceError, OSError) as error:
            remedy = error.remedy if isinstance(error, ServiceError) else ""
            await self._fail(job_id, Reason.UNSTARTABLE, str(error), remedy)

    async def _repeat(self, standing: Standing, live: LiveJob) -> None:
        """Do our part again for a peer that lost its own; what we have told and have stays."""
        job_id, rank = standing.job_id, standing.rank
        contract = parse_contract(standing.data)
        try:
            await self._change(job_id, self._docket.use)  # what was allowed may not be any more
            source = await self._checks.require_dataset(contract, rank)
            folder = await asyncio.to_thread(self._folders.make_repeat, job_id)
            seconds = self._seconds_left(standing, contract)
            tally = await self._begin_tally(job_id, live)
            live.begun, live.is_repeating = standing.attempt, True
            await self._runner.start(
                job_id,
                contract,
                rank,
                source,
                folder,
                attempt=standing.attempt,
                seconds=seconds,
                tally=tally,
            )
        except StoreError:
            raise
        except (ServiceError, OSError) as error:
            log.warning("job %s is not run again for its peers: %s", job_id, error)

    async def _begin_tally(self, job_id: str, live: LiveJob) -> Tally:
        """Return the tally of the next run, beside what earlier ones have taken."""
        if live.meter is None:
            kept = await self._store.run(lambda session: table.find_meter(session, job_id))
            live.meter = Meter(Tally() if kept is None else kept.tally)
        return live.meter.begin()

    async def _may_run_on(self, job_id: str) -> bool:
        """Tell whether our part may go on for a peer, as a policy is now and grants are.

        That the policy's time has ended ends nothing that runs.
        """
        try:
            await self._change(job_id, self._docket.use)
        except Unfit as unfit:
            refused = unfit.__cause__
            return isinstance(refused, PolicyRefuses) and refused.is_of_time
        return True

    def _seconds_left(self, standing: Standing, contract: Contract) -> int:
        """Return how long the job may run, all attempts together; Unfit if its time is over."""
        began = standing.began_milliseconds
        spent = 0 if began is None else max(0, self._now_milliseconds() - began) // 1000
        if spent >= contract.limits.most_seconds:
            what = f"all attempts together took longer than {contract.limits.most_seconds} s"
            raise Unfit(Reason.TIME, what)
        return contract.limits.most_seconds - spent

    def _require_signed(self, session: Session, job_id: str) -> None:
        row = table.find_job(session, job_id)
        if row is None:
            return
        contract = parse_contract(row.contract)
        signatures: dict[NodeId, bytes] = {}
        public_ders = {self._key.node_id: self._key.public_der}
        for party in table.parties_of(session, job_id):
            node_id = NodeId(party.node)
            pin = self._peers.find_paired(session, node_id)
            if pin is not None:
                public_ders[node_id] = pin.public_der
            if party.signature is not None:
                signatures[node_id] = party.signature
        require_signed_by_all(contract, row.contract, signatures, public_ders)

    async def _fail(self, job_id: str, reason: Reason, what: str, remedy: str) -> None:
        await self._stop(job_id, Unfit(reason, what, remedy=remedy))

    async def _stop(self, job_id: str, unfit: Unfit) -> None:
        def work(session: Session, row: JobRow) -> None:
            if row.job_state in (JobState.STARTING, JobState.RUNNING):
                self._docket.stop(session, row, unfit)

        # Not to be left undone: with the state RUNNING, nobody would attend to the job again.
        await self.insist(job_id, work)

    async def insist(self, job_id: str, work: Callable[[Session, JobRow], None]) -> None:
        """Change a job on disk, however long the disk refuses."""
        while True:
            try:
                await self._change(job_id, work)
            except StoreError as error:
                log.warning("job %s cannot be noted: %s; %s", job_id, error.what, error.remedy)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _change(self, job_id: str, work: Callable[[Session, JobRow], None]) -> None:
        def change(session: Session) -> None:
            row = table.find_job(session, job_id)
            if row is not None:
                work(session, row)

        await self._store.run(change)


def _standing(session: Session, job_id: str) -> Standing | None:
    row = table.find_job(session, job_id)
    if row is None:
        return None
    own = table.parties_of(session, job_id)[row.rank]
    return Standing(
        job_id=row.id,
        state=row.job_state,
        data=row.contract,
        rank=row.rank,
        is_proposer=row.rank == row.proposer_rank,
        expires_milliseconds=row.expires_milliseconds,
        began_milliseconds=row.began_milliseconds,
        attempt=row.attempt,
        verdict=None if own.verdict is None else Verdict(own.verdict),
    )
