"""What is recorded stays provable, whatever is undone, crashes or is pruned."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from appliance.identity.errors import SignatureInvalid
from appliance.ledger.checkpoint import parse_note, verify_checkpoint
from appliance.ledger.entries import parse_entry
from appliance.ledger.errors import (
    CheckpointNotFound,
    CheckpointUnsigned,
    EntryNotFound,
    EntryTooLong,
    LedgerDamaged,
    PruneTooEarly,
)
from appliance.ledger.facts import JobDisclosed, Kind, LedgerBegun, NodeStarted
from appliance.ledger.merkle import (
    hash_leaf,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from appliance.store.errors import StoreFull
from tests.unit.ledger_doubles import ACTOR, DIGEST, JOB, LedgerNode, Tree


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LedgerNode]:
    node = LedgerNode(tmp_path / "state")
    yield node
    node.close()


def size_of(node: LedgerNode) -> int:
    return node.run(node.ledger.size)


def contents(node: LedgerNode, *indexes: int) -> list[bytes]:
    wanted = indexes or range(size_of(node))
    return list(node.run(lambda session: node.ledger.contents(session, wanted)).values())


def test_the_first_entry_says_whose_ledger_it_is(node: LedgerNode) -> None:
    index = node.record(Kind.NODE_STARTED, NodeStarted(version="0.1.0"))

    assert index == 1
    begun, started = (parse_entry(content) for content in contents(node))
    assert begun.facts == LedgerBegun(node=node.id.text)
    assert (started.index, started.actor, started.at) == (1, ACTOR, begun.at + 1000)


def test_the_tree_is_that_of_the_entries(node: LedgerNode) -> None:
    node.start(20)
    node.run_job()

    note = node.checkpoint()

    tree = Tree(contents(node))
    assert note.checkpoint.size == 26
    assert note.checkpoint.root == root_of(tree.read, 26)
    verify_checkpoint(parse_note(note.text), node.id, node.key.public_der)


def test_every_entry_is_proven_in_every_size(node: LedgerNode) -> None:
    node.start(10)
    tree = Tree(contents(node))

    for size in range(1, 12):
        proofs = node.run(partial(node.ledger.prove_inclusions, indexes=range(size), size=size))
        for index, content in enumerate(contents(node, *range(size))):
            verify_inclusion(
                index=index,
                size=size,
                leaf_hash=hash_leaf(content),
                proof=proofs[index],
                root=root_of(tree.read, size),
            )


def test_every_size_is_proven_to_begin_with_every_smaller(node: LedgerNode) -> None:
    node.start(10)
    tree = Tree(contents(node))

    for second in range(1, 12):
        for first in range(1, second + 1):
            proof = node.run(partial(node.ledger.prove_consistency, first=first, second=second))
            verify_consistency(
                first=first,
                second=second,
                first_root=root_of(tree.read, first),
                second_root=root_of(tree.read, second),
                proof=proof,
            )


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (0, 9), (-1, 2)])
def test_what_is_not_there_is_not_proven(node: LedgerNode, index: int, size: int) -> None:
    node.start(3)

    with pytest.raises(EntryNotFound):
        node.run(lambda session: node.ledger.prove_inclusions(session, [index], size))
    with pytest.raises(EntryNotFound):
        node.run(lambda session: node.ledger.prove_consistency(session, size + 1, size))


def test_a_ledger_goes_on_after_it_was_opened_again(node: LedgerNode, tmp_path: Path) -> None:
    node.start(6)
    node.close()
    again = LedgerNode(tmp_path / "state", node.key)

    again.start(6)

    assert again.run(again.ledger.verify).size == 13
    again.close()


def test_what_was_undone_was_not_recorded(node: LedgerNode) -> None:
    node.start(4)

    def fail(session: Session) -> None:
        node.ledger.append(session, Kind.NODE_STARTED, NodeStarted(version="lost"), ACTOR)
        raise KeyError

    with pytest.raises(KeyError):
        node.run(fail)
    index = node.record(Kind.NODE_STARTED, NodeStarted(version="kept"))

    assert index == 5
    assert node.run(node.ledger.verify).size == 6


def test_what_a_savepoint_undid_was_not_recorded(node: LedgerNode) -> None:
    node.start(4)

    def work(session: Session) -> None:
        inner = session.begin_nested()
        node.ledger.append(session, Kind.NODE_STARTED, NodeStarted(version="lost"), ACTOR)
        inner.rollback()
        node.ledger.append(session, Kind.NODE_STARTED, NodeStarted(version="kept"), ACTOR)

    node.run(work)

    assert node.run(node.ledger.verify).size == 6


def test_an_action_whose_record_is_too_long_does_not_happen(node: LedgerNode) -> None:
    facts = JobDisclosed(digest=DIGEST, statements=("x" * 512,) * 16)

    with pytest.raises(EntryTooLong):
        node.record(Kind.JOB_DISCLOSED, facts)

    assert size_of(node) == 0


def test_an_action_whose_record_finds_no_room_does_not_happen(node: LedgerNode) -> None:
    node.start(3)
    node.run(lambda session: session.execute(text("PRAGMA max_page_count = 1")))

    def act(session: Session) -> None:
        session.execute(text("DELETE FROM mailboxes"))
        for _ in range(1000):
            node.ledger.append(session, Kind.NODE_STARTED, NodeStarted(version="0.1"), ACTOR)

    with pytest.raises(StoreFull):
        node.run(act)

    assert node.run(node.ledger.verify).size == 4


CRASH = """
import os, signal, sys
from pathlib import Path
from sqlalchemy.orm import Session
from appliance.ledger.facts import Kind, NodeStarted
from tests.unit.ledger_doubles import ACTOR, LedgerNode

