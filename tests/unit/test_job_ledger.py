"""Jobs are recorded as they go, in one transaction with what is done, and peers hold us to it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from appliance.ledger import store as table
from appliance.ledger.errors import EntryTooLong
from appliance.ledger.facts import JobDisclosed, Kind
from appliance.ledger.ledger import Ledger
from appliance.mailbox.letters import (
    Body,
    LedgerCountersigned,
    LedgerHeld,
    LedgerShown,
    LedgerUnwitnessed,
    LetterRefused,
    Refusal,
)
from appliance.mailbox.letters import Kind as Letters
from services.guarantees import guarantees
from services.service import Adversary, Statement, Terms
from tests.unit.contract_doubles import MemoryKey
from tests.unit.job_doubles import JOIN, OWNER, Fleet, Node, play
from tests.unit.ledger_doubles import LedgerNode

ALL = [
    "job.proposed",
    "job.decided",
    "job.approved",
    "job.disclosed",
    "grant.issued",
    "job.signed",
    "job.signed",
    "grant.used",
    "grant.used",
    "job.started",
    "job.metered",
    "job.ended",
]


async def kinds_at(node: Node, job_id: str | None = None) -> list[str]:
    """Return what a node's ledger has of a job, or of all, oldest first."""

    def work(session: Session) -> Sequence[str]:
        page = node.ledger.page(session, most=500, job_id=job_id)
        return [one.kind.value for one in page[::-1]]

    return [*await node.store.run(work)]


async def run_to_end(fleet: Fleet) -> str:
    job_id = await fleet.run_all()
    for node in fleet.nodes:
        await node.finish(job_id)
    await fleet.reach(job_id, "succeeded")
    return job_id


async def signed_by(node: Node, peer: Node) -> int:
    """Return how much of a node's ledger a peer has signed."""
    sizes = await node.store.run(lambda session: table.sizes_signed(session, [peer.node_id]))
    return sizes[-1] if sizes else 0


async def agree(fleet: Fleet, *sizes: int) -> None:
    """Wait until each of two nodes has signed so much of the other's ledger."""
    first, second = fleet.nodes
    async with asyncio.timeout(60):
        while (await signed_by(first, second), await signed_by(second, first)) != sizes:
            await asyncio.sleep(0.01)


async def size_at_end(node: Node, job_id: str) -> int:
    """Return how many entries there are up to a job's end."""

    def work(session: Session) -> int:
        return table.numbers_of_job(session, job_id)[-1] + 1

    return await node.store.run(work)


