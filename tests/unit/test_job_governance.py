"""Jobs run by policy: refused, approved by as many as are asked for, counted, and stopped."""

import asyncio
import sqlite3
from collections.abc import Awaitable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from appliance.accounts.principals import Person, Principal
from appliance.accounts.roles import Role, powers_of
from appliance.contracts.contract import CONTRACT, digest_of
from appliance.contracts.envelope import parse_envelope
from appliance.governance.errors import PolicyRefuses
from appliance.grants import store as grants_table
from appliance.grants.store import GrantRow, GrantUseRow
from appliance.jobs import attendant
from appliance.jobs.errors import ApprovedBefore, RejectionNotYours
from appliance.jobs.records import signed_contract
from appliance.jobs.states import IllegalTransition
from appliance.jobs.store import JobApprovalRow
from appliance.jobs.views import JobView
from appliance.mailbox.store import LetterOutRow
from appliance.policies.rules import Rule
from appliance.store.database import FILE_NAME
from appliance.store.errors import StoreFull
from tests.unit.job_doubles import OWNER, Fleet, Node, play, until

SECOND = replace(OWNER, principal=Principal.of_uid(1001), name="a second owner")
ANALYST = Person(
    principal=Principal.of_uid(1002), name="an analyst", powers=powers_of([Role.ANALYST])
)


async def uses_at(node: Node) -> int:
    """Return how many uses of a node's own table are taken there."""
    name = f"table-of-{node.name}"
    in_all, _ = await node.store.run(
        lambda session: grants_table.count_uses(session, node.node_id.text, name)
    )
    return in_all


async def rejected_at_both(fleet: Fleet, job: JobView) -> tuple[JobView, JobView]:
    first, second = await fleet.reach(job.id, "rejected")
    return first, second