node = LedgerNode(Path(sys.argv[1]))
node.start(int(sys.argv[2]))

def crash(session: Session) -> None:
    for _ in range(int(sys.argv[3])):
        node.ledger.append(session, Kind.NODE_STARTED, NodeStarted(version="lost"), ACTOR)
    session.flush()
    os.kill(os.getpid(), signal.SIGKILL)

node.run(crash)
"""


@pytest.mark.parametrize("lost", [1, 300])
def test_a_crash_leaves_entries_and_tree_agreeing(tmp_path: Path, lost: int) -> None:
    command = [sys.executable, "-c", CRASH, str(tmp_path / "state"), "6", str(lost)]
    ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": "."}, check=False)
    assert ran.returncode == -signal.SIGKILL

    node = LedgerNode(tmp_path / "state")
    assert node.run(node.ledger.verify).size == 7
    node.start()
    assert node.run(node.ledger.verify).size == 8
    node.close()


def test_a_size_is_signed_once(node: LedgerNode) -> None:
    node.start()

    assert node.checkpoint() == node.checkpoint()


def test_nothing_is_signed_that_is_not_what_was_signed_before(node: LedgerNode) -> None:
    node.start(3)
    node.checkpoint()
    node.run(lambda s: s.execute(text("UPDATE ledger_nodes SET hash = zeroblob(32)")))
    node.start()

    with pytest.raises(LedgerDamaged, match="an entry from 0 to 3"):
        node.checkpoint()


def test_a_checkpoint_that_was_never_signed_is_not_found(node: LedgerNode) -> None:
    with pytest.raises(CheckpointNotFound):
        node.run(lambda session: node.ledger.countersigned(session, 3))


def test_pages_go_back_from_the_newest(node: LedgerNode) -> None:
    node.start(4)

    first = node.run(lambda session: node.ledger.page(session, most=3))
    second = node.run(lambda session: node.ledger.page(session, most=3, before=first[-1].index))

    assert [one.index for one in (*first, *second)] == [4, 3, 2, 1, 0]
    assert [one.entry.index for one in first if one.entry] == [4, 3, 2]


def test_pages_are_of_some_kinds_or_of_a_job(node: LedgerNode) -> None:
    node.run_job()
    node.run_job("b" * 26)

    ends = node.run(lambda s: node.ledger.page(s, most=9, kinds=[Kind.JOB_ENDED]))
    job = node.run(lambda s: node.ledger.page(s, most=9, job_id=JOB))

    assert [one.job for one in ends] == ["b" * 26, JOB]
    assert [one.kind for one in job] == [Kind.JOB_ENDED, Kind.JOB_STARTED, Kind.JOB_SIGNED]


@pytest.mark.parametrize("change", ["content = x'7b7d'", "kind = 'node.stopped'"])
def test_a_page_names_an_entry_that_is_none(node: LedgerNode, change: str) -> None:
    node.start(2)
    node.run(lambda s: s.execute(text(f"UPDATE ledger_entries SET {change}")))  # noqa: S608

    with pytest.raises(LedgerDamaged, match="entry 2 was changed"):
        node.run(lambda session: node.ledger.page(session, most=9))


def test_a_pruned_ledger_goes_on_proving_all_that_is_left(node: LedgerNode) -> None:
    node.start(9)
    old = node.checkpoint()
    node.time += timedelta(days=181)
    cut = node.time - timedelta(days=180, seconds=3)
    node.run_job()
    before = contents(node)

    up_to = node.run(lambda session: node.ledger.prune(session, cut, ACTOR))

    assert up_to == 10
    verified = node.run(node.ledger.verify)
    assert (verified.size, verified.pruned_up_to) == (16, 10)
    assert contents(node, *range(10, 15)) == before[10:]
    with pytest.raises(EntryNotFound, match="entry 3 was pruned"):
        contents(node, 3)
    proof = node.run(lambda session: node.ledger.prove_inclusions(session, [3], 16))[3]
    new = node.checkpoint().checkpoint
    verify_inclusion(index=3, size=16, leaf_hash=hash_leaf(before[3]), proof=proof, root=new.root)
    node.run(lambda session: node.ledger.require_contains(session, old.text))
    listed = node.run(lambda session: node.ledger.page(session, most=99))
    assert listed[0].kind is Kind.LEDGER_PRUNED
    assert [one.index for one in listed if one.entry is None] == list(range(9, -1, -1))


def test_young_entries_are_never_pruned(node: LedgerNode) -> None:
    node.start(3)

    with pytest.raises(PruneTooEarly, match="180"):
        node.run(lambda s: node.ledger.prune(s, node.time - timedelta(days=179), ACTOR))


def test_a_ledger_without_old_entries_says_nothing_of_pruning(node: LedgerNode) -> None:
    node.start(3)

    node.run(lambda s: node.ledger.prune(s, node.time - timedelta(days=200), ACTOR))

    assert size_of(node) == 4


def test_only_checkpoints_of_our_own_are_looked_for(node: LedgerNode, tmp_path: Path) -> None:
    node.start()
    other = LedgerNode(tmp_path / "other")
    other.start()
    foreign = other.checkpoint().text
    other.close()

    with pytest.raises(CheckpointUnsigned):
        node.run(lambda session: node.ledger.require_contains(session, foreign))
    forged = node.checkpoint().text.replace("\n2\n", "\n3\n")
    with pytest.raises(SignatureInvalid):
        node.run(lambda session: node.ledger.require_contains(session, forged))