def test_a_job_is_recorded_from_its_proposal_to_its_end_and_both_sign_it(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        job_id = await run_to_end(fleet)

        proposer, other = [await kinds_at(node, job_id) for node in fleet.nodes]
        assert proposer == ALL
        assert sorted(other) == sorted(ALL)
        assert other[:2] == ["job.proposed", "job.signed"]
        await agree(fleet, *[await size_at_end(node, job_id) for node in fleet.nodes])
        for node in fleet.nodes:
            await node.store.run(node.ledger.verify)

    play(tmp_path, 2, test)


def test_what_is_disclosed_is_recorded_with_what_it_rests_on(tmp_path: Path) -> None:
    def disclose(terms: Terms) -> tuple[Statement, ...]:
        return *JOIN.disclose(terms), *guarantees(
            terms, Adversary.SEMI_HONEST, assumptions=("hashes hide",), statistical_bits=40
        )

    async def test(fleet: Fleet) -> None:
        for node in fleet.nodes:
            node.services[JOIN.name] = replace(JOIN, disclose=disclose)  # type: ignore[index]
        job_id = await fleet.run_all()

        def disclosed(session: Session) -> tuple[str, ...]:
            (found,) = node.ledger.page(session, most=5, kinds=[Kind.JOB_DISCLOSED], job_id=job_id)
            assert found.entry is not None
            assert isinstance(found.entry.facts, JobDisclosed)
            return found.entry.facts.statements

        for node in fleet.nodes:
            learnt, rests_on = (said := await node.store.run(disclosed))[:2], said[2:]
            assert [one.partition(" ")[2] for one in learnt] == ["learns of 2 tables"] * 2
            assert rests_on[0].startswith("adversary model: semi-honest: ")
            assert rests_on[1].startswith("who must not collude: none; ")
            assert rests_on[2].startswith("dealer: none; ")
            assert "128 bits, if this holds: hashes hide; statistical security: 40" in rests_on[3]

    play(tmp_path, 2, test)


def test_jobs_that_end_at_once_are_all_countersigned(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        jobs = [await fleet.run_all() for _ in range(4)]
        for job_id in jobs:
            await asyncio.gather(*(node.finish(job_id) for node in fleet.nodes))
        for job_id in jobs:
            await fleet.reach(job_id, "succeeded")

        ends = [max([await size_at_end(node, job_id) for job_id in jobs]) for node in fleet.nodes]
        async with asyncio.timeout(60):
            while await signed_by(*fleet.nodes) < ends[0]:
                await asyncio.sleep(0.01)
            while await signed_by(*fleet.nodes[::-1]) < ends[1]:
                await asyncio.sleep(0.01)
        for node in fleet.nodes:
            assert "ledger.refused" not in await kinds_at(node)

    play(tmp_path, 2, test)


def test_what_is_refused_is_recorded_with_the_rule_at_both(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        await laboratory.allow(services=["test.resuming"])
        job = await fleet.submit()
        await fleet.reach(job.id, "rejected")

        def decided(session: Session) -> Any:
            (found,) = laboratory.ledger.page(
                session, most=5, kinds=[Kind.JOB_DECIDED], job_id=job.id
            )
            assert found.entry is not None
            return found.entry.facts

        facts = await laboratory.store.run(decided)
        assert (facts.decision, facts.rule) == ("refused", "service")
        assert "does not allow the service test.join" in facts.sentence
        assert (await kinds_at(hospital, job.id))[-1] == "job.ended"
        assert await signed_by(hospital, laboratory) == 0

    play(tmp_path, 2, test)


def failing_at(kind: Kind) -> Callable[..., int]:
    """Return a way to append that has no room for entries of a kind."""
    whole = Ledger.append

    def append(self: Ledger, session: Session, at: Kind, *rest: Any) -> int:
        if at is kind:
            raise EntryTooLong(9000, 8192)
        return whole(self, session, at, *rest)

    return append


def test_what_cannot_be_recorded_does_not_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(fleet: Fleet) -> None:
        _hospital, laboratory = fleet.nodes
        job = await fleet.submit()
        await fleet.reach(job.id, "waiting_approval", laboratory)
        before = await kinds_at(laboratory)

        for kind in (Kind.JOB_APPROVED, Kind.JOB_DISCLOSED, Kind.GRANT_ISSUED, Kind.JOB_SIGNED):
            monkeypatch.setattr(Ledger, "append", failing_at(kind))
            with pytest.raises(EntryTooLong):
                await laboratory.jobs.approve(job.id, job.digest, OWNER)
            monkeypatch.undo()
            assert await laboratory.state(job.id) == "waiting_approval"
            assert await kinds_at(laboratory) == before
            view = await laboratory.jobs.get(job.id)
            assert not view.approvals

        await laboratory.jobs.approve(job.id, job.digest, OWNER)
        await fleet.reach(job.id, "running")
        await laboratory.store.run(laboratory.ledger.verify)

    play(tmp_path, 2, test)


@pytest.mark.parametrize("more", [-3, 0, 7])
def test_a_ledger_that_does_not_go_on_is_not_signed_and_both_are_kept(
    tmp_path: Path, more: int
) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        job_id = await run_to_end(fleet)
        await agree(fleet, *[await size_at_end(node, job_id) for node in fleet.nodes])
        held = await laboratory.store.run(
            lambda session: table.newest_of_peer(session, hospital.node_id)
        )
        assert held is not None
        note = await asyncio.to_thread(
            another_ledger, tmp_path / "rewritten", hospital.key, held.size + more
        )

        body = LedgerShown(note=note, since=held.size, proof=("AAAA",) if more > 0 else ())
        assert await receive(laboratory, hospital, Letters.LEDGER_SHOWN, body) is None

        forks = await laboratory.store.run(
            lambda session: table.forks_of(session, hospital.node_id)
        )
        assert [(one.held, one.shown) for one in forks] == [(held.note, note)]
        assert (await kinds_at(laboratory))[-1] == "ledger.refused"
        if more:  # the hospital has shown nothing of that size, and so believes nothing
            return
        async with asyncio.timeout(60):
            while "ledger.refused" not in await kinds_at(hospital):
                await asyncio.sleep(0.01)

    play(tmp_path, 2, test)


def test_what_a_peer_holds_otherwise_is_shown_to_go_on_from_there(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        job_id = await run_to_end(fleet)
        await agree(fleet, *[await size_at_end(node, job_id) for node in fleet.nodes])
        # As if a letter had been lost: the hospital believes that it showed more than it did.
        await hospital.store.run(
            lambda session: table.note_shown(session, laboratory.node_id, 3, 0)
        )

        second = await run_to_end(fleet)

        end = await size_at_end(hospital, second)
        async with asyncio.timeout(60):
            while await signed_by(hospital, laboratory) < end:
                await asyncio.sleep(0.01)
        assert "ledger.refused" not in await kinds_at(laboratory)

    play(tmp_path, 2, test)


def test_letters_about_ledgers_are_hostile_input(tmp_path: Path) -> None:
    async def test(fleet: Fleet) -> None:
        hospital, laboratory = fleet.nodes
        job_id = await run_to_end(fleet)
        await agree(fleet, *[await size_at_end(node, job_id) for node in fleet.nodes])
        held = await laboratory.store.run(
            lambda session: table.newest_of_peer(session, hospital.node_id)
        )
        assert held is not None
        before = await kinds_at(laboratory)
        size = held.size
        broken = held.note.replace(f"\n{size}\n", f"\n{size + 1}\n")
        stranger = await asyncio.to_thread(
            another_ledger, tmp_path / "stranger", MemoryKey(), size + 1
        )

        for kind, body, refusal in (
            (Letters.LEDGER_SHOWN, LedgerShown(note="no note", since=size, proof=()),
             Refusal.MALFORMED),
            (Letters.LEDGER_SHOWN, LedgerShown(note=held.note, since=size, proof=("*",)),
             Refusal.MALFORMED),
            (Letters.LEDGER_SHOWN, LedgerShown(note=held.note, since=size, proof=("é",)),
             Refusal.MALFORMED),
            (Letters.LEDGER_SHOWN, LedgerShown(note=broken, since=size, proof=()),
             Refusal.BAD_SIGNATURE),
            (Letters.LEDGER_SHOWN, LedgerShown(note=stranger, since=size, proof=()),
             Refusal.BAD_SIGNATURE),
            (Letters.LEDGER_COUNTERSIGNED, LedgerCountersigned(size=10**9, line="x"),
             Refusal.MALFORMED),
            (Letters.LEDGER_COUNTERSIGNED, LedgerCountersigned(size=size, line="x"),
             Refusal.MALFORMED),
        ):  # fmt: skip
            assert await receive(laboratory, hospital, kind, body) is refusal, (kind, body)
        assert await kinds_at(laboratory) == before

        # Nor does it help to ask again and again, or of what was never shown: one answer is all.
        await hospital.kill()
        before_asking = await laboratory.outbox.pending_count(hospital.node_id)
        for held_size in (0, 10**9, 5, 6):
            asked = LedgerHeld(size=held_size)
            assert await receive(laboratory, hospital, Letters.LEDGER_HELD, asked) is None
        waiting = await laboratory.outbox.pending_count(hospital.node_id)
        assert waiting - before_asking == 1
        shown = await laboratory.store.run(
            lambda session: table.find_shown(session, hospital.node_id)
        )
        assert shown is not None
        for size_refused in (1, shown.size, shown.size):
            refused = LedgerUnwitnessed(size=size_refused)
            assert await receive(laboratory, hospital, Letters.LEDGER_UNWITNESSED, refused) is None
        assert (await kinds_at(laboratory))[len(before) :] == ["ledger.refused"]

    play(tmp_path, 2, test)


def another_ledger(folder: Path, key: MemoryKey, size: int) -> str:
    """Return the checkpoint of a ledger of so many entries, by some key."""
    node = LedgerNode(folder, key)
    node.start(size - 1)  # the first says whose it is
    note = node.run(node.ledger.checkpoint)
    node.store.close()
    return note.text


async def receive(node: Node, sender: Node, kind: Letters, body: Body) -> Refusal | None:
    """Hand a node a letter of a peer as if it were the next."""
    handler = node.agreement.handlers()[kind]

    def work(session: Session) -> None:
        handler(session, sender.node_id, body)

    try:
        await node.store.run(work)
    except LetterRefused as refused:
        return refused.refusal
    return None
