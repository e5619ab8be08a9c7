"""What a worker does once it is confined: take its assignment, carry it out, report.

Nothing that leaves here on the control socket holds a value of the data; see also ``blame``.
"""

import asyncio
import os
import socket
import threading
import time
from pathlib import Path
from typing import Final

from appliance.agent import control, sandbox
from appliance.agent.allocator import keep_large_buffers
from appliance.agent.blame import failed
from appliance.agent.control import (
    Confined,
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
from appliance.agent.scratch import FolderScratch
from appliance.contracts.contract import Contract, digest_of, parse_contract
from appliance.contracts.terms import get_service, terms_of
from appliance.datasets.inspect import inspect
from appliance.datasets.outputs import write_figures, write_joined, write_rows
from appliance.datasets.reader import TableInputs
from appliance.datasets.source import Source
from appliance.datasets.table import Reading
from services.channel import Channel
from services.errors import LocalProtocolError
from services.randomness import System
from services.registry import SERVICES
from services.service import Figures, Joined, Outcome, Selection, Task
from services.session import Party, Session
from services.transport.metered import Metered, Traffic
from services.transport.stream import Stream

REPORT_SECONDS: Final = 0.1
MAX_READING_BYTES: Final = 2 << 30


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
                cpu_milliseconds=int(time.process_time() * 1000),
            )
        )

    def _tell_sometimes(self) -> None:
        if time.monotonic() - self._told_at >= REPORT_SECONDS:
            self.tell()


def serve(agent: socket.socket, applied: tuple[str, ...]) -> int:
    """Say that the worker is ready, wait for its one assignment, and return the exit code."""
    keep_large_buffers(until_end=True)
    for service in SERVICES.values():
        service.load()  # before we are ready, not while a job waits
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
        reporter.report(failed(error))
        return 1
    reporter.report(last)
    return 0


async def _run(order: RunJob, sockets: dict[int, socket.socket], reporter: Reporter) -> Finished:
    contract = parse_contract(order.contract)
    service = get_service(contract, SERVICES)
    terms = terms_of(contract, service)
    inputs = None
    if order.source is not None:
        used = service.demand(terms, order.rank).columns
        inputs = TableInputs(order.source, _reading(order), used)
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
            terms=terms,
            inputs=inputs,
            scratch=FolderScratch(Path(order.kept)),
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
    """Write the outputs to the results folder."""
    receives = contract.parties[order.rank].receives
    if not outcome.outputs.keys() <= set(receives):
        raise LocalProtocolError("the service gave an output that this party must not receive")
    files = {}
    for name, output in outcome.outputs.items():
        target = Path(order.results) / f"{name}.parquet"
        match output:
            case Selection():
                count = write_rows(_source(order), output.rows, target, _reading(order))
            case Joined():
                peer = _only_peer(order, contract)
                count = write_joined(_source(order), output, peer, target, _reading(order))
            case Figures():
                count = write_figures(output, target, _reading(order))
        files[name] = ResultFile(name=target.name, row_count=count)
    return files


def _only_peer(order: RunJob, contract: Contract) -> int:
    if len(contract.parties) != 2:
        raise LocalProtocolError("the service joined rows of we do not know which party")
    return 1 - order.rank


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
        writable += [Path(order.results), Path(order.kept)]
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
