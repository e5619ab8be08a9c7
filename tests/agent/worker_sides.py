"""Supervisors of two nodes in one process, with real workers, joined by relays over gRPC."""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from appliance.agent.config import ApplianceConfig
from appliance.agent.supervisor import Supervisor
from appliance.contracts.contract import (
    Contract,
    ContractColumn,
    ContractDataset,
    ContractParty,
    Limits,
    ServiceRef,
)
from appliance.datasets.inspect import inspect
from appliance.datasets.source import Kind, Source, Wanted
from appliance.datasets.table import Reading
from appliance.jobs.metering import Meter, Tally
from appliance.jobs.progress import PeerReport, ProgressReport
from appliance.jobs.reasons import Reason
from services.registry import SERVICES
from tests.agent.relay_sides import Side, node

JOB = "a" * 26
NOW = 1_700_000_000_000


@dataclass
class Told:
    """A listener that keeps what it was told."""

    progress: list[ProgressReport] = field(default_factory=list)
    peers: list[tuple[int, PeerReport]] = field(default_factory=list)
    links: list[tuple[int, bool]] = field(default_factory=list)
    finished: tuple[dict[str, int], dict[str, str], dict[str, int]] | None = None
    failed: tuple[Reason, str, str] | None = None
    lost: list[tuple[int, str]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    first_bytes_at: float = 0.0

    def worker_progressed(self, job_id: str, report: ProgressReport) -> None:
        if report.bytes_received and not self.first_bytes_at:
            self.first_bytes_at = time.monotonic()
        self.progress.append(report)

    def peer_progressed(self, job_id: str, rank: int, report: PeerReport) -> None:
        self.peers.append((rank, report))

    def link_changed(self, job_id: str, rank: int, *, is_up: bool) -> None:
        self.links.append((rank, is_up))

    async def worker_finished(
        self,
        job_id: str,
        summary: Mapping[str, int],
        files: Mapping[str, str],
        row_counts: Mapping[str, int],
    ) -> None:
        self.finished = (dict(summary), dict(files), dict(row_counts))
        self.over.set()

    async def worker_failed(self, job_id: str, reason: Reason, what: str, remedy: str) -> None:
        self.failed = (reason, what, remedy)
        self.over.set()

    async def attempt_lost(self, job_id: str, following: int, what: str) -> None:
        self.lost.append((following, what))


class Bench:
    """One node's supervisor, with a table of its own."""

    def __init__(self, rank: int, folder: Path, keys: list[str], memory_bytes: int) -> None:
        self.rank = rank
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self.side = Side(rank)
        self.told = Told()
        self.meter = Meter(Tally())
        # Built without its checks: a test may grant less memory than an operator may.
        self.config = ApplianceConfig.model_construct(
            state=self.state, worker_memory_bytes=memory_bytes, worker_threads=2
        )
        self.supervisor = Supervisor(self.config, self.side.relay)
        self.supervisor.tell(self.told)
        self.source = make_table(folder, keys)
        self.staging = self.state / "jobs" / JOB / "staging"
        self._running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self.side.serve()
        self._running = asyncio.create_task(self.supervisor.run())
        async with asyncio.timeout(30):
            while not self.supervisor.confinement:
                await asyncio.sleep(0.02)

    async def start(self, contract: Contract, attempt: int = 0) -> None:
        # Empty, as the agent's own: an attempt may be lost when its result is written already.
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir(parents=True)
        await self.supervisor.start(
            JOB,
            contract,
            self.rank,
            self.source,
            self.staging,
            attempt=attempt,
            seconds=contract.limits.most_seconds,
            tally=self.meter.begin(),
        )

    def kill_worker(self) -> None:
        """Kill the worker of the job that runs."""
        os.kill(self.supervisor._runs[JOB].worker.pid, signal.SIGKILL)

    async def reborn(self) -> None:
        """Have the supervisor die, as far as others can tell, and begin anew."""
        await self.supervisor.close()
        self.supervisor = Supervisor(self.config, self.side.relay)

    async def over(self) -> Told:
        async with asyncio.timeout(30):
            await self.told.over.wait()
        return self.told

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self.supervisor.close()
        await self.side.close()


def make_table(folder: Path, keys: list[str]) -> Source:
    path = folder / "table.csv"
    path.write_text("id,value\n" + "".join(f"{key},{n}\n" for n, key in enumerate(keys)))
    wanted = Wanted(
        kind=Kind.CSV,
        location=str(path),
        files=(str(path),),
        key=("id",),
        normal_form=("nfc", "trim"),
    )
    return inspect(wanted, Reading(scratch=folder)).source


def contract_of(
    benches: list[Bench],
    *,
    grace_seconds: int = 10,
    most_seconds: int = 60,
    parameters: Mapping[str, Any] | None = None,
) -> Contract:
    service = SERVICES["psi.intersect"]
    roles = service.assign((1,), 2)
    parties = tuple(
        ContractParty(
            node=node(bench.rank).text,
            name=f"party{bench.rank}",
            role=roles[bench.rank],
            dataset=ContractDataset(
                name="table",
                columns=tuple(
                    ContractColumn(name=column.name, type=column.type)
                    for column in bench.source.columns
                ),
                key=bench.source.key,
                normal_form=bench.source.normal_form,
                row_count=bench.source.row_count,
                fingerprint="f",
            ),
            receives=("intersection",),
        )
        for bench in benches
    )
    return Contract(
        id=JOB,
        service=ServiceRef(name=service.name, version=service.version),
        parameters=dict(parameters or {}),
        parties=parties,
        proposer=0,
        created=NOW,
        expires=NOW + 1000,
        limits=Limits(grace_seconds=grace_seconds, most_seconds=most_seconds),
    )


@contextlib.asynccontextmanager
async def benches(
    folder: Path, *keys: list[str], memory_bytes: int = 2 << 30
) -> AsyncIterator[list[Bench]]:
    every = [Bench(rank, folder / str(rank), each, memory_bytes) for rank, each in enumerate(keys)]
    for bench in every:
        bench.side.others = {other.side.id: other.side for other in every if other is not bench}
        await bench.open()
    try:
        yield every
    finally:
        for bench in every:
            await bench.close()


def workers() -> list[psutil.Process]:
    """The worker processes of this test process, the youngest last."""
    found = [
        each
        for each in psutil.Process().children(recursive=True)
        if "appliance.agent.worker" in each.cmdline()
    ]
    return sorted(found, key=lambda each: each.create_time())
