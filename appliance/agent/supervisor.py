"""Runs workers: a process for each job, watched, bounded, and ended when it must be.

A worker's crash, its hunger or a lost peer is a failed job with a cause, never a failed agent. Of
a service that resumes, a crash, here or at a peer, is the end of an attempt and not of the job.
"""

import asyncio
import logging
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from appliance.agent.config import ApplianceConfig
from appliance.agent.control import Finished, Found, InspectTable, Limits, Progressed, RunJob
from appliance.agent.conversation import PeerAborted, PeerResumed
from appliance.agent.frames import AbortCode, Status
from appliance.agent.relay import Relay, channel_pair
from appliance.agent.spares import Spares
from appliance.agent.watch import Failure, leave, watch
from appliance.agent.worker_process import WorkerProcess, WorkerUnstartable
from appliance.contracts.contract import Contract, write_contract
from appliance.contracts.terms import terms_of
from appliance.datasets.errors import DatasetError, revive
from appliance.datasets.source import Inspected, Source, Wanted, require_outside
from appliance.datasets.uploads import FOLDER as UPLOADED
from appliance.jobs.attempts import last_attempt, pause_seconds
from appliance.jobs.metering import Tally
from appliance.jobs.progress import Course, PeerReport, ProgressReport
from appliance.jobs.reasons import Reason
from appliance.jobs.results import SCRATCH
from services.errors import PeerProtocolError, ServiceError
from services.registry import SERVICES
from services.service import Service, Stage

MAX_FILE_BYTES: Final = 1 << 42
INSPECTION_SECONDS: Final = 6 * 3600
INSPECTIONS: Final = "scratch"

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Hears what becomes of jobs' workers; implemented by Jobs."""

    def worker_progressed(self, job_id: str, report: ProgressReport) -> None:
        """Hear how far our worker is."""

    def peer_progressed(self, job_id: str, rank: int, report: PeerReport) -> None:
        """Hear how far a peer's worker is."""

    def link_changed(self, job_id: str, rank: int, *, is_up: bool) -> None:
        """Hear that the link to a peer was lost or resumed."""

    async def worker_finished(
        self,
        job_id: str,
        summary: Mapping[str, int],
        files: Mapping[str, str],
        row_counts: Mapping[str, int],
    ) -> None:
        """Hear that our part is done, with the names of the result files, by output."""

    async def worker_failed(self, job_id: str, reason: Reason, what: str, remedy: str) -> None:
        """Hear that our worker could not do its part."""

    async def attempt_lost(self, job_id: str, following: int, what: str) -> None:
        """Hear that our run has been broken off, and why; the ``following`` attempt is due."""


@dataclass(kw_only=True)
class Run:
    """One job's worker while it lives; hears of the job's links too.

    cpu_before_milliseconds: what the worker took to start, before it was this job's.
    """

    job_id: str
    contract: Contract
    folder: Path
    worker: WorkerProcess
    limits: Limits
    service: Service
    attempt: int
    listener: Listener
    tally: Tally
    cpu_before_milliseconds: int
    trouble: "asyncio.Future[Failure]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    task: "asyncio.Task[None] | None" = None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The service's stages."""
        return self.service.stages

    @property
    def last_attempt(self) -> int:
        """The last attempt that any party may begin."""
        return last_attempt(resumes=self.service.resumes(terms_of(self.contract, self.service)))

    def measure(self) -> None:
        """Take down the processor time that the worker has used for the job."""
        used = self.worker.read_cpu_milliseconds() - self.cpu_before_milliseconds
        self.tally.cpu_milliseconds = max(self.tally.cpu_milliseconds, used)

    def following(self, failure: Failure) -> int | None:
        """Return the attempt to go on with after a failure, None if it is the job's."""
        if failure.is_crash and self.attempt < self.last_attempt:
            return self.attempt + 1
        return failure.attempt

    def peer_progressed(self, rank: int, status: Status) -> None:
        """Pass on what a peer's agent says of its worker."""
        report = PeerReport(stage=status.stage, fraction=status.fraction)
        self.listener.peer_progressed(self.job_id, rank, report)

    def link_changed(self, rank: int, *, is_up: bool) -> None:
        """Pass on that a link was lost or resumed."""
        self.listener.link_changed(self.job_id, rank, is_up=is_up)

    def channel_failed(self, rank: int, error: ServiceError) -> None:
        """Take note that the job cannot go on; nothing if its part here is over."""
        if not self.trouble.done():
            broke_rules = isinstance(error, PeerProtocolError)
            self.trouble.set_result(
                Failure(
                    reason=Reason.PEER_BROKE_RULES if broke_rules else Reason.PEER_LOST,
                    what=error.what,
                    remedy=error.remedy,
                    culprit=rank if broke_rules else None,
                    said_by_peer=isinstance(error, PeerAborted),
                    attempt=error.attempt if isinstance(error, PeerResumed) else None,
                )
            )


