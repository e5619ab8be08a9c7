"""What a worker does once it is confined: take its assignment, carry it out, report.

Nothing that leaves here on the control socket holds a value of the data: errors of ours are
written so, and of others only the kind and the place are told.
"""

import asyncio
import errno
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.agent import control, sandbox
from appliance.agent.allocator import keep_large_buffers
from appliance.agent.control import (
    Confined,
    Failed,
    Finished,
    Found,
    InspectTable,
    Limits,
    Order,
    Progressed,
    Ready,
    Report,
    ResultFile,
    RunJob,
)
from appliance.contracts.contract import Contract, digest_of, parse_contract
from appliance.contracts.terms import get_service, terms_of
from appliance.datasets.errors import DatasetError, DiskFull, MemoryShort
from appliance.datasets.inspect import inspect
from appliance.datasets.reader import TableInputs, write_rows
from appliance.datasets.source import Source
from appliance.datasets.table import Reading
from appliance.jobs.reasons import Reason
from services.channel import Channel
from services.errors import (
    CheatingDetected,
    ConfigError,
    LocalProtocolError,
    PeerLost,
    PeerProtocolError,
    ServiceError,
)
from services.randomness import System
from services.registry import SERVICES
from services.service import Outcome, Task
from services.session import Party, Session
from services.transport.metered import Metered, Traffic
from services.transport.stream import Stream

REPORT_SECONDS: Final = 0.1
MAX_READING_BYTES: Final = 2 << 30

# The reasons of errors, the nearest class counts. Whose fault is said first is told first.
REASONS: Final[dict[type[BaseException], Reason]] = {
    CheatingDetected: Reason.CHEATING,
    PeerProtocolError: Reason.PEER_BROKE_RULES,
    DiskFull: Reason.DISK_FULL,
    MemoryShort: Reason.MEMORY,
    MemoryError: Reason.MEMORY,
    DatasetError: Reason.DATA,
    ConfigError: Reason.TERMS,
    LocalProtocolError: Reason.INTERNAL,
    PeerLost: Reason.PEER_LOST,
    ServiceError: Reason.INTERNAL,
    Exception: Reason.INTERNAL,
}
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Reporter:
    """Sends reports to the agent; it is the service's Progress too."""

    def __init__(self, agent: socket.socket) -> None:
        self._agent = agent
        self._lock = threading.Lock()  # services may report from the threads that do the work
        self._traffic: dict[int, Traffic] = {}
        self._stage = ""
        self._done = 0
        self._total = 0
        self._told_at = 0.0

    def report(self, message: Report) -> None:
        """Send a report; waits while the agent is slow."""
        with self._lock:
            self._agent.sendall(control.encode(message))

    def stage(self, name: str, total: int) -> None:
        """Enter a stage."""
        self._stage, self._done, self._total = name, 0, total
        self.tell()

    def advance(self, count: int) -> None:
        """Count work that is done; told to the agent a few times a second."""
        self._done += count
        self._tell_sometimes()

    def pass_bytes(self, peer: int, traffic: Traffic) -> None:
        """Take note of what has passed a channel."""
        self._traffic[peer] = traffic
        self._tell_sometimes()

    def tell(self) -> None:
        """Report the progress as it is now."""
        self._told_at = time.monotonic()
        if not self._stage:
            return
        every = tuple(self._traffic.values())
        self.report(
            Progressed(
                stage=self._stage,
                done=min(self._done, self._total),
                total=self._total,
                bytes_sent=sum(traffic.sent_bytes for traffic in every),
                bytes_received=sum(traffic.received_bytes for traffic in every),
                rounds=max((traffic.rounds for traffic in every), default=0),
            )
        )

    def _tell_sometimes(self) -> None:
        if time.monotonic() - self._told_at >= REPORT_SECONDS:
            self.tell()


def serve(agent: socket.socket, applied: tuple[str, ...]) -> int:
    """Say that the worker is ready, wait for its one assignment, and return the exit code."""
    keep_large_buffers()
    reporter = Reporter(agent)
    reporter.report(Ready(pid=os.getpid(), applied=applied))
    received = control.receive_order(agent)
    if received is None:
        return 0  # the agent ended, and had nothing for this worker to do
    order, descriptors = received
    try:
        reporter.report(Confined(applied=sandbox.confine_files(_grant(order))))
        if isinstance(order, RunJob):
            channels = zip(order.ranks, descriptors, strict=True)
            sockets = {rank: socket.socket(fileno=descriptor) for rank, descriptor in channels}
            last: Report = asyncio.run(_run(order, sockets, reporter))
        else:
            last = Found(inspected=inspect(order.wanted, _reading(order)))
    except Exception as error:
        reporter.report(_failed(error))
        return 1
    reporter.report(last)
    return 0


