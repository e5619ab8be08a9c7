"""A job of a service that resumes outlives crashes: one attempt for all, one end, and an end."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.jobs.attempts import LAST_ATTEMPT, is_due, last_attempt, pause_seconds
from appliance.jobs.reasons import Reason
from appliance.jobs.states import JobState
from tests.unit.job_doubles import OWNER, RESUMING, Fleet, Node, play, until

Test = Callable[[Fleet], Awaitable[None]]


@pytest.mark.parametrize(
    ("attempt", "begun", "due"),
    [
        (0, None, False),  # the first is begun once all have signed, never for a peer's sake
        (0, 0, False),
        (1, 0, True),
        (1, None, True),  # our agent was started since
        (1, 1, False),
        (3, 1, True),
        (LAST_ATTEMPT, 0, True),
        (LAST_ATTEMPT + 1, 0, False),
    ],
)
def test_what_is_done_already_is_done_again_only_for_a_later_attempt(
    attempt: int, begun: int | None, due: bool
) -> None:
    assert is_due(attempt, begun) is due


def test_a_service_that_does_not_resume_has_one_attempt_and_pauses_grow_to_a_limit() -> None:
    assert (last_attempt(resumes=False), last_attempt(resumes=True)) == (0, LAST_ATTEMPT)
    pauses = [pause_seconds(attempt) for attempt in range(LAST_ATTEMPT)]
    assert pauses == sorted(pauses)
    assert sum(pauses) < 30


async def run_all(fleet: Fleet) -> str:
    return await fleet.run_all(service=RESUMING.name)


@pytest.mark.parametrize("killed", [0, 1])
def test_a_job_whose_agent_dies_while_it_runs_goes_on(tmp_path: Path, killed: int) -> None:
    async def test(fleet: Fleet) -> None:
        node, other = fleet.nodes[killed], fleet.nodes[1 - killed]
        job_id = await run_all(fleet)
        kept = node.runner.folders[job_id].parent / "scratch" / "kept"
        kept.mkdir(parents=True)
        (kept / "matched-0").write_bytes(b"1")
        (node.runner.folders[job_id] / "half.parquet").write_bytes(b"1")
        fleet.clock.milliseconds += 60_000

        await node.restart()
        await until(lambda: node.runner.attempts == [1])
        await other.jobs.attempt_lost(job_id, 1, "party 0: it has begun attempt 2")
        await until(lambda: other.runner.attempts == [0, 1])

        view = await node.jobs.get(job_id)
        assert (view.state, view.attempt) == (JobState.RUNNING, 1)
        told = [event.text for event in view.events]
        assert "attempt 1 was broken off: this node's agent stopped while the job ran" in told
        assert told[-1] == "the computation goes on from its last checkpoint: attempt 2"
        assert (kept / "matched-0").read_bytes() == b"1"
        assert not list(node.runner.folders[job_id].iterdir())
        assert node.runner.seconds == view.most_seconds - 60

        for each in fleet.nodes:
            await each.finish(job_id)
        await fleet.reach(job_id, "succeeded")
        await until(lambda: not kept.parent.exists())

    play(tmp_path, 2, test)


def test_an_agent_that_always_dies_ends_the_job_after_the_last_attempt(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, _ = fleet.nodes
        job_id = await run_all(fleet)
        for attempt in range(1, LAST_ATTEMPT + 1):
            await first.restart()
            await until(lambda attempt=attempt: first.runner.attempts == [attempt])  # type: ignore[misc]
        await first.restart()

        view, _ = await fleet.reach(job_id, "failed")
        assert view.cause == "it failed here: this node's agent stopped while the job ran"
        assert not first.runner.started

    play(tmp_path, 2, test)


def test_a_job_can_be_cancelled_while_it_waits_for_a_peer_to_come_back(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await run_all(fleet)
        await second.kill()
        await first.jobs.attempt_lost(job_id, 1, "the worker crashed")
        await until(lambda: first.runner.attempts == [0, 1])

        await first.jobs.cancel(job_id, OWNER)
        await second.up()

        await fleet.reach(job_id, "cancelled")
        assert job_id in first.runner.stopped

    play(tmp_path, 2, test)


def test_all_attempts_together_have_the_time_of_the_contract(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all(service=RESUMING.name, most_seconds=100)
        fleet.clock.milliseconds += 99_000
        await first.jobs.attempt_lost(job_id, 1, "the worker crashed")
        await until(lambda: first.runner.attempts == [0, 1])
        assert first.runner.seconds == 1

        fleet.clock.milliseconds += 1_000
        await first.jobs.attempt_lost(job_id, 2, "the worker crashed")

        view, _ = await fleet.reach(job_id, "failed")
        assert "all attempts together took longer than 100 s" in view.cause
        assert first.runner.attempts == [0, 1]
        # What the first attempt came to know decides how much the others hear.
        told = await fleet.hear(job_id, 0, second)
        assert told.parties[0].reason == Reason.UNFINISHED.sentence

    play(tmp_path, 2, test)


def test_a_party_that_is_done_repeats_its_part_and_keeps_its_result(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await run_all(fleet)
        await second.finish(job_id, b"kept")
        await first.restart()
        await until(lambda: first.runner.attempts == [1])

        await second.jobs.attempt_lost(job_id, 1, "party 0: it has begun attempt 2")
        await until(lambda: second.runner.attempts == [0, 1])
        assert second.runner.folders[job_id].name == "repeat"
        await second.finish(job_id, b"other")
        await second.restart()  # once more, as the first is not done
        await until(lambda: second.runner.attempts == [2])
        await first.jobs.attempt_lost(job_id, 2, "party 1: it has begun attempt 3")
        await until(lambda: first.runner.attempts == [1, 2])
        await first.finish(job_id)

        await fleet.reach(job_id, "succeeded")
        result = await second.jobs.result(job_id)
        assert result.files["intersection"].read_bytes() == b"kept"
        await until(lambda: not (second.folder / "jobs" / job_id / "repeat").exists())

    play(tmp_path, 2, test)


def test_a_part_that_is_not_allowed_any_more_is_not_done_again(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await run_all(fleet)
        await second.finish(job_id)
        await second.jobs.attempt_lost(job_id, 1, "party 0: it has begun attempt 2")
        await until(lambda: second.runner.attempts == [0, 1])

        assert not await second.allow(columns={})  # our verdict stands, and ends nothing
        await until(lambda: job_id in second.runner.stopped)
        await second.jobs.attempt_lost(job_id, 2, "party 0: it has begun attempt 3")
        await first.jobs.attempt_lost(job_id, 2, "the worker crashed")
        await until(lambda: first.runner.attempts == [0, 2])

        assert second.runner.attempts == [0, 1]
        assert await second.state(job_id) == "settling"
        await first.finish(job_id)
        await fleet.reach(job_id, "succeeded")

    play(tmp_path, 2, test)


def test_what_runs_when_the_time_of_a_policy_ends_goes_on_to_its_end(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        soon = datetime.fromtimestamp(fleet.clock() / 1000, UTC) + timedelta(days=8)
        for node in fleet.nodes:
            await node.allow(valid_until=soon)
        job_id = await run_all(fleet)
        fleet.clock.milliseconds += 9 * 24 * 3600 * 1000

        await second.finish(job_id)
        await asyncio.sleep(0.05)

        assert job_id not in second.runner.stopped
        await first.finish(job_id)
        await fleet.reach(job_id, "succeeded")

    play(tmp_path, 2, test)


def test_a_late_word_of_an_attempt_changes_nothing(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, _ = fleet.nodes
        job_id = await run_all(fleet)
        await first.jobs.attempt_lost(job_id, 3, "the worker crashed")
        await until(lambda: first.runner.attempts == [0, 3])
        for late in (0, 1, 3):
            await first.jobs.attempt_lost(job_id, late, "the worker crashed")

        assert (await first.jobs.get(job_id)).attempt == 3
        assert await first.state(job_id) == "running"
        await first.jobs.cancel(job_id, OWNER)
        await first.jobs.attempt_lost(job_id, 4, "the worker crashed")
        await fleet.reach(job_id, "cancelled")
        assert first.runner.attempts == [0, 3]

    play(tmp_path, 2, test)


def test_scratch_of_no_job_is_removed_at_start(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        (first,) = fleet.nodes
        scratch = first.folder / "jobs" / "forgotten" / "scratch" / "kept"
        scratch.mkdir(parents=True)

        await first.restart()

        await until(lambda: not scratch.parent.parent.exists())

    play(tmp_path, 1, test)


class Chance:
    """Workers, links and agents of a fleet, of which any may fail at any time."""

    def __init__(self, fleet: Fleet, job_id: str, rng: random.Random, losses: int) -> None:
        self.fleet, self.job_id, self.rng, self.losses = fleet, job_id, rng, losses
        self.done: dict[str, int] = {}  # by node: the attempt in which its worker ended well
        self.lost: dict[str, int] = {}  # by node: how many workers it had when it lost the last

    async def attempt(self, node: Node) -> int | None:
        """Return the attempt that a node's agent holds streams of, None if none."""
        if self.job_id not in node.runner.started or self.job_id in node.runner.stopped:
            return None
        if len(node.runner.attempts) == self.lost.get(node.name):
            return None  # its next worker has not begun
        return node.runner.attempts[-1]

    async def step(self) -> None:
        node = self.rng.choice(self.fleet.nodes)
        ours = await self.attempt(node)
        others = [await self.attempt(other) for other in self.fleet.nodes if other is not node]
        if self.losses and self.rng.random() < 0.4:
            self.losses -= 1
            await (self.die(node) if self.rng.random() < 0.5 else self.crash(node, ours))
        elif ours is None:
            return
        elif ours < (higher := max((other for other in others if other is not None), default=0)):
            await self.lose(node, higher, "a peer has begun another attempt")
        elif all(other == ours for other in others) and self.done.get(node.name) != ours:
            self.done[node.name] = ours
            await node.finish(self.job_id, b"exact")
        elif None in others:
            await self.lose_peer(node)

    async def die(self, node: Node) -> None:
        self.done.pop(node.name, None)
        self.lost.pop(node.name, None)
        await node.restart()

    async def crash(self, node: Node, attempt: int | None) -> None:
        if attempt is None or self.done.get(node.name) == attempt:
            return
        if attempt < LAST_ATTEMPT:
            await self.lose(node, attempt + 1, "the worker crashed")
        else:
            node.runner.stopped.append(self.job_id)
            await node.jobs.worker_failed(self.job_id, Reason.WORKER_CRASHED, "", "")

    async def lose(self, node: Node, attempt: int, cause: str) -> None:
        """The agent has ended the worker, and tells which attempt is to be begun."""
        self.lost[node.name] = len(node.runner.attempts)
        await node.jobs.attempt_lost(self.job_id, attempt, cause)

    async def lose_peer(self, node: Node) -> None:
        """The grace time ends, if a peer has failed and so will never hold a stream again."""
        views = [await other.jobs.get(self.job_id) for other in self.fleet.nodes]
        verdicts = [party.verdict for view in views for party in view.parties if party.is_here]
        if "failed" in verdicts and self.done.get(node.name) is None:
            await node.jobs.worker_failed(self.job_id, Reason.PEER_LOST, "", "")


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("losses", [1, LAST_ATTEMPT, 30])
@pytest.mark.parametrize("seed", range(4))
def test_whatever_crashes_all_end_at_one_attempt_with_one_record(
    tmp_path: Path, seed: int, losses: int, count: int
) -> None:
    rng = random.Random(f"{seed} {losses} {count}")  # noqa: S311 - a test's own

    async def test(fleet: Fleet) -> None:
        job_id = await run_all(fleet)
        chance = Chance(fleet, job_id, rng, losses)
        async with asyncio.timeout(60):
            while not all([(await node.jobs.get(job_id)).record for node in fleet.nodes]):
                await chance.step()
                await asyncio.sleep(0.002)

        views = [await node.jobs.get(job_id) for node in fleet.nodes]
        assert len({(view.state, view.record) for view in views}) == 1
        assert all(view.attempt <= LAST_ATTEMPT for view in views)
        if losses <= LAST_ATTEMPT:
            assert views[0].state is JobState.SUCCEEDED
            for node in fleet.nodes:
                result = await node.jobs.result(job_id)
                assert result.files["intersection"].read_bytes() == b"exact"

    play(tmp_path, count, test)
