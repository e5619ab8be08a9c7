"""Watches one worker until it is done or cannot go on, and says which, with the cause."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from appliance.agent.control import (
    Confined,
    Failed,
    Finished,
    Found,
    Limits,
    Progressed,
    WorkerSpokeNonsense,
)
from appliance.agent.worker_process import WorkerProcess
from appliance.jobs.reasons import Reason

MEMORY_POLL_SECONDS: Final = 0.1
REPORT_PAUSE_SECONDS: Final = 0.02
EXIT_SECONDS: Final = 5.0
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a worker could not do its part.

    error:        the class of the worker's own error, if it told one.
    culprit:      the rank of the peer that broke the rules, if one did.
    said_by_peer: a peer has ended the job: its own verdict, which follows, says why.
    is_crash:     the worker ended without a word of why, so that another may do better.
    attempt:      the one that a peer has begun, having lost its own worker.
    """

    reason: Reason
    what: str
    remedy: str = ""
    error: str = ""
    culprit: int | None = None
    said_by_peer: bool = False
    is_crash: bool = False
    attempt: int | None = None


Ended = Finished | Found | Failure


async def watch(
    worker: WorkerProcess,
    limits: Limits,
    *,
    trouble: "asyncio.Future[Failure]",
    progressed: Callable[[Progressed], None],
) -> Ended:
    """Return how it ended; the process may still run. ``trouble`` is what others find wrong."""
    # What is found from outside explains what the worker then meets, so it comes first.
    ways: tuple[Coroutine[Any, Any, Ended], ...] = (
        _await_trouble(trouble),
        _watch_memory(worker, limits.memory_bytes),
        _watch_time(limits.seconds),
        _hear(worker, progressed),
    )
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def leave(worker: WorkerProcess) -> None:
    """Wait for a worker that has said its last word to end; help it if it does not."""
    try:
        async with asyncio.timeout(EXIT_SECONDS):
            await worker.wait()
    except TimeoutError:
        await worker.end()


async def _await_trouble(trouble: "asyncio.Future[Failure]") -> Failure:
    return await asyncio.shield(trouble)


async def _watch_memory(worker: WorkerProcess, most_bytes: int) -> Failure:
    while (held_bytes := worker.memory_bytes) <= most_bytes:
        worker.read_cpu_milliseconds()  # of one that crashes, the last reading is all there is
        await asyncio.sleep(MEMORY_POLL_SECONDS)
    return Failure(
        reason=Reason.MEMORY,
        what=f"the worker held {held_bytes // _MIB} MiB of memory, {most_bytes // _MIB} MiB is the"
        " limit",
        remedy="raise worker_memory_bytes in coffer.toml, or use a smaller dataset",
    )


async def _watch_time(most_seconds: int) -> Failure:
    await asyncio.sleep(most_seconds)
    return Failure(
        reason=Reason.TIME,
        what=f"the worker ran longer than {most_seconds} s, all that it was given",
        remedy="submit the job again with a longer limit",
    )


async def _hear(worker: WorkerProcess, progressed: Callable[[Progressed], None]) -> Ended:
    while True:
        try:
            report = await worker.receive()
        except WorkerSpokeNonsense as error:
            return Failure(reason=Reason.WORKER_CRASHED, what=error.what)
        match report:
            case Finished() | Found():
                return report
            case Failed():
                return _told(report)
            case Progressed():
                progressed(report)
                await asyncio.sleep(REPORT_PAUSE_SECONDS)  # a worker must not keep us busy
            case Confined():
                worker.applied += report.applied
            case None:
                return await _crashed(worker)
            case _:
                what = "the worker sent a report that was not due"
                return Failure(reason=Reason.WORKER_CRASHED, what=what)


def _told(report: Failed) -> Failure:
    reason = Reason.parse(report.reason)
    return Failure(
        reason=reason,
        what=report.what,
        remedy=report.remedy,
        error=report.error,
        culprit=report.rank if reason in (Reason.PEER_BROKE_RULES, Reason.CHEATING) else None,
    )


async def _crashed(worker: WorkerProcess) -> Failure:
    try:
        async with asyncio.timeout(EXIT_SECONDS):
            ending = await worker.wait()
    except TimeoutError:
        what = "the worker hung up on its agent"
        return Failure(reason=Reason.WORKER_CRASHED, what=what, is_crash=True)
    if ending.by_memory:
        what = "the worker held more memory than its systemd unit may"
        return Failure(reason=Reason.MEMORY, what=what, remedy="raise the unit's MemoryMax=")
    if ending.code == -signal.SIGXCPU:
        what = "the worker used more processor time than its limit"
        return Failure(reason=Reason.TIME, what=what, remedy="submit it with a longer limit")
    return Failure(
        reason=Reason.WORKER_CRASHED,
        what=str(ending),
        remedy="look into the job's worker.log and the kernel's log, then submit the job again",
        is_crash=True,
    )