def test_without_a_policy_of_its_own_a_node_proposes_nothing(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, _laboratory = fleet.nodes
        await hospital.allow(peers=[], columns={})

        with pytest.raises(PolicyRefuses) as refused:
            await fleet.submit()

        assert refused.value.rule is Rule.PEER
        assert not (await hospital.jobs.list()).views
        assert await uses_at(hospital) == 0

    play(tmp_path, 2, test)


def test_what_a_peers_policy_refuses_ends_by_itself_and_names_the_rule(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        await laboratory.allow(services=["test.resuming"])

        job = await fleet.submit()

        here, there = await rejected_at_both(fleet, job)
        assert 'the policy of its dataset does not allow it: "service"' in here.cause
        assert "does not allow the service test.join" in there.cause
        assert "let the owner add it to services" in there.remedy
        assert not there.contract
        assert await laboratory.store.run(partial(signed_contract, job_id=job.id)) is None
        kept = await hospital.store.run(partial(signed_contract, job_id=job.id))
        assert kept is not None
        envelope, signers = kept
        assert list(signers) == [hospital.node_id]
        signed = parse_envelope(envelope.decode(), CONTRACT)
        assert digest_of(signed.data) == job.digest
        assert await uses_at(hospital) == 0

    play(tmp_path, 2, test)


def test_two_people_must_approve_where_the_policy_says_so(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _, laboratory = fleet.nodes
        await laboratory.allow(approvals=2)
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", laboratory)

        first = await laboratory.jobs.approve(job.id, job.digest, OWNER)
        with pytest.raises(ApprovedBefore, match="each person counts once"):
            await laboratory.jobs.approve(job.id, job.digest, OWNER)
        await asyncio.sleep(0.05)

        assert first.state.value == "waiting_approval"
        assert (len(first.approvals), first.approvals_needed) == (1, 2)
        assert not laboratory.runner.started

        await laboratory.jobs.approve(job.id, job.digest, SECOND)
        await fleet.reach(job.id, "running")
        view = await laboratory.jobs.get(job.id)
        assert [one.name for one in view.approvals] == ["the owner", "a second owner"]

    play(tmp_path, 2, test)


def test_the_approval_of_somebody_who_may_not_any_more_does_not_count(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _, laboratory = fleet.nodes
        await laboratory.allow(approvals=2)
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", laboratory)
        await laboratory.jobs.approve(job.id, job.digest, OWNER)
        laboratory.gone.add(OWNER.id)

        await laboratory.jobs.approve(job.id, job.digest, SECOND)

        assert await laboratory.state(job.id) == "waiting_approval"
        laboratory.gone.clear()
        laboratory.jobs._have_attended(job.id)
        await fleet.reach(job.id, "running")

    play(tmp_path, 2, test)


def test_a_peers_proposal_is_rejected_by_those_alone_who_may_approve_it(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _, laboratory = fleet.nodes
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", laboratory)

        with pytest.raises(RejectionNotYours, match="waits for those who may approve it"):
            await laboratory.jobs.cancel(job.id, ANALYST)

        assert await laboratory.state(job.id) == "waiting_approval"
        await laboratory.jobs.cancel(job.id, OWNER)
        await fleet.reach(job.id, "rejected")

    play(tmp_path, 2, test)


def test_a_proposal_is_sent_once_the_proposers_own_people_approve(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        await hospital.allow(approvals=2)

        job = await hospital.jobs.submit(fleet.submission(), ANALYST)
        assert job.state.value == "waiting_approval" and not job.approvals
        await hospital.jobs.approve(job.id, job.digest, OWNER)
        await asyncio.sleep(0.05)
        assert not (await laboratory.jobs.list()).views

        await hospital.jobs.approve(job.id, job.digest, SECOND)
        await fleet.reach(job.id, "waiting_approval", laboratory)
        await laboratory.jobs.approve(job.id, job.digest, OWNER)
        await fleet.reach(job.id, "running")

    play(tmp_path, 2, test)


@pytest.mark.parametrize("way", ["cancel", "reject", "expire", "change the policy"])
def test_a_proposal_that_nobody_has_heard_of_ends_without_a_letter(
    tmp_path: Path, way: str
) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        job = await hospital.jobs.submit(fleet.submission(), ANALYST)
        if way == "cancel":
            await hospital.jobs.cancel(job.id, ANALYST)
        elif way == "reject":
            await hospital.jobs.reject(job.id, OWNER, "no")
        elif way == "expire":
            fleet.clock.milliseconds += 40 * 24 * 3600 * 1000
            hospital.jobs._have_attended(job.id)
        else:
            assert await hospital.allow(uses=0, uses_per_day=None) == [job.id]

        ended = "rejected" if way in ("reject", "expire") else "cancelled"
        await fleet.reach(job.id, ended, hospital)
        await asyncio.sleep(0.05)
        assert not (await laboratory.jobs.list()).views
        with pytest.raises(IllegalTransition):
            await hospital.jobs.approve(job.id, job.digest, OWNER)

    play(tmp_path, 2, test)


def test_a_standing_rule_signs_at_once(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _, laboratory = fleet.nodes
        await laboratory.allow(approvals=0)

        job = await fleet.submit()

        (_, view) = await fleet.reach(job.id, "running")
        assert "signed here, as a standing rule of our policy says" in [
            event.text for event in view.events
        ]

    play(tmp_path, 2, test)


def test_a_lower_bar_lets_a_job_go_that_waited_for_more_people(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _, laboratory = fleet.nodes
        await laboratory.allow(approvals=2)
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", laboratory)
        await laboratory.jobs.approve(job.id, job.digest, OWNER)

        assert await laboratory.allow(approvals=1) == []

        await fleet.reach(job.id, "running")

    play(tmp_path, 2, test)


def test_a_use_counts_from_the_signature_and_comes_back_unless_the_job_began(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        await hospital.allow(uses=1)
        job = await fleet.submit()
        assert await uses_at(hospital) == 1
        with pytest.raises(PolicyRefuses) as refused:
            await fleet.submit()
        assert refused.value.rule is Rule.USES

        await fleet.reach(job.id, "waiting_approval", laboratory)
        await laboratory.jobs.reject(job.id, OWNER)
        await fleet.reach(job.id, "rejected")
        assert await uses_at(hospital) == 0

        begun = await fleet.run_all()
        await hospital.jobs.cancel(begun, OWNER)
        await fleet.reach(begun, "cancelled")
        assert (await uses_at(hospital), await uses_at(laboratory)) == (1, 1)

    play(tmp_path, 2, test)


def test_of_two_jobs_that_race_for_the_last_use_one_runs(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _hospital, laboratory = fleet.nodes
        jobs = [await fleet.submit() for _ in range(2)]
        for job in jobs:
            await fleet.reach(job.id, "waiting_approval", laboratory)
        await laboratory.allow(uses=1)

        said = await asyncio.gather(
            *(laboratory.jobs.approve(job.id, job.digest, OWNER) for job in jobs),
            return_exceptions=True,
        )

        refused = [one for one in said if isinstance(one, PolicyRefuses)]
        assert [one.rule for one in refused] == [Rule.USES]
        (won,) = [one.id for one in said if isinstance(one, JobView)]
        await fleet.reach(won, "running")
        assert await uses_at(laboratory) == 1

    play(tmp_path, 2, test)


def test_of_two_proposals_that_cross_the_one_with_the_smaller_id_goes_first(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        for node in fleet.nodes:
            await node.allow(uses=1, approvals=0)
        gate = asyncio.Event()

        async def wait(*_: object) -> None:
            await gate.wait()

        fleet.mail.hinder = wait
        theirs = await laboratory.jobs.submit(fleet.submission(laboratory, hospital), OWNER)
        ours = await hospital.jobs.submit(fleet.submission(), OWNER)
        gate.set()

        won, lost = sorted((ours.id, theirs.id))
        await fleet.reach(won, "running")
        ends = [await fleet.nodes[0].jobs.get(lost), await fleet.nodes[1].jobs.get(lost)]
        await until(lambda: all(len(node.runner.started) == 1 for node in fleet.nodes))
        assert {end.state.value for end in ends} <= {"cancelled", "rejected", "settling"}
        assert [await uses_at(node) for node in fleet.nodes] == [1, 1]

    play(tmp_path, 2, test)


def test_a_stricter_policy_stops_what_runs_and_both_sides_know_why(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _hospital, laboratory = fleet.nodes
        job_id = await fleet.run_all()

        assert await laboratory.allow(columns={}) == [job_id]

        views = await fleet.reach(job_id, "failed")
        assert 'the policy of its dataset does not allow it: "column"' in views[0].cause
        assert "does not let column id be used" in views[1].cause
        await until(lambda: all(job_id in node.runner.stopped for node in fleet.nodes))
        assert await uses_at(laboratory) == 1

    play(tmp_path, 2, test)


def test_a_change_that_still_allows_a_running_job_leaves_it_alone(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        _hospital, laboratory = fleet.nodes
        job_id = await fleet.run_all()

        assert await laboratory.allow(uses=1) == []

        assert await laboratory.state(job_id) == "running"
        for node in fleet.nodes:
            await node.finish(job_id)
        await fleet.reach(job_id, "succeeded")

    play(tmp_path, 2, test)


def test_uses_outlive_a_crash_at_any_moment(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        await laboratory.allow(uses=1)
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", laboratory)
        await laboratory.restart()
        await laboratory.jobs.approve(job.id, job.digest, OWNER)
        await laboratory.restart()
        await fleet.reach(job.id, "running", laboratory)
        await laboratory.restart()
        await fleet.reach(job.id, "failed")
        assert await uses_at(laboratory) == 1

        again = await fleet.submit()
        (refused,) = await fleet.reach(again.id, "rejected", hospital)
        assert '"uses"' in refused.cause

    play(tmp_path, 2, test)


def test_an_approval_that_finds_no_room_did_not_happen_wherever_the_disk_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendant, "RETRY_SECONDS", 0.05)

    async def test(fleet: Fleet) -> None:
        _, laboratory = fleet.nodes
        await make_pages_small(laboratory)
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", laboratory)
        before = await traces_of(laboratory, job.id)
        failures = 0
        await laboratory.store.run(lambda session: let_grow(session, 0))
        while await is_full_for(laboratory, laboratory.jobs.approve(job.id, job.digest, OWNER)):
            assert await traces_of(laboratory, job.id) == before
            failures += 1
            await laboratory.store.run(partial(let_grow, pages=failures))

        assert failures >= 3
        await laboratory.store.run(lambda session: let_grow(session, 1 << 20))
        await fleet.reach(job.id, "running")
        assert await uses_at(laboratory) == 1
        await laboratory.store.run(laboratory.ledger.verify)

    play(tmp_path, 2, test)


async def make_pages_small(node: Node) -> None:
    """Rewrite a node's database in pages that little fits into, none of them free."""
    await node.kill()
    with closing(sqlite3.connect(node.folder / FILE_NAME, isolation_level=None)) as database:
        for step in ("journal_mode = DELETE", "page_size = 512"):
            database.execute(f"PRAGMA {step}")
        database.execute("VACUUM")
    await node.up()


async def is_full_for(node: Node, action: Awaitable[object]) -> bool:
    """Try an action in what room there is now; tell whether it found none."""
    try:
        await action
    except StoreFull:
        return True
    return False


def let_grow(session: Session, pages: int) -> None:
    """Let a database grow by so many pages, and no further."""
    now = session.scalar(text("PRAGMA page_count")) or 0
    session.execute(text(f"PRAGMA max_page_count = {now + pages}"))


async def traces_of(node: Node, job_id: str) -> tuple[object, ...]:
    """Return all that an approval leaves behind."""

    def work(session: Session) -> tuple[object, ...]:
        counts = [
            session.scalar(select(func.count()).select_from(table))
            for table in (GrantRow, GrantUseRow, JobApprovalRow, LetterOutRow)
        ]
        return (node.ledger.size(session), *counts)

    view = await node.jobs.get(job_id)
    return (view.state, view.approvals, view.events, await node.store.run(work))


def test_what_has_expired_is_not_signed_by_a_rule_and_harms_nothing(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        await laboratory.allow(approvals=0)
        gate = asyncio.Event()
        whole = laboratory.datasets.require_unchanged

        async def slow(name: str, *, explains: bool = False) -> Any:
            await gate.wait()
            return await whole(name, explains=explains)

        laboratory.datasets.require_unchanged = slow  # type: ignore[method-assign]
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", laboratory)
        fleet.clock.milliseconds = job.expires_milliseconds
        gate.set()

        (view,) = await fleet.reach(job.id, "rejected", laboratory)
        assert "expired" in view.cause
        assert all(not task.done() for task in laboratory.tasks)
        assert await uses_at(hospital) <= 1

    play(tmp_path, 2, test)
