"""A run that lost a worker goes on from its checkpoints, at both sides, and the result is exact."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from appliance.agent import supervisor as supervisors
from appliance.contracts.contract import Contract
from appliance.jobs.attempts import LAST_ATTEMPT
from appliance.jobs.metering import Tally
from appliance.jobs.progress import ProgressReport
from appliance.jobs.reasons import Reason
from tests.agent.worker_sides import JOB, Bench, Told, benches, contract_of

LEFT = [f"patient-{n}" for n in range(8000)]
RIGHT = [f"patient-{n}" for n in range(6000, 14000)]
SLOW = {"protocol": "ecdh", "partitions": 8}
PARTITION = 1 / 8


class GoesOn(Told):
    """Does what Jobs do: begins the attempt that is due. May kill its own worker as it works.

    harms: attempt -> part of the way at which its worker is killed; at "join" by a part above 1.
    """

    def __init__(self, bench: Bench, contract: Contract) -> None:
        super().__init__()
        self.bench, self.contract = bench, contract
        self.attempt = 0
        self.harms: dict[int, float] = {}
        self.kept_before: dict[int, int] = {}
        self.between: Callable[[], None] = lambda: None
        self.is_mute = False
        self.is_done = False

    def kept(self) -> dict[int, int]:
        """Return by partition which file holds what was kept of it."""
        folder = self.bench.staging.parent / "scratch" / "kept"
        return {
            int(path.name.removeprefix("matched-")): path.stat().st_ino
            for path in folder.glob("matched-*")
        }

    def worker_progressed(self, job_id: str, report: ProgressReport) -> None:
        super().worker_progressed(job_id, report)
        come = {"keys": 0.0, "match": report.done / max(report.total, 1), "join": 2.0}
        if come[report.stage] >= self.harms.get(self.attempt, 9.0):
            self.harms.pop(self.attempt)
            self.bench.kill_worker()

    async def worker_finished(
        self,
        job_id: str,
        summary: Mapping[str, int],
        files: Mapping[str, str],
        row_counts: Mapping[str, int],
    ) -> None:
        self.is_done = True
        if self.is_mute:
            await asyncio.Event().wait()
        await super().worker_finished(job_id, summary, files, row_counts)

    async def attempt_lost(self, job_id: str, following: int, what: str) -> None:
        await super().attempt_lost(job_id, following, what)
        self.kept_before = self.kept()
        self.between()
        self.attempt = following
        if self.finished is not None:
            self.bench.staging = self.bench.staging.with_name("repeat")
        await self.bench.start(self.contract, following)


def tried(folder: Path, play: Callable[[list[GoesOn]], Awaitable[None]]) -> None:
    async def run() -> None:
        async with benches(folder, LEFT, RIGHT) as both:
            contract = contract_of(both, parameters=SLOW)
            told = [GoesOn(bench, contract) for bench in both]
            for each in told:
                each.bench.told = each
                each.bench.supervisor.tell(each)
            await play(told)

    asyncio.run(run())


async def begin(both: list[GoesOn]) -> None:
    for each in both:
        await each.bench.start(each.contract)


async def check(both: list[GoesOn]) -> None:
    """Wait until both sides are done, and compare what they have."""
    results = [each.bench.staging for each in both]
    for each, folder in zip(both, results, strict=True):
        await each.bench.over()
        assert each.failed is None
        assert each.finished is not None
        found = pq.read_table(folder / each.finished[1]["intersection"])
        ids = [str(id) for id in found.column("id").to_pylist()]
        assert sorted(ids) == sorted(set(LEFT) & set(RIGHT))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisors, "pause_seconds", lambda attempt: 0.05)


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("come", [0.0, 0.4, 0.8])
def test_a_worker_killed_on_its_way_is_followed_by_another_at_both_sides(
    victim: int, come: float, tmp_path: Path
) -> None:
    async def play(both: list[GoesOn]) -> None:
        both[victim].harms[0] = come
        await begin(both)
        await check(both)

        assert [following for following, _ in both[victim].lost] == [1]
        assert "SIGKILL" in both[victim].lost[0][1]
        assert [what for _, what in both[1 - victim].lost] == [
            f"party {victim}: it has begun attempt 2"
        ]
        # What both had finished was not done again; a report may be a partition late.
        finished = min(len(each.kept_before) for each in both)
        assert finished >= int(come / PARTITION) - 1
        for each in both:
            again = each.kept()
            assert all(again[n] == each.kept_before[n] for n in range(finished))
            assert len(again) == 1 / PARTITION
        assert not list(both[victim].bench.staging.parent.glob("scratch/spill/*"))
        for each in both:
            last = each.progress[-1]
            for total, of_the_last in (
                (each.bench.meter.total.bytes_sent, last.bytes_sent),
                (each.bench.meter.total.bytes_received, last.bytes_received),
                (each.bench.meter.total.cpu_milliseconds, 0),
            ):
                assert total > of_the_last

    tried(tmp_path, play)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_party_that_is_done_does_its_part_again_for_an_agent_that_died_before_its_verdict(
    victim: int, tmp_path: Path
) -> None:
    async def play(both: list[GoesOn]) -> None:
        here, there = both[victim], both[1 - victim]
        here.is_mute = True
        await begin(both)
        await there.bench.over()
        told = there.bench.staging
        async with asyncio.timeout(20):
            while not here.is_done:
                await asyncio.sleep(0.01)

        await here.bench.reborn()
        here.is_mute = False
        here.bench.supervisor.tell(here)
        await here.bench.start(here.contract, 1)
        await check(both)

        assert [following for following, _ in there.lost] == [1]
        assert there.bench.staging != told
        assert list(told.glob("*.parquet"))

    tried(tmp_path, play)


def test_both_workers_killed_at_once_meet_in_the_next_attempt(tmp_path: Path) -> None:
    async def play(both: list[GoesOn]) -> None:
        for each in both:
            each.harms[0] = 0.4
        await begin(both)
        await check(both)

        assert {each.attempt for each in both} == {1} or {each.attempt for each in both} == {2}

    tried(tmp_path, play)


def test_a_worker_that_dies_in_every_attempt_fails_the_job_with_its_cause(tmp_path: Path) -> None:
    async def play(both: list[GoesOn]) -> None:
        both[0].harms = dict.fromkeys(range(LAST_ATTEMPT + 1), 0.0)
        await begin(both)
        await both[0].bench.over()

        assert both[0].failed is not None
        assert both[0].failed[0] is Reason.WORKER_CRASHED
        assert "SIGKILL" in both[0].failed[1]
        assert [following for following, _ in both[0].lost] == [*range(1, LAST_ATTEMPT + 1)]
        assert both[1].failed is None and both[1].finished is None

    tried(tmp_path, play)


def test_a_checkpoint_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    async def play(both: list[GoesOn]) -> None:
        kept = both[0].bench.staging.parent / "scratch" / "kept"

        def cut_short() -> None:
            first = kept / "matched-0"
            first.write_bytes(first.read_bytes()[:-3])

        both[0].harms[0] = 0.5
        both[0].between = cut_short
        await begin(both)
        await check(both)

        assert both[1].kept()[0] != both[1].kept_before[0]

    tried(tmp_path, play)


def test_an_agent_that_is_told_to_stop_leaves_the_job_to_its_next_start(tmp_path: Path) -> None:
    async def play(both: list[GoesOn]) -> None:
        left, right = both
        await begin(both)
        async with asyncio.timeout(20):
            while not left.kept() or not right.kept():
                await asyncio.sleep(0.01)

        await left.bench.supervisor.close()
        await asyncio.sleep(0.2)

        assert not left.lost and left.failed is None
        assert (0, False) in right.links
        assert not right.lost and right.failed is None
        kept = left.bench.staging.parent / "scratch" / "kept"
        assert kept.stat().st_mode & 0o777 == 0o700

    tried(tmp_path, play)


def test_time_runs_out_however_often_the_run_was_begun_again(tmp_path: Path) -> None:
    async def play(both: list[GoesOn]) -> None:
        left, _ = both
        await left.bench.supervisor.start(
            JOB,
            left.contract,
            0,
            left.bench.source,
            make(left.bench.staging),
            attempt=3,
            seconds=1,
            tally=Tally(),
        )
        await left.bench.over()

        assert left.failed is not None
        assert left.failed[0] is Reason.TIME

    tried(tmp_path, play)


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