async def _run(order: RunJob, sockets: dict[int, socket.socket], reporter: Reporter) -> Finished:
    contract = parse_contract(order.contract)
    service = get_service(contract, SERVICES)
    inputs = None if order.source is None else TableInputs(order.source, _reading(order))
    session = Session(
        session_id=bytes.fromhex(digest_of(order.contract)),
        rank=order.rank,
        parties=tuple(
            Party(rank=rank, name=party.name) for rank, party in enumerate(contract.parties)
        ),
        channels={rank: _channel(sockets[rank], rank, reporter) for rank in order.ranks},
    )
    outcome = await service.run(
        Task(
            session=session,
            terms=terms_of(contract, service),
            inputs=inputs,
            rng=System(),
            progress=reporter,
        )
    )
    files = await asyncio.to_thread(_write, outcome, order, contract)
    reporter.tell()
    return Finished(summary=dict(outcome.summary), files=files)


def _channel(connected: socket.socket, rank: int, reporter: Reporter) -> Channel:
    def passed(traffic: Traffic) -> None:
        reporter.pass_bytes(rank, traffic)

    return Channel(Metered(Stream(connected, peer=rank), passed))


def _write(outcome: Outcome, order: RunJob, contract: Contract) -> dict[str, ResultFile]:
    """Write the outputs, which are rows of our own dataset, to the results folder."""
    receives = contract.parties[order.rank].receives
    if not outcome.outputs.keys() <= set(receives):
        raise LocalProtocolError("the service gave an output that this party must not receive")
    files = {}
    for output, selection in outcome.outputs.items():
        target = Path(order.results) / f"{output}.parquet"
        rows = write_rows(_source(order), selection.rows, target, _reading(order))
        files[output] = ResultFile(name=target.name, row_count=rows)
    return files


def _source(order: RunJob) -> Source:
    if order.source is None:
        raise LocalProtocolError("the service gave rows of a dataset that this party did not bring")
    return order.source


def _reading(order: Order) -> Reading:
    limits = order.limits
    return Reading(
        scratch=Path(order.scratch),
        memory_bytes=min(limits.memory_bytes // 4, MAX_READING_BYTES),
        threads=limits.threads,
    )


def _grant(order: Order) -> sandbox.Grant:
    limits: Limits = order.limits
    writable = [Path(order.scratch)]
    readable: tuple[Path, ...] = ()
    if isinstance(order, InspectTable):
        readable = tuple(map(Path, order.wanted.files))
        if order.wanted.registered is not None:
            readable += order.wanted.registered.paths
    else:
        writable.append(Path(order.results))
        if order.source is not None:
            readable = order.source.paths
    return sandbox.Grant(
        readable=readable,
        writable=tuple(writable),
        memory_bytes=limits.memory_bytes,
        file_bytes=limits.file_bytes,
        seconds=limits.seconds,
        cpus=limits.threads,
    )


def _failed(error: Exception) -> Failed:
    """Return the report of an error: in full if it is one of ours, else its kind and place."""
    told = min(_leaves(error), key=_rank_of_blame)
    reason = REASONS[_known_kind(told)]
    if isinstance(told, ServiceError):
        what, remedy = told.what, told.remedy
    elif isinstance(told, OSError) and told.errno in _FULL:
        reason = Reason.DISK_FULL
        what, remedy = "the disk is full, or a result is larger than is granted", ""
    elif isinstance(told, MemoryError):
        what, remedy = "the worker needed more memory than it is granted", ""
    else:
        frame = traceback.extract_tb(told.__traceback__)[-1]
        what = f"the worker met a {type(told).__name__} at {frame.filename}:{frame.lineno}"
        remedy = "this is a fault of coffer: report it, with the job's worker.log"
        sys.excepthook(type(told), told, told.__traceback__)
    rank = told.rank if isinstance(told, PeerProtocolError | CheatingDetected | PeerLost) else None
    return Failed(
        error=type(told).__name__, reason=reason.word, what=what, remedy=remedy, rank=rank
    )


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors that a group holds, from tasks that failed together."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _known_kind(error: BaseException) -> type[BaseException]:
    return next((kind for kind in type(error).__mro__ if kind in REASONS), Exception)


def _rank_of_blame(error: BaseException) -> int:
    return list(REASONS).index(_known_kind(error))
