"""Whatever somebody does to the ledger's rows, the first bad entry is named."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from appliance.ledger import store as table
from appliance.ledger.entries import parse_entry, write_entry
from appliance.ledger.errors import LedgerDamaged
from appliance.ledger.facts import Kind, LedgerPruned, NodeStarted
from appliance.ledger.ledger import Ledger
from appliance.ledger.merkle import Frontier, hash_leaf
from tests.unit.contract_doubles import MemoryKey
from tests.unit.ledger_doubles import ACTOR, LedgerNode

SIZE = 33


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LedgerNode]:
    node = LedgerNode(tmp_path / "state")
    node.start(11)
    node.checkpoint()
    node.start(12)
    node.checkpoint()
    node.start(4)
    node.run_job()
    yield node
    node.close()


def verify(node: LedgerNode) -> None:
    assert node.run(node.ledger.verify).size == SIZE


def damage(node: LedgerNode, *statements: str) -> LedgerDamaged:
    """Do something to the database, and return what is found."""
    node.run(lambda session: [session.execute(text(statement)) for statement in statements])
    with pytest.raises(LedgerDamaged) as caught:
        verify(node)
    return caught.value


def rewrite(node: LedgerNode, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Make entries and tree anew, all agreeing, as somebody with the database could."""

    def work(session: Session) -> None:
        rows = session.execute(text("SELECT content FROM ledger_entries ORDER BY number"))
        contents = change([row.content for row in rows])
        session.execute(text("DELETE FROM ledger_entries"))
        session.execute(text("DELETE FROM ledger_nodes"))
        tree = Frontier(size=0, hashes=())
        for number, content in enumerate(contents):
            entry = parse_entry(content)
            renumbered = write_entry(entry.model_copy(update={"index": number}))
            leaf_hash = hash_leaf(renumbered)
            tree, made = tree.with_leaf(leaf_hash)
            columns = (number, entry.at, entry.kind.value, entry.job, renumbered, leaf_hash)
            table.add_entries(session, [columns])
            table.add_nodes(session, made)

    node.run(work)


def dated_later(node: LedgerNode, number: int) -> bytes:
    content = node.run(lambda session: node.ledger.contents(session, [number]))[number]
    return content.replace(b'"at":1', b'"at":2')


def set_content(number: int, content: bytes, *, is_hashed: bool = False) -> str:
    leaf_hash = f", leaf_hash = x'{hash_leaf(content).hex()}'" if is_hashed else ""
    return (
        f"UPDATE ledger_entries SET content = x'{content.hex()}'{leaf_hash} WHERE number = {number}"  # noqa: S608
    )


def edited(content: bytes) -> bytes:
    return write_entry(parse_entry(content).model_copy(update={"facts": NodeStarted(version="x")}))


def test_what_nobody_touched_verifies(node: LedgerNode) -> None:
    verified = node.run(node.ledger.verify)

    assert (verified.size, verified.pruned_up_to, verified.checkpoints) == (SIZE, 0, 2)
    assert verified.root == node.checkpoint().checkpoint.root


def test_an_empty_ledger_verifies(tmp_path: Path) -> None:
    node = LedgerNode(tmp_path / "new")

    assert node.run(node.ledger.verify).size == 0
    node.close()


@pytest.mark.parametrize("number", [0, 7, 16, SIZE - 1])
def test_a_flipped_bit_is_named(node: LedgerNode, number: int) -> None:
    found = damage(node, set_content(number, dated_later(node, number)))

    assert (found.index, found.what) == (number, f"the content of entry {number} was changed")


@pytest.mark.parametrize("number", [0, 7, 31])
def test_an_entry_that_was_changed_with_its_hash_is_named(node: LedgerNode, number: int) -> None:
    content = dated_later(node, number)

    found = damage(
        node,
        set_content(number, content, is_hashed=True),
        f"UPDATE ledger_entries SET at_milliseconds = {parse_entry(content).at}"  # noqa: S608
        f" WHERE number = {number}",
    )

    assert found.index == number - number % 2
    assert found.what.startswith(f"entry {found.index} or one of the 1 after it was changed")


