"""Old entries are forgotten by whoever may, or by themselves; all that is left proves as before."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from appliance.governance.ledger_book import LedgerBook
from appliance.governance.receiver import Receiver, keep_receiver
from appliance.identity.node_id import NodeId
from appliance.ledger import store as table
from appliance.ledger import verify_evidence
from appliance.ledger.entries import NodeItself
from appliance.ledger.errors import EntryNotFound, PruneTooEarly
from appliance.ledger.facts import JobProposed, Kind, LedgerPruned
from tests.unit.ledger_doubles import ACTOR, DIGEST, JOB, LedgerNode
from tests.unit.test_ledger_evidence import run_program

OLD, YOUNG = JOB, "b" * 26


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[LedgerNode, LedgerNode]]:
    """Two nodes; the first ran a job with the other 200 days ago, and one today."""
    own, peer = LedgerNode(tmp_path / "own"), LedgerNode(tmp_path / "peer")
    ran(own, peer, OLD)
    own.time += timedelta(days=200)
    ran(own, peer, YOUNG)
    yield own, peer
    own.close()
    peer.close()


def ran(own: LedgerNode, peer: LedgerNode, job: str) -> None:
    parties = (own.id.text, peer.id.text)
    own.record(Kind.JOB_PROPOSED, JobProposed(digest=DIGEST, service="psi", parties=parties), job)
    own.run_job(job)
    own.show(peer)


def book_of(
    own: LedgerNode, peer: LedgerNode, names: Mapping[NodeId, str] = MappingProxyType({})
) -> LedgerBook:
    def public_key_of(_session: object, node_id: NodeId) -> bytes | None:
        return peer.key.public_der if node_id == peer.id else None

    return LedgerBook(
        store=own.store,
        ledger=own.ledger,
        key=own.key,
        names=lambda session: names,
        public_key_of=public_key_of,
        contract_of=lambda session, job: None,
        trouble_with=lambda receiver: "",
        now=own.now,
    )


def test_after_pruning_the_ledger_and_evidence_of_younger_jobs_verify(
    nodes: tuple[LedgerNode, LedgerNode], tmp_path: Path
) -> None:
    own, peer = nodes
    book = book_of(own, peer)
    before = asyncio.run(book.checkpoint())

    left = asyncio.run(book.prune(180, ACTOR))

    assert (left.kept_from, left.waits) == (7, False)
    assert asyncio.run(book.verify(before)).pruned_up_to == 7
    tar = tmp_path / "evidence.tar"
    tar.write_bytes(asyncio.run(book.export_job(YOUNG)))
    status, said = run_program(Path(verify_evidence.__file__), tar)
    assert status == 0, said
    with pytest.raises(EntryNotFound):
        asyncio.run(book.export_job(OLD))
    own.show(peer)  # which the peer would not sign if the ledger did not go on from before
    newest = asyncio.run(book.page(most=1)).entries[0].entry
    assert newest is not None
    assert (newest.actor, newest.facts) == (ACTOR, LedgerPruned(up_to=7))


def test_pruning_again_with_a_longer_time_says_what_is_left(
    nodes: tuple[LedgerNode, LedgerNode],
) -> None:
    book = book_of(*nodes)
    asyncio.run(book.prune(180, ACTOR))

    assert asyncio.run(book.prune(10**9, ACTOR)).kept_from == 7


@pytest.mark.parametrize("days", [0, 1, 179])
def test_nobody_prunes_what_is_younger(nodes: tuple[LedgerNode, LedgerNode], days: int) -> None:
    own, peer = nodes
    size = own.run(own.ledger.size)

    with pytest.raises(PruneTooEarly, match="younger than 180 days are never pruned"):
        asyncio.run(book_of(own, peer).prune(days, ACTOR))

    assert own.run(own.ledger.size) == size


def test_what_is_to_be_exported_first_stays(nodes: tuple[LedgerNode, LedgerNode]) -> None:
    own, peer = nodes
    book = book_of(own, peer)
    receiver = Receiver(address="collector:6514", authority="", set_by="", set_milliseconds=0)
    own.run(lambda session: keep_receiver(session, receiver))

    none_sent = asyncio.run(book.prune(180, ACTOR))
    own.run(lambda session: table.move_export(session, "collector:6514", 4))
    some_sent = asyncio.run(book.prune(180, ACTOR))
    own.run(lambda session: table.move_export(session, "collector:6514", 14))
    all_sent = asyncio.run(book.prune(180, ACTOR))

    assert (none_sent.kept_from, none_sent.waits) == (0, True)
    assert (some_sent.kept_from, some_sent.waits) == (4, True)
    assert (all_sent.kept_from, all_sent.waits) == (7, False)


@pytest.mark.parametrize(("days", "kept_from"), [(0, 0), (180, 7), (365, 0)])
def test_a_node_prunes_by_itself_if_it_is_told_to(
    nodes: tuple[LedgerNode, LedgerNode], days: int, kept_from: int
) -> None:
    own, peer = nodes

    async def run() -> None:
        work = asyncio.create_task(book_of(own, peer).prune_daily(days))
        await asyncio.wait([work], timeout=0.5)
        assert work.done() is (days == 0)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    asyncio.run(run())

    assert own.run(table.first_whole) == kept_from
    if kept_from:
        newest = own.run(lambda session: own.ledger.page(session, most=1))[0].entry
        assert newest is not None
        assert newest.actor == NodeItself()
