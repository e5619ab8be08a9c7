"""What auditors take out: entries of any kind, and what peers have signed of their ledgers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.governance.ledger_book import MOST_EXPORTED, LedgerBook
from appliance.ledger import verify_evidence
from appliance.ledger.checkpoint import parse_note, sign_checkpoint
from appliance.ledger.errors import (
    CheckpointNotFound,
    EntryNotFound,
    LedgerForked,
    TooManyEntries,
)
from tests.unit.ledger_doubles import LedgerNode
from tests.unit.test_ledger_evidence import run_program
from tests.unit.test_ledger_pruning import book_of

PROGRAM = Path(verify_evidence.__file__)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[LedgerNode, LedgerNode]]:
    """Two nodes; the first has shown the other its first four entries, and has three more."""
    own, peer = LedgerNode(tmp_path / "own"), LedgerNode(tmp_path / "peer")
    own.start(3)
    own.show(peer)
    own.start(3)
    yield own, peer
    own.close()
    peer.close()


def named_book(own: LedgerNode, peer: LedgerNode) -> LedgerBook:
    """Return the book of a node that calls its peer ``lab``."""
    return book_of(own, peer, {peer.id: "lab"})


def proven(nodes: tuple[LedgerNode, LedgerNode], tar: Path, first: int, last: int) -> str:
    """Return what the program says of a node's entries, which it finds good."""
    tar.write_bytes(asyncio.run(named_book(*nodes).export_entries(first, last)))
    status, said = run_program(PROGRAM, tar)
    assert status == 0, said
    return said


def test_entries_are_under_the_signatures_of_the_peers_that_have_seen_them(
    nodes: tuple[LedgerNode, LedgerNode], tmp_path: Path
) -> None:
    said = proven(nodes, tmp_path / "a.tar", 0, 3)

    assert f"peer  {nodes[1].id.text}\n" in said
    assert "of 4 entries, signed by all of them, has these 4:" in said
    assert "ledger.begun" in said


def test_entries_that_no_peer_has_seen_are_under_our_own_signature(
    nodes: tuple[LedgerNode, LedgerNode], tmp_path: Path
) -> None:
    said = proven(nodes, tmp_path / "a.tar", 2, 6)

    assert "peer  " not in said
    assert "of 7 entries, signed by it alone, has these 5:" in said


def test_entries_are_exported_alone_where_that_is_asked_for(
    nodes: tuple[LedgerNode, LedgerNode], tmp_path: Path
) -> None:
    tar = tmp_path / "a.tar"
    tar.write_bytes(asyncio.run(named_book(*nodes).export_entries(1, 1, alone=True)))

    assert "signed by it alone, has these 1:" in run_program(PROGRAM, tar)[1]


@pytest.mark.parametrize(("first", "last"), [(7, 7), (3, 7), (5, 4), (2**63, 2**63 + 1)])
def test_entries_that_are_not_there_are_not_exported(
    nodes: tuple[LedgerNode, LedgerNode], first: int, last: int
) -> None:
    with pytest.raises(EntryNotFound):
        asyncio.run(named_book(*nodes).export_entries(first, last))


def test_a_bundle_is_bounded(nodes: tuple[LedgerNode, LedgerNode]) -> None:
    with pytest.raises(TooManyEntries, match="2001 entries are too many"):
        asyncio.run(named_book(*nodes).export_entries(0, MOST_EXPORTED))


def test_the_newest_checkpoint_of_a_peer_is_given_out_as_it_was_signed(
    nodes: tuple[LedgerNode, LedgerNode],
) -> None:
    own, peer = nodes
    book = book_of(peer, own, {own.id: "hospital"})
    own.show(peer)

    for named in ("hospital", own.id.text, own.id.short.lower()):
        found = asyncio.run(book.peer_ledger(named))
        assert (found.peer, found.name, found.size, found.forks) == (own.id, "hospital", 7, ())
        assert parse_note(found.held) == own.checkpoint()
    asyncio.run(named_book(*nodes).verify(found.held))


def test_both_halves_of_a_fork_are_given_out(nodes: tuple[LedgerNode, LedgerNode]) -> None:
    own, peer = nodes
    forged = sign_checkpoint(4, bytes(32), own.key)
    with pytest.raises(LedgerForked) as caught:
        peer.run(
            lambda session: peer.exchange.take_checkpoint(
                session, own.id, own.key.public_der, forged.text, []
            )
        )
    peer.run(lambda session: peer.exchange.keep_fork(session, caught.value))

    found = asyncio.run(book_of(peer, own).peer_ledger(own.id.text))

    ((held, shown, at),) = found.forks
    assert (held, shown) == (found.held, forged.text)
    assert at > found.held_milliseconds


def test_of_whom_nothing_is_held_nothing_is_given_out(
    nodes: tuple[LedgerNode, LedgerNode],
) -> None:
    own, peer = nodes
    with pytest.raises(CheckpointNotFound, match="no checkpoint of the ledger of 'lab'"):
        asyncio.run(named_book(own, peer).peer_ledger("lab"))
    with pytest.raises(CheckpointNotFound, match="this node itself"):
        asyncio.run(named_book(own, peer).peer_ledger(own.id.text))


def test_of_two_peers_with_one_name_the_id_is_asked_for(
    nodes: tuple[LedgerNode, LedgerNode], tmp_path: Path
) -> None:
    own, peer = nodes
    third = LedgerNode(tmp_path / "third")
    third.start()
    third.show(peer)
    book = book_of(peer, own, {own.id: "twin", third.id: "twin"})

    with pytest.raises(CheckpointNotFound, match="more than one peer is called 'twin'"):
        asyncio.run(book.peer_ledger("twin"))
    assert asyncio.run(book.peer_ledger(third.id.text)).size == 2
    third.close()