def test_columns_that_say_other_than_the_entry_are_named(node: LedgerNode) -> None:
    found = damage(node, "UPDATE ledger_entries SET kind = 'job.ended' WHERE number = 5")

    assert (found.index, found.what) == (5, "the time, kind or job of entry 5 was changed")


def test_contents_that_changed_places_are_named(node: LedgerNode) -> None:
    found = damage(
        node,
        "UPDATE ledger_entries SET number = -1 WHERE number = 6",
        "UPDATE ledger_entries SET number = 6 WHERE number = 9",
        "UPDATE ledger_entries SET number = 9 WHERE number = -1",
    )

    assert (found.index, found.what) == (6, "entry 6 holds the content of entry 9")


def test_a_missing_entry_is_named(node: LedgerNode) -> None:
    found = damage(node, "DELETE FROM ledger_entries WHERE number = 12")

    assert (found.index, found.what) == (12, "entry 12 is missing")


def test_a_missing_content_is_named(node: LedgerNode) -> None:
    found = damage(node, "UPDATE ledger_entries SET content = NULL WHERE number = 12")

    assert (found.index, found.what) == (12, "the content of entry 12 is missing")


def test_a_content_that_is_no_entry_is_named(node: LedgerNode) -> None:
    found = damage(node, set_content(3, bytes(1), is_hashed=True))

    assert (found.index, found.what) == (3, "the content of entry 3 is no entry")


def test_entries_cut_off_the_end_are_missed(node: LedgerNode) -> None:
    found = damage(node, "DELETE FROM ledger_entries WHERE number > 29")

    assert (found.index, found.what[:32]) == (30, "entries from 30 on are missing, ")


def test_entries_cut_off_with_their_tree_are_missed_by_what_was_signed(node: LedgerNode) -> None:
    rewrite(node, lambda contents: contents[:20])

    found = damage(node)

    assert found.index == 20
    assert found.what == "entries from 20 on are missing: 24 entries were signed"


def test_a_rewritten_entry_is_found_between_two_checkpoints(node: LedgerNode) -> None:
    rewrite(node, lambda old: [*old[:15], edited(old[15]), *old[16:]])

    found = damage(node)

    assert found.index == 12
    assert found.what.startswith("an entry from 12 to 23 was changed after")


def test_a_dropped_entry_is_found_although_all_agree_again(node: LedgerNode) -> None:
    rewrite(node, lambda old: [*old[:3], *old[4:]])

    assert damage(node).what.startswith("an entry from 0 to 11 was changed after")


def test_a_peer_s_copy_tells_what_a_node_did_that_forgot_its_checkpoints(node: LedgerNode) -> None:
    copies = [node.run(partial(node.ledger.countersigned, size=size)).text for size in (12, 24)]
    rewrite(node, lambda old: [*old[:15], edited(old[15]), *old[16:]])
    node.run(lambda session: session.execute(text("DELETE FROM ledger_checkpoints")))
    verify(node)

    node.run(lambda session: node.ledger.require_contains(session, copies[0]))
    with pytest.raises(LedgerDamaged):
        node.run(lambda session: node.ledger.require_contains(session, copies[1]))


@pytest.mark.parametrize(("level", "position"), [(1, 0), (1, 15), (2, 7), (5, 0)])
def test_a_hash_of_a_subtree_that_was_changed_is_named(
    node: LedgerNode, level: int, position: int
) -> None:
    found = damage(
        node,
        "UPDATE ledger_nodes SET hash = zeroblob(32)"  # noqa: S608
        f" WHERE middle = {(2 * position + 1) << (level - 1)}",
    )

    assert found.index == position << level
    assert f"one of the {(1 << level) - 1} after it" in found.what


@pytest.mark.parametrize("value", ["'text'", "7", "x'ff'"])
def test_a_content_of_another_type_is_named(node: LedgerNode, value: str) -> None:
    found = damage(node, f"UPDATE ledger_entries SET content = {value} WHERE number = 5")  # noqa: S608

    assert (found.index, found.what) == (5, "the content of entry 5 was changed")


