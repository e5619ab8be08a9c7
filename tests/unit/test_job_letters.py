"""Letters about jobs are hostile input: a peer speaks for itself, on its own jobs, and once."""

import asyncio
import json
from pathlib import Path

import pytest
import rfc8785

from appliance.contracts.contract import (
    CONTRACT,
    ServiceRef,
    digest_of,
    make_job_id,
    write_contract,
)
from appliance.contracts.envelope import sign, write_envelope
from appliance.jobs import attendant, docket, proposals
from appliance.jobs import store as table
from appliance.jobs.reasons import Reason
from appliance.jobs.views import CAUTION
from appliance.mailbox.letters import (
    JobSigned,
    JobVerdict,
    Kind,
    Letter,
    Refusal,
)
from tests.unit.contract_doubles import MemoryKey, contract, party
from tests.unit.job_doubles import OWNER, Fleet
from tests.unit.job_forger import Forger, joint_job, play


def test_an_honest_proposal_is_taken_and_its_replay_is_harmless(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        made = forger.contract()
        assert await forger.propose(made) is None
        assert await forger.propose(made) is None
        assert len((await forger.victim.jobs.list()).views) == 1

    play(tmp_path, test)


def test_a_proposal_in_another_nodes_name_is_refused(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        made = forger.contract(proposer=1)
        assert await forger.propose(made) is Refusal.NOT_ALLOWED
        assert (await forger.victim.jobs.list()).views == ()

    play(tmp_path, test)


def test_a_proposal_without_this_node_is_refused(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        nodes = (fleet.nodes[2], fleet.nodes[1])
        made = forger.contract(parties=tuple(party(node.node_id, node.name) for node in nodes))
        assert await forger.propose(made) is Refusal.NOT_ALLOWED

    play(tmp_path, test)


def test_a_proposal_that_its_proposer_did_not_sign_is_refused(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        made = forger.contract()
        data = write_contract(made)
        other = MemoryKey()
        stranger = {other.node_id: sign(data, CONTRACT, other)}
        assert await forger.propose(made, signer=other) is Refusal.BAD_SIGNATURE
        assert (
            await forger.propose_envelope(write_envelope(data, CONTRACT, {}))
            is Refusal.BAD_SIGNATURE
        )
        assert (
            await forger.propose_envelope(write_envelope(data, CONTRACT, stranger))
            is Refusal.BAD_SIGNATURE
        )
        assert (await forger.victim.jobs.list()).views == ()

    play(tmp_path, test)


def test_a_proposal_that_differs_by_one_byte_from_what_was_signed_is_refused(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        data = write_contract(forger.contract())
        signature = sign(data, CONTRACT, forger.node.key)
        changed = data.replace(b'"row_count":100', b'"row_count":101', 1)
        envelope = write_envelope(changed, CONTRACT, {forger.node.node_id: signature})
        assert await forger.propose_envelope(envelope) is Refusal.BAD_SIGNATURE

    play(tmp_path, test)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"type":"coffer.contract/1"}', b"\xff" * 100])
def test_a_signed_proposal_that_is_no_contract_is_refused(tmp_path: Path, data: bytes) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        signature = sign(data, CONTRACT, forger.node.key)
        envelope = write_envelope(data, CONTRACT, {forger.node.node_id: signature})
        assert await forger.propose_envelope(envelope) is Refusal.MALFORMED
        assert await forger.propose_envelope("not an envelope") is Refusal.MALFORMED

    play(tmp_path, test)


def test_an_id_that_is_taken_cannot_be_used_for_other_bytes(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        made = forger.contract()
        await forger.propose(made)
        other = forger.contract(id=made.id, parameters={"depth": 2})
        assert await forger.propose(other) is Refusal.CONFLICT
        (view,) = (await forger.victim.jobs.list()).views
        assert view.digest == digest_of(write_contract(made))

    play(tmp_path, test)


def test_a_flood_of_proposals_is_stemmed(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        forger.victim.datasets.asked = 0
        answers = [await forger.propose(forger.contract()) for _ in range(4)]
        assert answers[:2] == [None, None]
        assert answers[-1] is Refusal.TOO_MANY

    was, proposals.MOST_UNENDED_JOBS = proposals.MOST_UNENDED_JOBS, 2  # type: ignore[misc]
    try:
        play(tmp_path, test)
    finally:
        proposals.MOST_UNENDED_JOBS = was  # type: ignore[misc]


async def honest_job(fleet: Fleet) -> str:
    """Have the hospital propose a job to the laboratory alone."""
    hospital, laboratory = fleet.nodes[:2]
    job = await hospital.jobs.submit(fleet.submission(hospital, laboratory), OWNER)
    await fleet.reach(job.id, "waiting_approval", laboratory)
    return job.id


def test_a_peer_cannot_speak_on_a_job_that_it_is_no_party_of(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await honest_job(fleet)
        view = await forger.victim.jobs.get(job_id)
        data = view.contract.encode()

        for verdict in ("rejected", "failed", "cancelled", "succeeded"):
            assert await forger.give(job_id, verdict) is Refusal.NOT_ALLOWED
        assert await forger.sign(job_id, data, forger.node.key) is Refusal.NOT_ALLOWED
        assert await forger.victim.state(job_id) == "waiting_peers"

    play(tmp_path, test)


def test_only_a_partys_own_signature_counts_for_it(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await joint_job(fleet)
        data = (await forger.victim.jobs.get(job_id)).contract.encode()

        other = data.replace(b'"depth":1', b'"depth":2') + b" "
        assert await forger.sign(job_id, data, MemoryKey()) is Refusal.BAD_SIGNATURE
        assert await forger.sign(job_id, other, forger.node.key, "") is Refusal.CONFLICT
        for text in ("*", "AAAA", "é"):
            body = JobSigned(job_id=job_id, digest=digest_of(data), signature=text)
            assert await forger.write(Kind.JOB_SIGNED, body) is Refusal.BAD_SIGNATURE
        assert not forger.victim.runner.started

        assert await forger.sign(job_id, data, forger.node.key) is None
        assert await forger.sign(job_id, data, forger.node.key) is None

    play(tmp_path, test)


def test_verdicts_that_no_honest_party_gives_are_refused(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await joint_job(fleet)

        assert await forger.give(job_id, "succeeded") is Refusal.CONFLICT
        assert await forger.give(job_id, "failed") is Refusal.CONFLICT
        assert await forger.give(job_id, "exploded") is Refusal.MALFORMED

    play(tmp_path, test)


@pytest.mark.parametrize("verdict", ["succeeded", "failed"])
def test_no_proposer_says_how_a_job_ran_that_this_node_has_not_signed(
    tmp_path: Path, verdict: str
) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        made = forger.contract()
        await forger.propose(made)

        assert await forger.give(made.id, verdict) is Refusal.CONFLICT
        assert await forger.victim.state(made.id) == "waiting_approval"

    play(tmp_path, test)


async def running_job(fleet: Fleet, forger: Forger) -> str:
    """Have the forger propose a job to its victim alone, which approves and begins it."""
    made = forger.contract()
    await forger.propose(made)
    await fleet.reach(made.id, "waiting_approval", forger.victim)
    await forger.victim.jobs.approve(made.id, digest_of(write_contract(made)), OWNER)
    await fleet.reach(made.id, "running", forger.victim)
    return made.id


@pytest.mark.parametrize("reason", ["operator-rejected", "followed", "proposal-refused"])
def test_a_run_cannot_be_called_rejected_by_who_has_signed_it(tmp_path: Path, reason: str) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await running_job(fleet, forger)

        assert await forger.give(job_id, "rejected", reason) is None

        (view,) = await fleet.reach(job_id, "failed", forger.victim)
        assert view.cause == f"it failed at registry: {Reason.BAD_VERDICT.sentence}"
        assert view.parties[0].verdict == "failed"
        assert view.caution == CAUTION

    play(tmp_path, test)


def test_a_signed_partys_rejection_does_not_count_before_somebody_withholds_its_signature(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        hospital, laboratory, registry = fleet.nodes
        job = await hospital.jobs.submit(fleet.submission(), OWNER)
        data = (await hospital.jobs.get(job.id)).contract.encode()
        assert await forger.sign(job.id, data, registry.key) is None
        assert await forger.give(job.id, "rejected", "followed") is None
        await fleet.reach(job.id, "waiting_peers", hospital)

        await fleet.reach(job.id, "waiting_approval", laboratory)
        await laboratory.jobs.approve(job.id, job.digest, OWNER)

        (view,) = await fleet.reach(job.id, "failed", hospital)
        assert view.parties[2].reason == Reason.BAD_VERDICT.sentence

    play(tmp_path, test)


def test_no_failure_counts_before_all_have_signed(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        hospital, laboratory, registry = fleet.nodes
        job = await hospital.jobs.submit(fleet.submission(), OWNER)
        data = (await hospital.jobs.get(job.id)).contract.encode()
        await forger.sign(job.id, data, registry.key)
        assert await forger.give(job.id, "failed") is None
        await fleet.reach(job.id, "waiting_peers", hospital)

        await fleet.reach(job.id, "waiting_approval", laboratory)
        await laboratory.jobs.reject(job.id, OWNER)

        views = await fleet.reach(job.id, "rejected", hospital, laboratory)
        assert views[0].cause.startswith("rejected by laboratory")
        assert views[0].caution == ""

    play(tmp_path, test)


@pytest.mark.parametrize("verdict", ["failed", "cancelled"])
def test_who_follows_nobody_is_told_to_have_broken_the_rules(tmp_path: Path, verdict: str) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await running_job(fleet, forger)

        assert await forger.give(job_id, verdict, "followed") is None

        (view,) = await fleet.reach(job_id, verdict, forger.victim)
        assert "registry" in view.cause
        assert Reason.BAD_VERDICT.sentence in view.cause
        assert view.parties[1].reason == Reason.FOLLOWED.sentence

    play(tmp_path, test)


def test_nobody_succeeds_by_following(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await running_job(fleet, forger)
        assert await forger.give(job_id, "succeeded", "followed") is Refusal.CONFLICT

    play(tmp_path, test)


def test_a_signature_after_the_verdict_is_refused(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await joint_job(fleet)
        data = (await forger.victim.jobs.get(job_id)).contract.encode()
        await forger.give(job_id, "cancelled", "followed")
        assert await forger.sign(job_id, data, forger.node.key) is Refusal.CONFLICT

    play(tmp_path, test)


def test_refused_proposals_leave_no_contract_and_are_forgotten_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "MOST_UNSIGNED_JOBS", 4)

    async def test(fleet: Fleet, forger: Forger) -> None:
        rejected = forger.contract()
        await forger.propose(rejected)
        await forger.victim.jobs.reject(rejected.id, OWNER, "no")
        for _ in range(8):
            made = forger.contract(service=ServiceRef(name="no.such", version=1))
            assert await forger.propose(made) is None

        page = await forger.victim.jobs.list()
        assert len(page.views) == 4
        assert rejected.id in [view.id for view in page.views]
        rows = await forger.victim.store.run(table.all_jobs)
        assert {bool(row.contract) for row in rows if row.id != rejected.id} == {False}

    play(tmp_path, test)


def test_what_a_peer_proposes_takes_bounded_room_and_never_the_place_of_what_we_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        signed = await running_job(fleet, forger)
        await forger.give(signed, "failed")
        await fleet.reach(signed, "failed", forger.victim)
        size_bytes = len(write_contract(forger.contract()))
        monkeypatch.setattr(proposals, "MOST_UNSIGNED_BYTES", 3 * size_bytes + 100)

        ended = [forger.contract() for _ in range(6)]
        for made in ended:
            assert await forger.propose(made) is None
            await forger.victim.jobs.reject(made.id, OWNER)
        kept = {view.id for view in (await forger.victim.jobs.list()).views}
        assert kept == {signed, *(made.id for made in ended[-3:])}

        waiting = [await forger.propose(forger.contract()) for _ in range(4)]
        assert waiting == [None, None, None, Refusal.TOO_MANY]
        assert await forger.victim.state(signed) == "failed"

    play(tmp_path, test)


def test_letters_about_a_refused_proposal_are_read_to_no_effect(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        made = forger.contract(service=ServiceRef(name="no.such", version=1))
        await forger.propose(made)

        assert await forger.sign(made.id, write_contract(made), forger.node.key) is None
        assert await forger.give(made.id, "cancelled", "operator-cancelled") is None
        assert await forger.propose(made) is None
        other = forger.contract(id=made.id)
        assert await forger.propose(other) is Refusal.CONFLICT
        assert await forger.victim.state(made.id) == "rejected"

    play(tmp_path, test)


def test_early_letters_are_forgotten_while_the_agent_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendant, "FORGET_SECONDS", 0.02)

    async def test(fleet: Fleet, forger: Forger) -> None:
        await forger.give(make_job_id(), "cancelled")
        fleet.clock.milliseconds += docket.EARLY_LETTER_MILLISECONDS + 1

        sender = forger.node.node_id
        async with asyncio.timeout(30):
            while await forger.victim.store.run(lambda s: table.count_early(s, sender)):
                await asyncio.sleep(0.01)

    play(tmp_path, test)


def test_the_keys_of_a_peers_json_reach_the_log_neither_whole_nor_raw(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        key = "\x1b[2J\u202e" + "k" * 150_000
        body = json.dumps({key: 1}, ensure_ascii=False).encode()
        for kind in (Kind.JOB_VERDICT, Kind.JOB_PROPOSED):
            forger._number += 1
            letter = Letter(number=forger._number, kind=kind.value, body=body)
            receipt = await forger.victim.inbox.receive(forger.node.node_id, letter)
            assert receipt.refusal is Refusal.MALFORMED
        data = rfc8785.dumps({**forger.contract().model_dump(mode="json"), key[:40_000]: 1})
        signature = sign(data, CONTRACT, forger.node.key)
        envelope = write_envelope(data, CONTRACT, {forger.node.node_id: signature})
        assert await forger.propose_envelope(envelope) is Refusal.MALFORMED

    play(tmp_path, test)

    assert "malformed" in caplog.text
    assert all(line.isascii() and line.isprintable() for line in caplog.text.splitlines())
    assert max(map(len, caplog.text.splitlines())) < 600


def test_a_number_that_cannot_be_written_is_a_malformed_contract(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        data = write_contract(forger.contract()).replace(
            b'"parameters":{}', b'"parameters":{"a":' + b"9" * 5000 + b"}"
        )
        signature = sign(data, CONTRACT, forger.node.key)
        envelope = write_envelope(data, CONTRACT, {forger.node.node_id: signature})
        assert await forger.propose_envelope(envelope) is Refusal.MALFORMED

    play(tmp_path, test)


def test_a_party_cannot_take_its_verdict_back(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await joint_job(fleet)

        assert await forger.give(job_id, "rejected", "operator-rejected") is None
        assert await forger.give(job_id, "rejected", "operator-rejected") is None
        assert await forger.give(job_id, "cancelled", "operator-cancelled") is Refusal.CONFLICT
        await fleet.reach(job_id, "rejected", *fleet.nodes[:2])

    play(tmp_path, test)


def test_a_note_that_would_move_the_cursor_is_refused(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await joint_job(fleet)
        body = JobVerdict(
            job_id=job_id, verdict="rejected", reason="operator-rejected", note="\x1b[2J"
        )
        assert await forger.write(Kind.JOB_VERDICT, body) is Refusal.MALFORMED

    play(tmp_path, test)


def test_a_reason_of_another_version_is_a_reason(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await joint_job(fleet)
        assert await forger.give(job_id, "rejected", "moon-phase") is None
        (view,) = await fleet.reach(job_id, "rejected", fleet.nodes[0])
        assert "does not know" in view.cause

    play(tmp_path, test)


def test_letters_about_unknown_jobs_are_kept_only_so_many(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        answers = [await forger.give(make_job_id(), "cancelled") for _ in range(101)]
        assert set(answers[:100]) == {None}
        assert answers[100] is Refusal.TOO_MANY

    play(tmp_path, test)


def test_an_early_letter_that_lies_is_void(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        forger.victim = fleet.nodes[1]
        made = contract(
            [],
            parties=tuple(party(node.node_id, node.name) for node in fleet.nodes[:2]),
            created=fleet.clock.milliseconds,
            expires=fleet.clock.milliseconds + 1000,
        )
        assert await forger.give(made.id, "rejected") is None

        honest = Forger(fleet, fleet.nodes[0], fleet.nodes[1])
        assert await honest.propose(made) is None

        (view,) = (await fleet.nodes[1].jobs.list()).views
        assert [one.verdict for one in view.parties] == ["", ""]

    play(tmp_path, test)


def test_a_peer_cannot_fill_the_ledger_with_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "MOST_AN_HOUR", 3)
    monkeypatch.setattr(proposals, "MOST_UNSIGNED_JOBS", 1)  # what is forgotten counts too

    async def test(fleet: Fleet, forger: Forger) -> None:
        await forger.victim.allow(peers=[], columns={})
        answers = [await forger.propose(forger.contract()) for _ in range(5)]
        assert answers == [None, None, None, Refusal.TOO_MANY, Refusal.TOO_MANY]

        fleet.clock.milliseconds += 3_600_001
        assert await forger.propose(forger.contract()) is None

    play(tmp_path, test)