class Supervisor:
    """Starts, watches and ends workers: the Runner of Jobs and the Inspector of Datasets.

    Raises: what ``start`` and ``inspect`` cannot even begin, as WorkerUnstartable.
    """

    def __init__(self, config: ApplianceConfig, relay: Relay) -> None:
        self._config = config
        self._relay = relay
        self._spares = Spares(config)
        self._runs: dict[str, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: Listener | None = None
        self._scratch = config.state / INSPECTIONS
        # It stays the same folder, as systemd shows it to workers; what cut inspections left goes.
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        for left in self._scratch.iterdir():
            shutil.rmtree(left, ignore_errors=True)

    def tell(self, listener: Listener) -> None:
        """Tell ``listener`` from now on what becomes of jobs' workers."""
        self._listener = listener

    @property
    def confinement(self) -> tuple[str, ...]:
        """What workers give up on this machine, for people; more is known once one has run."""
        return self._spares.applied

    async def run(self) -> None:
        """Keep a worker ready for as long as the agent runs."""
        await self._spares.run()

    async def close(self) -> None:
        """End all workers. Peers hear that their jobs have failed, but for those that go on."""
        ends = (
            self._end(run, None if run.last_attempt else AbortCode.FAILED)
            for run in [*self._runs.values()]
        )
        await asyncio.gather(*ends)
        await self._spares.close()

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
        """Start the worker of a job, with ``folder`` for its results, and connect it to its peers.

        seconds: how long it may run. What its service has kept in earlier attempts is there again.
        tally: what the run takes is counted in it.

        Raises: WorkerUnstartable.
        """
        if self._listener is None or job_id in self._runs:
            raise WorkerUnstartable(f"job {job_id} cannot be started now")
        worker = await self._spares.take()
        run = Run(
            job_id=job_id,
            contract=contract,
            folder=folder,
            worker=worker,
            limits=self._limits(seconds),
            service=SERVICES[contract.service.name],
            attempt=attempt,
            listener=self._listener,
            tally=tally,
            cpu_before_milliseconds=worker.read_cpu_milliseconds(),
        )
        self._runs[job_id] = run
        try:
            await self._assign(run, rank, source)
        except OSError as error:
            await self._end(run, AbortCode.FAILED)
            raise WorkerUnstartable(
                f"the worker could not be given its work ({error.strerror})",
                remedy=f"is the disk that holds {self._config.state} full?",
            ) from None
        run.task = asyncio.create_task(self._attend(run))
        self._tasks.add(run.task)
        run.task.add_done_callback(self._tasks.discard)

    async def stop(self, job_id: str) -> None:
        """End the job's worker and channels, and tell no more of it. Harmless if there is none."""
        run = self._runs.get(job_id)
        if run is not None:
            await self._end(run, AbortCode.CANCELLED)

    async def inspect(self, wanted: Wanted) -> Inspected:
        """Read a table through in a worker. Raises: DatasetError, WorkerUnstartable."""
        state = self._config.state
        await asyncio.to_thread(require_outside, state, wanted.files, but=state / UPLOADED)
        limits = self._limits(INSPECTION_SECONDS)
        never: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        worker = await self._spares.take()
        try:
            with tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
                order = InspectTable(wanted=wanted, scratch=scratch, limits=limits)
                await worker.give(order)
                ended = await watch(worker, limits, trouble=never, progressed=lambda report: None)
        except OSError as error:
            raise WorkerUnstartable(
                f"the worker could not be given its work ({error.strerror})",
                remedy=f"is the disk that holds {self._config.state} full?",
            ) from None
        finally:
            await worker.end()
        match ended:
            case Found(inspected=inspected):
                return inspected
            case Failure(error=kind, what=what, remedy=remedy):
                raise revive(kind, what, remedy)
        raise DatasetError("the worker that read the table gave no answer")

    async def _assign(self, run: Run, rank: int, source: Source | None) -> None:
        peers = {n: party.node_id for n, party in enumerate(run.contract.parties) if n != rank}
        kept, scratch = await asyncio.to_thread(_make_scratch, run.folder.parent / SCRATCH)
        pairs = {other: channel_pair() for other in peers}
        self._relay.open(
            run.job_id,
            own_rank=rank,
            peers=peers,
            sockets={other: ours for other, (ours, _) in pairs.items()},
            grace_seconds=run.contract.limits.grace_seconds,
            stages={stage.name for stage in run.stages},
            watcher=run,
            attempt=run.attempt,
            last_attempt=run.last_attempt,
            tally=run.tally,
        )
        order = RunJob(
            contract=write_contract(run.contract),
            rank=rank,
            ranks=tuple(peers),
            source=source,
            results=str(run.folder),
            scratch=str(scratch),
            kept=str(kept),
            limits=run.limits,
        )
        theirs: list[socket.socket] = [worker_end for _, worker_end in pairs.values()]
        try:
            await run.worker.give(order, theirs)
        finally:
            for end in theirs:
                end.close()

    async def _attend(self, run: Run) -> None:
        """Watch a job's worker to its end, and tell the outcome."""
        following, what = None, ""
        try:
            ended = await watch(
                run.worker,
                run.limits,
                trouble=run.trouble,
                progressed=partial(self._pass_on, run),
            )
            run.measure()
            failure = await self._finish(run, ended) if isinstance(ended, Finished) else ended
            if isinstance(failure, Failure):
                following, what = run.following(failure), failure.what
                await (self._fail if following is None else self._break_off)(run, failure)
        except Exception:
            log.exception("the supervisor failed on job %s", run.job_id)
            what = "the agent failed on this job"
            await self._fail(run, Failure(reason=Reason.INTERNAL, what=what))
            following = None
        await self._forget(run)
        if following is not None:  # told last: the next run may begin at once
            await run.listener.attempt_lost(run.job_id, following, what)

    def _pass_on(self, run: Run, progressed: Progressed) -> None:
        report = ProgressReport(
            stage=progressed.stage,
            done=progressed.done,
            total=progressed.total,
            bytes_sent=progressed.bytes_sent,
            bytes_received=progressed.bytes_received,
            rounds=progressed.rounds,
            cpu_milliseconds=progressed.cpu_milliseconds,
        )
        run.measure()
        run.tally.rounds = report.rounds
        run.listener.worker_progressed(run.job_id, report)
        fraction = Course.begin(run.stages, 0.0).after_report(report, 0.0).fraction
        self._relay.tell_progress(run.job_id, Status(stage=report.stage, fraction=fraction))

    async def _finish(self, run: Run, finished: Finished) -> Failure | None:
        """Tell that the part here is done, and stay until the peers have done theirs.

        A peer that begins anew meanwhile is a Failure, after which our part is done again. It hears
        that we have ended only when that is on disk, and then never asks again.
        """
        await leave(run.worker)
        for result in finished.files.values():
            path = run.folder / result.name
            if path.name != result.name or path.is_symlink() or not path.is_file():
                what = "the worker named a result file that is not there"
                return Failure(reason=Reason.WORKER_CRASHED, what=what)
        files = {output: result.name for output, result in finished.files.items()}
        row_counts = {output: result.row_count for output, result in finished.files.items()}
        await run.listener.worker_finished(run.job_id, finished.summary, files, row_counts)
        await self._relay.finish(run.job_id)
        if run.trouble.done() and run.trouble.result().attempt is not None:
            return run.trouble.result()
        return None

    async def _break_off(self, run: Run, failure: Failure) -> None:
        """End an attempt: the peers hear of the next one when it begins."""
        log.info("job %s: attempt %d ends: %s", run.job_id, run.attempt + 1, failure.what)
        await run.worker.end()
        await self._relay.leave(run.job_id)
        if failure.is_crash:
            await asyncio.sleep(pause_seconds(run.attempt))

    async def _fail(self, run: Run, failure: Failure) -> None:
        log.info("job %s: %s", run.job_id, failure.what)
        await run.worker.end()
        if failure.said_by_peer:
            # Its verdict follows by letter, and then Jobs stops this run; unless the peer is lost.
            await asyncio.sleep(run.contract.limits.grace_seconds)
        abort = self._relay.abort(run.job_id, AbortCode.FAILED, culprit=failure.culprit)
        told = run.listener.worker_failed(run.job_id, failure.reason, failure.what, failure.remedy)
        await asyncio.gather(abort, told)

    async def _end(self, run: Run, code: AbortCode | None) -> None:
        """End a run from outside; peers hear the code, or nothing."""
        if run.task is not None:
            run.task.cancel()
            await asyncio.gather(run.task, return_exceptions=True)
        run.measure()
        await run.worker.end()
        if code is None:
            await self._relay.leave(run.job_id)
        else:
            await self._relay.abort(run.job_id, code)
        await self._forget(run)

    async def _forget(self, run: Run) -> None:
        if self._runs.pop(run.job_id, None) is None:
            return
        self._spares.applied = run.worker.applied
        await asyncio.to_thread(run.worker.write_log, run.folder.parent / _log_name(run.attempt))

    def _limits(self, seconds: int) -> Limits:
        return Limits(
            memory_bytes=self._config.worker_memory_bytes,
            file_bytes=MAX_FILE_BYTES,
            seconds=seconds,
            threads=self._config.worker_threads,
        )


def _make_scratch(folder: Path) -> tuple[Path, Path]:
    """Return where a job's service keeps its files, and an empty folder for all else."""
    kept, spill = folder / "kept", folder / "spill"
    shutil.rmtree(spill, ignore_errors=True)
    for each in (folder, kept, spill):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    return kept, spill


def _log_name(attempt: int) -> str:
    return f"worker-{attempt + 1}.log" if attempt else "worker.log"
