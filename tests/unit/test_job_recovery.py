"""An agent killed at any point of a job comes back with a true state and the same record."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from appliance.jobs.jobs import Jobs
from appliance.mailbox.letters import Letter, Undelivered
from appliance.store.errors import StoreFull
from tests.unit.job_doubles import OWNER, Fleet, Node, play, until

Test = Callable[[Fleet], Awaitable[None]]


async def end(fleet: Fleet, job_id: str) -> tuple[str, str]:
    """Wait until the record is sealed on all nodes; return the one state and record."""
    async with asyncio.timeout(60):
        while not all([(await node.jobs.get(job_id)).record for node in fleet.nodes]):
            await asyncio.sleep(0.01)
    views = [await node.jobs.get(job_id) for node in fleet.nodes]
    assert len({(view.state, view.record) for view in views}) == 1
    return views[0].state.value, views[0].record


@pytest.mark.parametrize("killed", [0, 1])
def test_a_proposal_survives_the_death_of_either_side(tmp_path: Path, killed: int) -> None:
    async def test(fleet: Fleet) -> None:
        second = fleet.nodes[1]
        await second.kill()
        job = await fleet.submit()
        await fleet.nodes[0].restart()
        await second.up()
        await fleet.reach(job.id, "waiting_approval", second)

        await fleet.nodes[killed].restart()
        assert await second.state(job.id) == "waiting_approval"
        await second.jobs.approve(job.id, job.digest, OWNER)
        await fleet.nodes[0].restart()
        await fleet.reach(job.id, "running", second)

    play(tmp_path, 2, test)


@pytest.mark.parametrize("killed", [0, 1])
def test_a_job_whose_agent_dies_while_it_runs_has_failed_everywhere(
    tmp_path: Path, killed: int
) -> None:
    async def test(fleet: Fleet) -> None:
        node, other = fleet.nodes[killed], fleet.nodes[1 - killed]
        job_id = await fleet.run_all()

        await node.restart()

        assert (await end(fleet, job_id))[0] == "failed"
        view = await node.jobs.get(job_id)
        assert view.cause == "it failed here: this node's agent stopped while the job ran"
        await until(lambda: job_id in other.runner.stopped)
        await until(lambda: not any(list((n.folder / "jobs").iterdir()) for n in fleet.nodes))

    play(tmp_path, 2, test)


@pytest.mark.parametrize("killed", [0, 1])
def test_a_success_that_was_told_survives_the_death_of_either_side(
    tmp_path: Path, killed: int
) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all()
        await first.finish(job_id, b"kept")
        if killed == 0:
            await first.restart()
        await second.finish(job_id, b"kept")
        await fleet.nodes[killed].restart()

        assert (await end(fleet, job_id))[0] == "succeeded"
        for node in fleet.nodes:
            result = await node.jobs.result(job_id)
            assert result.files["intersection"].read_bytes() == b"kept"

    play(tmp_path, 2, test)


def test_a_job_signed_by_all_when_the_agent_died_begins_at_the_next_start(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _first, second = fleet.nodes
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", second)
        second.tasks[1].cancel()  # nobody attends to jobs, as in the moment of a kill
        await second.jobs.approve(job.id, job.digest, OWNER)
        assert await second.state(job.id) == "starting"

        await second.restart()

        await fleet.reach(job.id, "running")
        assert second.runner.started == [job.id]

    play(tmp_path, 2, test)


def test_results_that_were_not_moved_when_the_agent_died_are_moved_at_the_next_start(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all()
        await first.finish(job_id)
        first.tasks[1].cancel()
        await second.finish(job_id)
        await fleet.reach(job_id, "succeeded")
        assert (first.folder / "jobs" / job_id / "staging").is_dir()

        await first.restart()

        await until(lambda: (first.folder / "jobs" / job_id / "results").is_dir())
        assert not (first.folder / "jobs" / job_id / "staging").exists()

    play(tmp_path, 2, test)


def test_a_result_can_be_had_before_anybody_moved_it(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all()
        await first.finish(job_id)
        first.tasks[1].cancel()
        await second.finish(job_id)
        await fleet.reach(job_id, "succeeded")

        result = await first.jobs.result(job_id)

        assert result.files["intersection"].read_bytes() == b"rows"

    play(tmp_path, 2, test)


def test_staged_results_of_no_job_are_discarded_at_start(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        (first,) = fleet.nodes
        staging = first.folder / "jobs" / "forgotten" / "staging"
        staging.mkdir(parents=True)

        await first.restart()

        await until(lambda: not staging.parent.exists())

    play(tmp_path, 1, test)


@pytest.mark.parametrize("seed", range(4))
def test_mail_that_drops_repeats_and_delays_changes_nothing(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's own

    async def unreliable(sender: object, to: object, letter: Letter) -> None:
        await asyncio.sleep(rng.random() * 0.02)
        if rng.random() < 0.25:
            raise Undelivered("lost on the way")

    async def test(fleet: Fleet) -> None:
        fleet.mail.hinder = fleet.mail.hinder_receipt = unreliable
        job_id = await fleet.run_all()
        await asyncio.gather(*(node.finish(job_id) for node in fleet.nodes))
        assert (await end(fleet, job_id))[0] == "succeeded"

    play(tmp_path, 3, test)


@pytest.mark.parametrize("seed", range(6))
def test_nodes_killed_at_random_agree_in_the_end(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's own

    async def drive(node: Node, job_id: str, digest: str, stop: asyncio.Event) -> None:
        """Do on a node what its people and its worker would, whenever it is possible."""
        while not stop.is_set():
            await asyncio.sleep(rng.random() * 0.02)
            if not node.is_up:
                continue
            views = {view.id: view for view in (await node.jobs.list()).views}
            state = views[job_id].state.value if job_id in views else ""
            if rng.random() < 0.15:
                await node.restart()
            elif state == "waiting_approval":
                await node.jobs.approve(job_id, digest, OWNER)
            elif state == "running" and job_id in node.runner.folders:
                await node.finish(job_id)

    async def test(fleet: Fleet) -> None:
        job = await fleet.submit()
        stop = asyncio.Event()
        driving = [
            asyncio.create_task(drive(node, job.id, job.digest, stop)) for node in fleet.nodes
        ]
        try:
            async with asyncio.timeout(30):
                while not await all_sealed(fleet, job.id):
                    await asyncio.sleep(0.05)
        finally:
            stop.set()
            await asyncio.gather(*driving)
        state, _ = await end(fleet, job.id)
        assert state in ("succeeded", "failed")

    play(tmp_path, 3, test)


async def all_sealed(fleet: Fleet, job_id: str) -> bool:
    sealed = 0
    for node in fleet.nodes:
        if node.is_up:
            views = (await node.jobs.list()).views
            sealed += any(view.record for view in views if view.id == job_id)
    return sealed == len(fleet.nodes)


def test_a_disk_that_is_full_delays_a_verdict_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all()
        monkeypatch.setattr("appliance.jobs.attendant.RETRY_SECONDS", 0.02)
        run = first.store.run
        refusals = iter([StoreFull(first.folder)] * 3)

        async def full_for_a_while(work: Callable[..., object]) -> object:
            for refusal in refusals:
                raise refusal
            return await run(work)

        monkeypatch.setattr(first.store, "run", full_for_a_while)
        await first.finish(job_id)
        await second.finish(job_id)

        assert (await end(fleet, job_id))[0] == "succeeded"

    play(tmp_path, 2, test)


def test_a_proposal_that_the_disk_has_no_room_for_comes_again(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        second = fleet.nodes[1]
        refusals = iter([StoreFull(second.folder)] * 3)

        async def full_for_a_while(sender: object, to: object, letter: Letter) -> None:
            for refusal in refusals:
                raise refusal

        fleet.mail.hinder = full_for_a_while
        job = await fleet.submit()

        await fleet.reach(job.id, "waiting_approval", second)

    play(tmp_path, 2, test)


def test_an_approval_whose_caller_hangs_up_is_attended_to(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        second = fleet.nodes[1]
        job = await fleet.submit()
        await until(lambda: second.datasets.asked)
        call = asyncio.create_task(second.jobs.approve(job.id, job.digest, OWNER))

        while await second.state(job.id) == "waiting_approval":
            await asyncio.sleep(0)
        call.cancel()

        await fleet.reach(job.id, "running")

    play(tmp_path, 2, test)


def test_recovering_twice_changes_nothing(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first = fleet.nodes[0]
        job_id = await fleet.run_all()
        await first.restart()
        before = await end(fleet, job_id)

        again: Jobs = first.jobs
        await again.recover()

        assert await end(fleet, job_id) == before

    play(tmp_path, 2, test)
