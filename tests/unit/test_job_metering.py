"""What a job took is recorded of all its attempts, up to our verdict, whatever died meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from appliance.jobs import attendant as attendants
from appliance.jobs import store as table
from appliance.jobs.metering import Meter, Tally
from appliance.jobs.progress import ProgressReport
from appliance.ledger.facts import JobMetered, Kind
from appliance.mailbox.letters import Letter, Undelivered
from tests.unit.job_doubles import OWNER, RESUMING, Fleet, Node, play, until

Test = Callable[[Fleet], Awaitable[None]]


async def metered_at(node: Node, job_id: str) -> JobMetered:
    """Return what a node's ledger says that a job took."""

    def work(session: Session) -> JobMetered:
        (found,) = node.ledger.page(session, most=5, kinds=[Kind.JOB_METERED], job_id=job_id)
        assert found.entry is not None and isinstance(found.entry.facts, JobMetered)
        return found.entry.facts

    return await node.store.run(work)


async def kept_at(node: Node, job_id: str) -> Tally | None:
    """Return what is on disk of what a job has taken so far."""

    def work(session: Session) -> Tally | None:
        meter = table.find_meter(session, job_id)
        return None if meter is None else meter.tally

    return await node.store.run(work)


def take(node: Node, job_id: str, *, sent: int, received: int, rounds: int, cpu: int) -> None:
    """Have a node's run take so much more; rounds and processor time are those of the run."""
    tally = node.runner.tallies[job_id]
    tally.bytes_sent += sent
    tally.bytes_received += received
    tally.rounds, tally.cpu_milliseconds = rounds, cpu


def figures_of(facts: JobMetered) -> tuple[int, int, int, int]:
    return facts.bytes_sent, facts.bytes_received, facts.rounds, facts.cpu_milliseconds


async def holding_back(sender: object, receiver: object, letter: Letter) -> None:
    raise Undelivered("the wire is cut")


def test_a_meter_adds_up_its_runs_and_gives_a_value_that_stays() -> None:
    meter = Meter(Tally(bytes_sent=1, bytes_received=2, rounds=3, cpu_milliseconds=4))
    first, second = meter.begin(), meter.begin()
    first.bytes_sent, first.rounds = 10, 30
    second.bytes_received, second.cpu_milliseconds = 20, 40

    total = meter.total
    first.bytes_sent += 1

    assert total == Tally(bytes_sent=11, bytes_received=22, rounds=33, cpu_milliseconds=44)
    assert meter.total.bytes_sent == 12