def test_in_a_large_ledger_each_place_is_looked_at(tmp_path: Path) -> None:
    node = LedgerNode(tmp_path / "large")
    node.start(2 * 4096 + 100)
    damages = {
        "UPDATE ledger_nodes SET hash = zeroblob(32) WHERE middle = 2048": (0, 4095),
        "UPDATE ledger_nodes SET hash = zeroblob(32) WHERE middle = 4097": (4096, 1),
        "UPDATE ledger_nodes SET hash = zeroblob(31) WHERE middle = 4099": (4098, 1),
        "DELETE FROM ledger_nodes WHERE middle = 4104": (4096, 15),
        "UPDATE ledger_nodes SET hash = zeroblob(32) WHERE middle = 4096": (0, 8191),
        "UPDATE ledger_nodes SET hash = zeroblob(32) WHERE middle = 8194": (8192, 3),
        "UPDATE ledger_entries SET content = x'00' WHERE number = 8200": (8200, None),
        "DELETE FROM ledger_entries WHERE number = 4096": (4096, None),
        "DELETE FROM ledger_entries WHERE number > 5000": (5001, None),
        "DELETE FROM ledger_entries WHERE number > 4095": (4096, None),
    }

    def damage_in_turn(session: Session) -> dict[str, tuple[int, int | None]]:
        found: dict[str, tuple[int, int | None]] = {}
        for statement in damages:
            undone = session.begin_nested()
            session.execute(text(statement))
            with pytest.raises(LedgerDamaged) as caught:
                node.ledger.verify(session)
            count = re.search(r"one of the (\d+) after it", caught.value.what)
            found[statement] = caught.value.index, int(count[1]) if count else None
            undone.rollback()
        return found

    assert node.run(damage_in_turn) == damages
    assert node.run(node.ledger.verify).size == 2 * 4096 + 101
    node.close()


def test_a_tree_with_a_hash_missing_is_not_gone_on_with(node: LedgerNode) -> None:
    node.run(lambda session: session.execute(text("DELETE FROM ledger_nodes WHERE middle % 4 = 0")))
    again = Ledger(node.key, now=node.now)

    for work in (
        again.checkpoint,
        partial(again.prove_consistency, first=24, second=SIZE),
        lambda session: again.append(session, Kind.NODE_STARTED, NodeStarted(version="x"), ACTOR),
    ):
        with pytest.raises(LedgerDamaged, match="is missing"):
            node.run(work)


def test_a_missing_hash_of_a_subtree_is_named(node: LedgerNode) -> None:
    assert damage(node, "DELETE FROM ledger_nodes WHERE middle = 12").index == 8


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE ledger_checkpoints SET note = 'x' WHERE size = 24", "has no blank line"),
        ("UPDATE ledger_checkpoints SET note = replace(note, char(10) || '24', char(10) || '23')"
         " WHERE size = 24", "does not verify"),
        ("UPDATE ledger_checkpoints SET size = 23 WHERE size = 24", "is of another size"),
    ],
)  # fmt: skip
def test_a_changed_checkpoint_is_named(node: LedgerNode, statement: str, fault: str) -> None:
    found = damage(node, statement)

    assert found.index == 12
    assert fault in found.what


def test_a_checkpoint_of_another_key_is_named(node: LedgerNode, tmp_path: Path) -> None:
    other = LedgerNode(tmp_path / "other", MemoryKey())
    other.start(11)
    note = other.checkpoint().text
    other.close()

    found = damage(node, f"UPDATE ledger_checkpoints SET note = '{note}' WHERE size = 12")  # noqa: S608

    assert "is not of the ledger of" in found.what


def test_contents_are_not_missing_because_an_entry_says_so_that_nobody_signed(
    node: LedgerNode,
) -> None:
    def prune(old: list[bytes]) -> list[bytes]:
        said = {"kind": Kind.LEDGER_PRUNED, "facts": LedgerPruned(up_to=9)}
        forged = write_entry(parse_entry(old[20]).model_copy(update=said))
        return [*old[:20], forged, *old[21:]]

    rewrite(node, prune)

    found = damage(node, "UPDATE ledger_entries SET content = NULL WHERE number < 9")

    assert found.what.startswith("an entry from 12 to 23 was changed after")
