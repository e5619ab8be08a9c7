"""Two nodes hold each other to what they have signed."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from appliance.identity.errors import SignatureInvalid
from appliance.ledger import store as table
from appliance.ledger.checkpoint import Note, countersign, parse_note, verify_countersigned
from appliance.ledger.entries import PeerNode
from appliance.ledger.errors import (
    CheckpointMalformed,
    CheckpointNotFound,
    CheckpointUnsigned,
    LedgerForked,
    LedgerUnproven,
)
from appliance.ledger.exchange import MOST_FORKS
from appliance.ledger.facts import Kind, LedgerExchanged
from tests.unit.contract_doubles import MemoryKey
from tests.unit.ledger_doubles import LedgerNode


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[LedgerNode, LedgerNode]]:
    nodes = LedgerNode(tmp_path / "own"), LedgerNode(tmp_path / "peer")
    yield nodes
    for node in nodes:
        node.close()


@pytest.fixture
def twin(pair: tuple[LedgerNode, LedgerNode], tmp_path: Path) -> Iterator[LedgerNode]:
    """Give a node with the key of the first, whose ledger says other things."""
    twin = LedgerNode(tmp_path / "twin", pair[0].key)
    twin.time += timedelta(hours=1)
    yield twin
    twin.close()


def take(at: LedgerNode, own: LedgerNode, note: Note, proof: list[bytes]) -> str:
    return at.run(
        lambda session: at.exchange.take_checkpoint(
            session, own.id, own.key.public_der, note.text, proof
        )
    )


def test_checkpoints_are_countersigned_and_recorded(pair: tuple[LedgerNode, LedgerNode]) -> None:
    own, peer = pair
    own.run_job()

    note = own.show(peer)

    verify_countersigned(parse_note(note.text), peer.id, peer.key.public_der)
    listed = peer.run(lambda session: peer.ledger.page(session, most=1))[0].entry
    assert listed is not None
    assert listed.actor == PeerNode(node=own.id.text)
    assert listed.facts == LedgerExchanged(
        peer=own.id.text, size=6, root=note.checkpoint.root.hex()
    )


def test_a_ledger_that_grows_is_taken_again_and_again(pair: tuple[LedgerNode, LedgerNode]) -> None:
    own, peer = pair
    for _ in range(5):
        own.run_job()
        own.show(peer)
        peer.run_job()
        peer.show(own)

    for node in pair:
        assert node.run(node.ledger.verify).checkpoints == 5


def test_the_same_checkpoint_may_come_twice(pair: tuple[LedgerNode, LedgerNode]) -> None:
    own, peer = pair
    own.start()
    note = own.checkpoint()

    take(peer, own, note, [])
    take(peer, own, note, [])

    kinds = [one.kind for one in peer.run(lambda session: peer.ledger.page(session, most=9))]
    assert kinds == [Kind.LEDGER_EXCHANGED, Kind.LEDGER_BEGUN]


def test_two_ledgers_of_one_size_are_a_fork_and_kept_as_evidence(
    pair: tuple[LedgerNode, LedgerNode], twin: LedgerNode
) -> None:
    own, peer = pair
    own.start(3)
    held = own.show(peer)
    twin.start(3)
    forged = twin.checkpoint()

    with pytest.raises(LedgerForked, match="signed twice with 4 entries") as caught:
        take(peer, own, forged, [])

    peer.run(lambda session: peer.exchange.keep_fork(session, caught.value))
    (kept,) = peer.run(lambda session: table.forks_of(session, own.id))
    for text, note in ((kept.held, held), (kept.shown, forged)):
        read = parse_note(text)
        assert read.checkpoint == note.checkpoint
        verify_countersigned(read, own.id, own.key.public_der)
    (newest,) = peer.run(lambda session: peer.ledger.page(session, most=1))
    assert newest.kind is Kind.LEDGER_REFUSED


def test_a_ledger_that_does_not_go_on_from_what_we_hold_is_not_signed(
    pair: tuple[LedgerNode, LedgerNode], twin: LedgerNode
) -> None:
    own, peer = pair
    own.start(3)
    own.show(peer)
    twin.start(8)
    forged = twin.checkpoint()
    proof = twin.run(lambda session: twin.ledger.prove_consistency(session, 4, 9))

    for shown in (proof, [], proof[1:]):
        with pytest.raises(LedgerUnproven, match="is not shown to begin with its first 4"):
            take(peer, own, forged, shown)
    assert peer.run(lambda session: peer.exchange.held_size(session, own.id)) == 4


def test_a_peer_that_goes_on_forking_fills_no_disk(
    pair: tuple[LedgerNode, LedgerNode], twin: LedgerNode
) -> None:
    own, peer = pair
    own.start(3)
    own.show(peer)
    twin.start(3)
    forged = twin.checkpoint().with_line(countersign(own.checkpoint().checkpoint, MemoryKey()))

    for _ in range(MOST_FORKS + 3):
        with pytest.raises(LedgerForked) as caught:
            take(peer, own, forged, [])
        peer.run(partial(peer.exchange.keep_fork, fork=caught.value))

    kept = peer.run(lambda session: table.forks_of(session, own.id))
    assert len(kept) == MOST_FORKS
    assert len(parse_note(kept[0].shown).signatures) == 1
    assert peer.run(peer.ledger.size) == 2 + MOST_FORKS


def test_a_ledger_does_not_become_smaller(
    pair: tuple[LedgerNode, LedgerNode], twin: LedgerNode
) -> None:
    own, peer = pair
    own.start(3)
    small = own.checkpoint()
    own.start(3)
    own.show(peer)

    with pytest.raises(LedgerUnproven, match="has 4 entries after it had 7"):
        take(peer, own, small, [])


def test_a_checkpoint_of_somebody_else_is_not_taken(pair: tuple[LedgerNode, LedgerNode]) -> None:
    own, peer = pair
    own.start()
    note = own.checkpoint()

    with pytest.raises(CheckpointUnsigned):
        take(peer, peer, note, [])
    with pytest.raises(CheckpointMalformed):
        own.run(
            lambda session: peer.exchange.take_checkpoint(
                session, own.id, own.key.public_der, "x", []
            )
        )


def test_a_countersignature_is_taken_of_the_peer_and_of_that_size_alone(
    pair: tuple[LedgerNode, LedgerNode],
) -> None:
    own, peer = pair
    own.start()
    note, line = own.checkpoint(), ""

    def give(size: int, line: str) -> None:
        own.run(
            lambda session: own.exchange.take_countersignature(
                session, peer.id, peer.key.public_der, size, line
            )
        )

    line = countersign(note.checkpoint, peer.key).text
    with pytest.raises(CheckpointNotFound):
        give(1, line)
    with pytest.raises(CheckpointUnsigned):
        give(2, countersign(note.checkpoint, own.key).text)
    own.start()
    other = own.checkpoint()
    with pytest.raises(SignatureInvalid):
        give(other.checkpoint.size, line)
    with pytest.raises(CheckpointMalformed):
        give(2, line + line)
    give(2, line)
    give(2, line)
    assert len(own.run(lambda session: own.ledger.countersigned(session, 2)).signatures) == 2