def test_all_attempts_count_and_the_dataset_is_used_once(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all(service=RESUMING.name)
        take(first, job_id, sent=100, received=70, rounds=2, cpu=1500)
        await first.jobs.attempt_lost(job_id, 1, "the worker crashed")
        await second.jobs.attempt_lost(job_id, 1, "party 0: it has begun attempt 2")
        await until(lambda: all(node.runner.attempts == [0, 1] for node in fleet.nodes))
        take(first, job_id, sent=7, received=5, rounds=3, cpu=250)

        for node in fleet.nodes:
            await node.finish(job_id)
        await fleet.reach(job_id, "succeeded")

        facts = await metered_at(first, job_id)
        assert figures_of(facts) == (107, 75, 5, 1750)
        rows = first.datasets.own["table-of-hospital"].terms.row_count
        assert (facts.dataset, facts.uses) == ("table-of-hospital", 1)
        assert (facts.rows_offered, facts.rows_used) == (rows, rows)
        assert figures_of(await metered_at(second, job_id)) == (0, 0, 0, 0)

    play(tmp_path, 2, test)


def test_what_was_kept_before_an_agent_died_counts_and_the_next_attempt_besides(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all(service=RESUMING.name)
        take(first, job_id, sent=1000, received=10, rounds=4, cpu=300)
        await first.jobs.keep_figures()
        take(first, job_id, sent=77, received=77, rounds=5, cpu=400)  # what is lost with the agent

        await first.restart()
        await until(lambda: first.runner.attempts == [1])
        assert await kept_at(first, job_id) == Tally(
            bytes_sent=1000, bytes_received=10, rounds=4, cpu_milliseconds=300
        )
        take(first, job_id, sent=1, received=2, rounds=3, cpu=4)
        await first.restart()  # with nothing kept since, as if at once
        await until(lambda: first.runner.attempts == [2])
        take(first, job_id, sent=500, received=5, rounds=1, cpu=30)
        await second.jobs.attempt_lost(job_id, 2, "party 0: it has begun attempt 3")
        await until(lambda: second.runner.attempts == [0, 2])
        for node in fleet.nodes:
            await node.finish(job_id)
        await fleet.reach(job_id, "succeeded")

        assert figures_of(await metered_at(first, job_id)) == (1500, 15, 5, 330)

    play(tmp_path, 2, test)


def test_an_attempt_that_was_lost_is_kept_with_its_number(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, _ = fleet.nodes
        job_id = await fleet.run_all(service=RESUMING.name)
        take(first, job_id, sent=9, received=8, rounds=7, cpu=6)
        await first.jobs.attempt_lost(job_id, 1, "the worker crashed")
        await until(lambda: first.runner.attempts == [0, 1])

        await first.restart()

        await until(lambda: first.runner.attempts == [2])
        kept = await kept_at(first, job_id)
        assert kept == Tally(bytes_sent=9, bytes_received=8, rounds=7, cpu_milliseconds=6)

    play(tmp_path, 2, test)


def test_a_run_is_kept_now_and_then_so_that_a_failure_by_a_crash_has_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendants, "KEEP_SECONDS", 0.02)

    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all()
        take(first, job_id, sent=400, received=300, rounds=2, cpu=100)
        async with asyncio.timeout(60):
            while (kept := await kept_at(first, job_id)) is None or not kept.bytes_sent:
                await asyncio.sleep(0.01)
        fleet.clock.milliseconds += 5000

        await first.restart()
        await fleet.reach(job_id, "failed")

        facts = await metered_at(first, job_id)
        assert figures_of(facts) == (400, 300, 2, 100)
        assert (facts.rows_offered > 0, facts.rows_used, facts.uses) == (True, 0, 1)
        assert facts.wall_milliseconds == 5000
        assert figures_of(await metered_at(second, job_id)) == (0, 0, 0, 0)

    play(tmp_path, 2, test)


def test_a_cancelled_job_has_what_it_took_and_uses_no_rows(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _, second = fleet.nodes
        job_id = await fleet.run_all()
        for node in fleet.nodes:
            take(node, job_id, sent=20, received=30, rounds=1, cpu=10)
        fleet.clock.milliseconds += 1234

        await second.jobs.cancel(job_id, OWNER)
        await fleet.reach(job_id, "cancelled")

        for node in fleet.nodes:
            facts = await metered_at(node, job_id)
            assert figures_of(facts) == (20, 30, 1, 10)
            assert (facts.rows_used, facts.uses, facts.wall_milliseconds) == (0, 1, 1234)

    play(tmp_path, 2, test)


def test_a_job_that_never_began_is_not_metered(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", second)
        await second.jobs.reject(job.id, OWNER)
        await fleet.reach(job.id, "rejected")

        with pytest.raises(ValueError, match="not enough values"):
            await metered_at(first, job.id)
        assert await kept_at(first, job.id) is None

    play(tmp_path, 2, test)


def test_wall_time_ends_with_our_verdict_however_long_another_keeps_us_waiting(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all()
        report = ProgressReport(
            stage="write", done=1, total=1, bytes_sent=0, bytes_received=0, rounds=0
        )
        first.jobs.worker_progressed(job_id, report)
        fleet.clock.milliseconds += 3000
        await first.finish(job_id)
        take(first, job_id, sent=5, received=0, rounds=1, cpu=10)  # the last bytes, on their way
        unhindered, fleet.mail.hinder = fleet.mail.hinder, holding_back
        three_days = 3 * 24 * 3600 * 1000
        fleet.clock.milliseconds += three_days
        assert await first.state(job_id) == "settling"
        await second.finish(job_id)
        fleet.mail.hinder = unhindered
        await fleet.reach(job_id, "succeeded")

        assert (await metered_at(first, job_id)).wall_milliseconds == 3000
        assert (await metered_at(first, job_id)).bytes_sent == 5
        progress = (await first.jobs.get(job_id)).progress
        assert progress is not None and progress.elapsed_seconds == 3
        assert (await metered_at(second, job_id)).wall_milliseconds == 3000 + three_days

    play(tmp_path, 2, test)
