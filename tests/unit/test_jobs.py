"""Jobs on two and three nodes, from the proposal to a record that all nodes share."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.jobs.errors import (
    ContractExpired,
    DigestDiffers,
    JobAmbiguous,
    JobNotFound,
    NoResult,
    NoteInvalid,
)
from appliance.jobs.live import LiveJobs
from appliance.jobs.progress import PeerReport, ProgressReport
from appliance.jobs.reasons import Reason
from appliance.jobs.states import IllegalTransition
from appliance.jobs.views import CAUTION, JobView
from appliance.mailbox.letters import Letter, Undelivered
from appliance.words.catalogue import Language
from tests.unit.job_doubles import OWNER, Fleet, Node, play, until


def records(views: list[JobView]) -> set[str]:
    return {view.record for view in views}


def report(stage: str, done: int, total: int = 100) -> ProgressReport:
    return ProgressReport(
        stage=stage, done=done, total=total, bytes_sent=1, bytes_received=2, rounds=3
    )


@pytest.mark.parametrize("count", [2, 3])
def test_a_job_that_all_approve_runs_and_leaves_one_record(tmp_path: Path, count: int) -> None:
    async def test(fleet: Fleet) -> None:
        job_id = await fleet.run_all()

        for node in fleet.nodes:
            await node.finish(job_id)
        views = await fleet.reach(job_id, "succeeded")

        assert len(records(views)) == 1
        assert "" not in records(views)
        for node, view in zip(fleet.nodes, views, strict=True):
            assert [party.verdict for party in view.parties] == ["succeeded"] * count
            assert view.summary == {"rows": 7}
            result = await node.jobs.result(job_id)
            assert result.files["intersection"].read_bytes() == b"rows"
            assert result.row_counts == {"intersection": 7}

    play(tmp_path, count, test)


def test_no_result_is_handed_out_before_every_party_has_succeeded(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        job_id = await fleet.run_all()

        await fleet.nodes[0].finish(job_id)
        (view,) = await fleet.reach(job_id, "settling", fleet.nodes[0])

        assert view.cause == "waiting to hear how it ended for laboratory"
        with pytest.raises(NoResult, match="is done here"):
            await fleet.nodes[0].jobs.result(job_id)

    play(tmp_path, 2, test)


def test_a_success_elsewhere_is_void_when_one_party_fails(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all()
        await first.finish(job_id)

        await second.jobs.worker_failed(job_id, Reason.MEMORY, "9 GiB of 8 GiB", "buy some")
        views = await fleet.reach(job_id, "failed")
        await until(lambda: not (first.folder / "jobs" / job_id).exists())

        assert len(records(views)) == 1
        assert views[0].cause == f"it failed at laboratory: {Reason.MEMORY.sentence}"
        assert views[0].remedy == Reason.MEMORY.remedy
        assert views[1].cause == "it failed here: 9 GiB of 8 GiB"
        assert views[1].remedy == "buy some"
        with pytest.raises(NoResult):
            await first.jobs.result(job_id)

    play(tmp_path, 2, test)


def test_a_worker_calls_parties_by_rank_and_people_read_names(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        second = fleet.nodes[1]
        job_id = await fleet.run_all()

        await second.jobs.worker_failed(job_id, Reason.PEER_LOST, "party 0: gone, says party 7", "")
        (view,) = await fleet.reach(job_id, "failed", second)

        assert view.cause == "it failed here: hospital: gone, says party 7"

    play(tmp_path, 2, test)


def test_what_failed_exactly_is_told_to_nobody_else(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job_id = await fleet.run_all()

        await second.jobs.worker_failed(job_id, Reason.DATA, "row 7 of /secret/path", "")
        (view,) = await fleet.reach(job_id, "failed", first)

        assert "secret" not in repr(view)

    play(tmp_path, 2, test)


def test_a_failure_stops_the_workers_of_all(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        job_id = await fleet.run_all()

        await fleet.nodes[2].jobs.worker_failed(job_id, Reason.WORKER_CRASHED, "SIGSEGV", "")
        views = await fleet.reach(job_id, "failed")
        await until(lambda: all(job_id in node.runner.stopped for node in fleet.nodes))

        assert [party.verdict for party in views[0].parties][2] == "failed"

    play(tmp_path, 3, test)


def test_nothing_runs_before_every_party_has_signed(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _first, second, third = fleet.nodes
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", second, third)

        await second.jobs.approve(job.id, job.digest, OWNER)
        await asyncio.sleep(0.1)
        assert not any(node.runner.started for node in fleet.nodes)

        await third.jobs.approve(job.id, job.digest, OWNER)
        await until(lambda: all(node.runner.started == [job.id] for node in fleet.nodes))

    play(tmp_path, 3, test)


def test_a_rejection_ends_the_job_everywhere_with_the_operators_words(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", *fleet.nodes[1:])

        await fleet.nodes[1].jobs.reject(job.id, OWNER, "not this quarter")
        views = await fleet.reach(job.id, "rejected")
        await until_sealed(fleet, job.id)

        assert views[0].cause.startswith("rejected by laboratory")
        assert '"not this quarter"' in views[0].cause
        assert len(records([await node.jobs.get(job.id) for node in fleet.nodes])) == 1
        assert not any(node.runner.started for node in fleet.nodes)

    play(tmp_path, 3, test)


async def until_sealed(fleet: Fleet, job_id: str) -> None:
    async with asyncio.timeout(10):
        while not all([await is_sealed(node, job_id) for node in fleet.nodes]):
            await asyncio.sleep(0.01)


async def is_sealed(node: Node, job_id: str) -> bool:
    return any(view.record for view in (await node.jobs.list()).views if view.id == job_id)


@pytest.mark.parametrize("canceller", [0, 1])
def test_either_party_can_cancel_a_running_job(tmp_path: Path, canceller: int) -> None:
    async def test(fleet: Fleet) -> None:
        job_id = await fleet.run_all()

        await fleet.nodes[canceller].jobs.cancel(job_id, OWNER)
        views = await fleet.reach(job_id, "cancelled")

        assert len(records(views)) == 1
        await until(lambda: all(job_id in node.runner.stopped for node in fleet.nodes))

    play(tmp_path, 2, test)


def test_what_a_worker_says_after_its_job_was_cancelled_changes_nothing(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first = fleet.nodes[0]
        job_id = await fleet.run_all()
        await first.jobs.cancel(job_id, OWNER)

        await first.jobs.worker_finished(job_id, {}, {}, {})
        await first.jobs.worker_failed(job_id, Reason.TIME, "late", "")
        views = await fleet.reach(job_id, "cancelled")

        assert views[1].parties[0].reason == Reason.OPERATOR_CANCELLED.sentence

    play(tmp_path, 2, test)


def test_a_verdict_is_given_once(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first = fleet.nodes[0]
        job_id = await fleet.run_all()
        await first.finish(job_id)

        with pytest.raises(IllegalTransition, match="is done here"):
            await first.jobs.cancel(job_id, OWNER)

    play(tmp_path, 2, test)


def test_an_approver_must_have_read_this_very_contract(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        second = fleet.nodes[1]
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", second)

        with pytest.raises(DigestDiffers):
            await second.jobs.approve(job.id, "0" * 64, OWNER)
        assert await second.state(job.id) == "waiting_approval"

    play(tmp_path, 2, test)


def test_a_job_is_approved_once_and_not_by_its_proposer(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job = await fleet.submit()
        with pytest.raises(IllegalTransition, match="cannot be approved or rejected"):
            await first.jobs.approve(job.id, job.digest, OWNER)
        with pytest.raises(IllegalTransition, match="cannot be approved or rejected"):
            await first.jobs.reject(job.id, OWNER)
        await fleet.reach(job.id, "waiting_approval", second)
        await second.jobs.approve(job.id, job.digest, OWNER)
        with pytest.raises(IllegalTransition):
            await second.jobs.approve(job.id, job.digest, OWNER)

    play(tmp_path, 2, test)


def test_words_of_rejection_are_one_short_line(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        second = fleet.nodes[1]
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", second)
        for note in ("a" * 201, "two\nlines", "\x1b[2J"):
            with pytest.raises(NoteInvalid):
                await second.jobs.reject(job.id, OWNER, note)

    play(tmp_path, 2, test)


def test_the_contract_waits_until_it_expires(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        second = fleet.nodes[1]
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", second)

        fleet.clock.milliseconds = job.expires_milliseconds + 1
        with pytest.raises(ContractExpired):
            await second.jobs.approve(job.id, job.digest, OWNER)
        for node in fleet.nodes:
            await node.restart()
        views = await fleet.reach(job.id, "rejected")

        assert views[0].cause == f"rejected by laboratory: {Reason.EXPIRED.sentence}"

    play(tmp_path, 2, test)


def test_a_timer_ends_a_job_that_expires(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        second.is_up = False
        job = await fleet.submit()
        fleet.clock.milliseconds = job.expires_milliseconds - 50
        await first.restart()
        await asyncio.sleep(0.02)
        fleet.clock.milliseconds = job.expires_milliseconds + 1

        (view,) = await fleet.reach(job.id, "settling", first)

        assert view.parties[0].verdict == "cancelled"
        second.is_up = True
        await until_sealed(fleet, job.id)
        views = [await node.jobs.get(job.id) for node in fleet.nodes]
        assert {view.state.value for view in views} <= {"cancelled", "rejected"}
        assert len({(view.state, view.record) for view in views}) == 1

    play(tmp_path, 2, test)


def test_a_job_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first = fleet.nodes[0]
        job = await fleet.submit()
        assert (await first.jobs.get(job.id[:8])).id == job.id
        assert (await first.jobs.get(job.id.upper())).id == job.id
        for unknown in ("", "nothing", "%", job.id + "a"):
            with pytest.raises(JobNotFound):
                await first.jobs.get(unknown)
        ids = [job.id]
        while len({job_id[0] for job_id in ids}) == len(ids):
            ids.append((await fleet.submit()).id)
        with pytest.raises(JobAmbiguous):
            await first.jobs.get(ids[-1][0])

    play(tmp_path, 2, test)


def test_people_see_their_own_names_and_the_disclosure(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        pin = second.peers.pins[first.node_id]
        second.peers.pins[first.node_id] = type(pin)(
            node_id=pin.node_id, name="clinic", public_der=pin.public_der
        )
        job = await fleet.submit()
        (view,) = await fleet.reach(job.id, "waiting_approval", second)

        assert [party.name for party in view.parties] == ["clinic", "laboratory"]
        assert [party.is_here for party in view.parties] == [False, True]
        texts = [line.text_in(Language.ENGLISH) for line in view.disclosure]
        assert texts == ["clinic learns of 2 tables", "you learn of 2 tables"]
        assert [(await second.jobs.list(waiting=True)).views[0].id] == [job.id]
        assert (await first.jobs.list(waiting=True)).views == ()

    play(tmp_path, 2, test)


def test_watching_shows_each_state_and_progress_until_the_end(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        job = await fleet.submit()
        seen: list[JobView] = []

        async def watch() -> None:
            async for view in first.jobs.watch(job.id):
                seen.append(view)

        watching = asyncio.create_task(watch())
        await fleet.reach(job.id, "waiting_approval", second)
        await second.jobs.approve(job.id, job.digest, OWNER)
        await fleet.reach(job.id, "running")
        await until(lambda: first.runner.started and second.runner.started)
        for done in (10, 50):
            first.jobs.worker_progressed(job.id, report("join", done))
            first.jobs.peer_progressed(job.id, 1, PeerReport(stage="read", fraction=0.1))
            await asyncio.sleep(0.02)
        first.jobs.link_changed(job.id, 1, is_up=False)
        await until(lambda: seen[-1].progress and seen[-1].progress.is_reconnecting)
        first.jobs.link_changed(job.id, 1, is_up=True)
        await first.finish(job.id)
        await second.finish(job.id)
        await asyncio.wait_for(watching, 10)

        states = list(dict.fromkeys(view.state.value for view in seen))
        assert states[0] == "waiting_peers"
        assert states[-1] == "succeeded"
        progress = [view.progress for view in seen if view.progress]
        assert {p.fraction for p in progress if p.report.done == 50} == {0.25 + 0.75 / 2}
        assert progress[0].peers[0].stage_title == "Read"

    play(tmp_path, 2, test)


def test_the_story_of_a_job_is_told_event_by_event(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        job_id = await fleet.run_all()
        for node in fleet.nodes:
            await node.finish(job_id)

        views = await fleet.reach(job_id, "succeeded")

        assert [event.text for event in views[0].events][:6] == [
            "proposed here by the owner",
            "approved by the owner",
            "signed here and proposed to laboratory",
            "laboratory has signed",
            "signed by all parties",
            "the computation begins",
        ]
        assert [event.text for event in views[1].events][:5] == [
            "proposed by hospital, who has signed",
            "approved by the owner",
            "signed here",
            "signed by all parties",
            "the computation begins",
        ]

    play(tmp_path, 2, test)


def test_a_job_with_a_peer_that_is_unpaired_ends(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second, _third = fleet.nodes
        job_id = await fleet.run_all()
        del first.peers.pins[second.node_id]
        del second.peers.pins[first.node_id]

        await first.jobs.part_from(second.node_id)
        await second.jobs.part_from(first.node_id)
        views = await fleet.reach(job_id, "cancelled")

        assert Reason.UNPAIRED.sentence in views[0].cause
        await until(lambda: all(job_id in node.runner.stopped for node in fleet.nodes))

    play(tmp_path, 3, test)


def test_an_unpairing_that_the_agent_did_not_survive_ends_jobs_at_the_next_start(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet) -> None:
        first, _second = fleet.nodes
        job = await fleet.submit()
        await first.kill()
        first.peers.pins.clear()

        await first.up()

        (view,) = await fleet.reach(job.id, "cancelled", first)
        assert Reason.UNPAIRED.sentence in view.cause

    play(tmp_path, 2, test)


def test_letters_that_overtake_the_proposal_are_kept_for_it(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second, third = fleet.nodes

        async def no_mail_from_first_to_third(sender: object, to: object, letter: Letter) -> None:
            if (sender, to) == (first.node_id, third.node_id):
                raise Undelivered("no route")

        passing = fleet.mail.hinder
        fleet.mail.hinder = no_mail_from_first_to_third
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", second)
        await second.jobs.approve(job.id, job.digest, OWNER)
        await asyncio.sleep(0.1)
        assert (await third.jobs.list()).views == ()

        fleet.mail.hinder = passing
        (view,) = await fleet.reach(job.id, "waiting_approval", third)
        assert [party.has_signed for party in view.parties] == [True, True, False]

    play(tmp_path, 3, test)


def test_a_proposal_that_a_peer_refuses_to_read_ends_with_that_cause(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        second.inbox._handlers.clear()

        job = await fleet.submit()
        (view,) = await fleet.reach(job.id, "rejected", first)

        assert view.cause == "rejected here: laboratory refused the letter: unknown-kind"
        assert view.remedy == Reason.PROPOSAL_REFUSED.remedy

    play(tmp_path, 2, test)


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_a_job_cut_short_says_on_both_sides_what_may_have_been_learnt(
    tmp_path: Path, end: str
) -> None:
    async def test(fleet: Fleet) -> None:
        first = fleet.nodes[0]
        job_id = await fleet.run_all()
        assert (await first.jobs.get(job_id)).caution == ""

        if end == "fail":
            await first.jobs.worker_failed(job_id, Reason.TIME, "late", "")
        else:
            await first.jobs.cancel(job_id, OWNER)
        views = await fleet.reach(job_id, "failed" if end == "fail" else "cancelled")

        assert [view.caution for view in views] == [CAUTION, CAUTION]

    play(tmp_path, 2, test)


@pytest.mark.parametrize("reason", [Reason.DISK_FULL, Reason.MEMORY, Reason.TIME, Reason.DATA])
def test_once_a_run_depends_on_its_result_the_others_do_not_hear_why_it_failed(
    tmp_path: Path, reason: Reason
) -> None:
    async def test(fleet: Fleet) -> None:
        first = fleet.nodes[0]
        job_id = await fleet.run_all()
        first.jobs.worker_progressed(job_id, report("write", 0))

        await first.jobs.worker_failed(job_id, reason, "", "")
        here, there = await fleet.reach(job_id, "failed")

        assert here.cause == f"it failed here: {reason.sentence}"
        assert here.remedy == reason.remedy
        assert there.cause == f"it failed at hospital: {Reason.UNFINISHED.sentence}"

    play(tmp_path, 2, test)


def test_a_job_that_makes_no_progress_is_ended(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first = fleet.nodes[0]
        first.limits = replace(first.limits, idle_seconds=0.3)
        await first.restart()
        job_id = await fleet.run_all()
        for done in range(4):
            first.jobs.worker_progressed(job_id, report("join", done))
            await asyncio.sleep(0.15)
        assert await first.state(job_id) == "running"

        here, there = await fleet.reach(job_id, "failed")

        assert "made progress" in here.cause
        assert there.cause == f"it failed at hospital: {Reason.STALLED.sentence}"
        assert job_id in first.runner.stopped

    play(tmp_path, 2, test)


def test_a_contracts_limits_are_shown_to_who_approves_it(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        job = await fleet.submit(most_seconds=120, grace_seconds=7)
        (view,) = await fleet.reach(job.id, "waiting_approval", fleet.nodes[1])
        assert (view.most_seconds, view.grace_seconds) == (120, 7)

    play(tmp_path, 2, test)


def test_jobs_are_listed_page_by_page_without_their_contracts(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        first, second = fleet.nodes
        made = []
        for _ in range(5):
            fleet.clock.milliseconds += 1
            made.append((await fleet.submit()).id)
        made[3:] = [*made[3:], (await fleet.submit()).id]  # two in one millisecond

        seen: list[str] = []
        more = True
        while more:
            page = await first.jobs.list(after=seen[-1] if seen else "", most=2)
            assert len(page.views) <= 2
            assert {view.contract for view in page.views} == {""}
            assert page.views[0].parties[1].name == "laboratory"
            seen, more = [*seen, *(view.id for view in page.views)], page.more

        assert sorted(seen[:2]) == sorted(made[-2:])
        assert seen[2:] == made[3::-1]
        await fleet.reach(made[-1], "waiting_approval", second)
        assert await second.jobs.waiting_count() == 6
        with pytest.raises(JobNotFound):
            await first.jobs.list(after="nothing")

    play(tmp_path, 2, test)


def test_a_job_that_somebody_holds_has_one_lock_even_if_it_is_dropped_meanwhile() -> None:
    live = LiveJobs()
    held = live.of("job")
    live.drop("job")
    assert live.of("job") is held

    held.version = 7
    del held
    live.drop("job")
    assert live.of("job").version == 0
