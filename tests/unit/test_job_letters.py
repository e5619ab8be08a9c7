"""Letters about jobs are hostile input: a peer speaks for itself, on its own jobs, and once."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from appliance.contracts.contract import (
    Contract,
    digest_of,
    make_job_id,
    write_contract,
)
from appliance.contracts.envelope import base64_of, sign_contract, write_envelope
from appliance.jobs import docket
from appliance.mailbox.letters import (
    Body,
    JobProposed,
    JobSigned,
    JobVerdict,
    Kind,
    Letter,
    Refusal,
    write_body,
)
from tests.unit.contract_doubles import MemoryKey, contract, party
from tests.unit.job_doubles import Fleet, Node

Test = Callable[[Fleet, "Forger"], Awaitable[None]]


class Forger:
    """Writes letters in the name of a paired node that does not write itself."""

    def __init__(self, fleet: Fleet, forger: Node, victim: Node) -> None:
        self.fleet = fleet
        self.node = forger
        self.victim = victim
        self._number = 0

    async def write(self, kind: Kind, body: Body) -> Refusal | None:
        self._number += 1
        letter = Letter(number=self._number, kind=kind.value, body=write_body(kind, body))
        return (await self.victim.inbox.receive(self.node.node_id, letter)).refusal

    def contract(self, **changes: Any) -> Contract:
        now = self.fleet.clock.milliseconds
        nodes = (self.node, self.victim)
        parties = tuple(party(node.node_id, node.name) for node in nodes)
        plain: dict[str, Any] = {"created": now, "expires": now + 1000, "parties": parties}
        return contract([], **plain | changes)

    async def propose(self, made: Contract, signer: MemoryKey | None = None) -> Refusal | None:
        data = write_contract(made)
        signature = sign_contract(data, signer or self.node.key)
        return await self.propose_envelope(write_envelope(data, {self.node.node_id: signature}))

    async def propose_envelope(self, envelope: str) -> Refusal | None:
        return await self.write(Kind.JOB_PROPOSED, JobProposed(envelope=envelope))

    async def sign(self, job_id: str, data: bytes, signer: MemoryKey) -> Refusal | None:
        signature = base64_of(sign_contract(data, signer))
        body = JobSigned(job_id=job_id, digest=digest_of(data), signature=signature)
        return await self.write(Kind.JOB_SIGNED, body)

    async def give(self, job_id: str, verdict: str, reason: str = "internal") -> Refusal | None:
        body = JobVerdict(job_id=job_id, verdict=verdict, reason=reason)
        return await self.write(Kind.JOB_VERDICT, body)


def play(folder: Path, test: Test) -> None:
    """Run with an honest hospital and laboratory, and a registry that is in the forger's hands."""

    async def run() -> None:
        async with Fleet(folder, 3) as fleet:
            forger = fleet.nodes[2]
            await forger.kill()
            await test(fleet, Forger(fleet, forger, fleet.nodes[0]))

    asyncio.run(run())


def test_an_honest_proposal_is_taken_and_its_replay_is_harmless(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        made = forger.contract()
        assert await forger.propose(made) is None
        assert await forger.propose(made) is None
        assert len(await forger.victim.jobs.list()) == 1

    play(tmp_path, test)


def test_a_proposal_in_another_nodes_name_is_refused(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        made = forger.contract(proposer=1)
        assert await forger.propose(made) is Refusal.NOT_ALLOWED
        assert await forger.victim.jobs.list() == ()

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
        stranger = {other.node_id: sign_contract(data, other)}
        assert await forger.propose(made, signer=other) is Refusal.BAD_SIGNATURE
        assert await forger.propose_envelope(write_envelope(data, {})) is Refusal.BAD_SIGNATURE
        assert (
            await forger.propose_envelope(write_envelope(data, stranger)) is Refusal.BAD_SIGNATURE
        )
        assert await forger.victim.jobs.list() == ()

    play(tmp_path, test)


def test_a_proposal_that_differs_by_one_byte_from_what_was_signed_is_refused(
    tmp_path: Path,
) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        data = write_contract(forger.contract())
        signature = sign_contract(data, forger.node.key)
        changed = data.replace(b'"row_count":100', b'"row_count":101', 1)
        envelope = write_envelope(changed, {forger.node.node_id: signature})
        assert await forger.propose_envelope(envelope) is Refusal.BAD_SIGNATURE

    play(tmp_path, test)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"type":"coffer.contract/1"}', b"\xff" * 100])
def test_a_signed_proposal_that_is_no_contract_is_refused(tmp_path: Path, data: bytes) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        signature = sign_contract(data, forger.node.key)
        envelope = write_envelope(data, {forger.node.node_id: signature})
        assert await forger.propose_envelope(envelope) is Refusal.MALFORMED
        assert await forger.propose_envelope("not an envelope") is Refusal.MALFORMED

    play(tmp_path, test)


def test_an_id_that_is_taken_cannot_be_used_for_other_bytes(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        made = forger.contract()
        await forger.propose(made)
        other = forger.contract(id=made.id, parameters={"depth": 2})
        assert await forger.propose(other) is Refusal.CONFLICT
        (view,) = await forger.victim.jobs.list()
        assert view.digest == digest_of(write_contract(made))

    play(tmp_path, test)


def test_a_flood_of_proposals_is_stemmed(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        forger.victim.datasets.asked = 0
        answers = [await forger.propose(forger.contract()) for _ in range(4)]
        assert answers[:2] == [None, None]
        assert answers[-1] is Refusal.TOO_MANY

    was, docket.MOST_UNENDED_JOBS = docket.MOST_UNENDED_JOBS, 2  # type: ignore[misc]
    try:
        play(tmp_path, test)
    finally:
        docket.MOST_UNENDED_JOBS = was  # type: ignore[misc]


async def honest_job(fleet: Fleet) -> str:
    """Have the hospital propose a job to the laboratory alone."""
    hospital, laboratory = fleet.nodes[:2]
    job = await hospital.jobs.submit(fleet.submission(hospital, laboratory))
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


async def joint_job(fleet: Fleet) -> str:
    """Have the hospital propose a job to all, and the laboratory sign it."""
    hospital, laboratory = fleet.nodes[:2]
    job = await hospital.jobs.submit(fleet.submission())
    await fleet.reach(job.id, "waiting_approval", laboratory)
    await laboratory.jobs.approve(job.id, job.digest)
    return job.id


def test_only_a_partys_own_signature_counts_for_it(tmp_path: Path) -> None:
    async def test(fleet: Fleet, forger: Forger) -> None:
        job_id = await joint_job(fleet)
        data = (await forger.victim.jobs.get(job_id)).contract.encode()

        other = data.replace(b'"depth":1', b'"depth":2') + b" "
        assert await forger.sign(job_id, data, MemoryKey()) is Refusal.BAD_SIGNATURE
        assert await forger.sign(job_id, other, forger.node.key) is Refusal.CONFLICT
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
        data = (await forger.victim.jobs.get(job_id)).contract.encode()

        assert await forger.give(job_id, "succeeded") is Refusal.CONFLICT
        assert await forger.give(job_id, "failed") is Refusal.CONFLICT
        assert await forger.give(job_id, "exploded") is Refusal.MALFORMED
        await forger.sign(job_id, data, forger.node.key)
        assert await forger.give(job_id, "rejected") is Refusal.CONFLICT

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

        (view,) = await fleet.nodes[1].jobs.list()
        assert [one.verdict for one in view.parties] == ["", ""]

    play(tmp_path, test)
