"""``coffer ledger``: what this node holds of a peer's ledger, and evidence held against it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.api import agent_pb2 as pb
from appliance.ledger.checkpoint import Note, parse_note, sign_checkpoint
from appliance.ledger.evidence import gather, tar_of
from tests.agent.cli_sides import JOB_ID, coffer
from tests.doubles import FakeAgent, Refusal
from tests.unit.ledger_doubles import LedgerNode

SHOW = "Ledger/ShowPeerCheckpoint"


@dataclass
class World:
    """The hospital's evidence, under a checkpoint of 7 entries that our node has signed."""

    hospital: LedgerNode
    ours: LedgerNode
    early: Note
    evidence: Path


@pytest.fixture
def world(agent: FakeAgent, tmp_path: Path) -> Iterator[World]:
    hospital, ours = LedgerNode(tmp_path / "hospital"), LedgerNode(tmp_path / "ours")
    hospital.start(3)
    early = hospital.show(ours)
    hospital.start(3)
    hospital.show(ours)
    world = World(hospital, ours, early, tmp_path / "evidence.tar")
    world.evidence.write_bytes(evidence_of(world, hospital, ours))
    agent.lay("Node/ShowNode", pb.NodeView(node_id=ours.id.text))
    yield world
    hospital.close()
    ours.close()


def evidence_of(world: World, *signers: LedgerNode) -> bytes:
    keys = {node.id: node.key.public_der for node in signers}
    own = world.hospital
    return tar_of(own.run(lambda session: gather(session, own.ledger, [1, 2], keys)))


def lay_held(agent: FakeAgent, note: Note, *forks: pb.LedgerFork) -> None:
    """Have the node hold this checkpoint of the hospital."""
    held = pb.PeerCheckpoint(
        peer="hospital", note=note.text, size=note.checkpoint.size, forks=forks
    )
    agent.lay(SHOW, held)


def forged(world: World, count: int) -> Note:
    """Return a checkpoint of a ledger of the hospital's that says other things."""
    return sign_checkpoint(count, bytes(32), world.hospital.key)


def test_the_checkpoint_of_a_peer_is_printed_as_it_was_signed(
    agent: FakeAgent, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_held(agent, world.early)

    assert coffer(agent, "ledger", "checkpoint", "--of", "hospital") == 0

    out, err = capsys.readouterr()
    assert parse_note(out) == world.early
    assert err == ""
    assert agent.asked_for(SHOW)[0].peer == "hospital"


def test_both_halves_of_a_fork_are_written_and_nothing_over_them(
    agent: FakeAgent, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = forged(world, 4)
    lay_held(agent, world.early, pb.LedgerFork(held=world.early.text, shown=shown.text))
    words = ("ledger", "checkpoint", "--of", "hospital")
    assert coffer(agent, *words) == 0
    assert "has forked its ledger" in capsys.readouterr().err

    folder = tmp_path / "forks"
    assert coffer(agent, *words, "--forks", str(folder), "--json") == 0

    files = [str(folder / f"fork-1-{half}.txt") for half in ("held", "shown")]
    assert json.loads(capsys.readouterr().out)["files"] == files
    assert [parse_note(Path(file).read_text("utf-8")) for file in files] == [world.early, shown]
    assert coffer(agent, *words, "--forks", str(folder)) == 1
    assert "name another folder" in capsys.readouterr().err


def test_a_peer_without_forks_has_none(
    agent: FakeAgent, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_held(agent, world.early)

    code = coffer(agent, "ledger", "checkpoint", "--of", "x", "--forks", str(tmp_path / "forks"))

    assert (code, capsys.readouterr().out) == (0, "hospital has shown no fork of its ledger\n")
    assert coffer(agent, "ledger", "checkpoint", "--forks", str(tmp_path)) == 2


def verified(
    agent: FakeAgent, world: World, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, dict[str, str]]:
    code = coffer(agent, "ledger", "verify", str(world.evidence), *words, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["verified"] is (code == 0)
    return code, told


def test_evidence_is_held_against_what_our_node_holds(
    agent: FakeAgent, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_held(agent, world.early)

    code, told = verified(agent, world, capsys)

    assert (code, told["against"]) == (0, "node")
    assert "held against the checkpoint of 4 entries" in told["note"]
    assert agent.asked_for(SHOW)[0].peer == world.hospital.id.text


@pytest.mark.parametrize("count", [4, 7])
def test_evidence_of_a_forked_ledger_is_disproved(
    agent: FakeAgent, world: World, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    lay_held(agent, forged(world, count))

    code, told = verified(agent, world, capsys)

    assert (code, told["against"]) == (1, "node")
    assert told["said"].startswith("fault: the ledger was forked: ")


def test_older_evidence_that_our_node_has_signed_is_good(
    agent: FakeAgent, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_held(agent, forged(world, 9))

    code, told = verified(agent, world, capsys)

    assert (code, told["against"]) == (0, "countersignature")


def test_older_evidence_that_our_node_has_not_signed_is_not_good(
    agent: FakeAgent, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.evidence.write_bytes(evidence_of(world, world.hospital))
    lay_held(agent, forged(world, 9))

    code, told = verified(agent, world, capsys)

    assert (code, told["against"]) == (1, "node")
    assert told["said"] == "fault: what you hold is newer: ask for evidence as of then"


def test_where_the_node_holds_nothing_it_is_said(
    agent: FakeAgent, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay(SHOW, Refusal(what="this node holds no checkpoint"))

    code, told = verified(agent, world, capsys)

    assert (code, told["against"]) == (0, "nothing")
    assert told["note"].startswith("not held against any checkpoint: this node holds no check")


def test_without_a_node_evidence_is_verified_alone_and_it_is_said(
    agent: FakeAgent, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.stop()

    code = coffer(agent, "ledger", "verify", str(world.evidence))

    assert code == 0
    assert "not held against any checkpoint: " in capsys.readouterr().out


def test_a_file_is_what_evidence_is_held_against_if_one_is_given(
    agent: FakeAgent, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = tmp_path / "held.txt"
    held.write_text(world.early.text, "utf-8")

    code, told = verified(agent, world, capsys, "--against", str(held))

    assert (code, told["against"]) == (0, "file")
    assert not agent.asked_for(SHOW)


def test_what_is_no_evidence_is_a_fault(
    agent: FakeAgent, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.evidence.write_bytes(b"nothing")

    assert verified(agent, world, capsys)[1]["said"].startswith("fault: ")


def test_entries_are_exported_by_their_numbers(
    agent: FakeAgent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Ledger/ExportEvidence", pb.EvidenceChunk(chunk=b"a tar"))
    words = ("ledger", "export", "--entries")

    assert coffer(agent, *words, "3-9", str(tmp_path / "a.tar")) == 0
    assert coffer(agent, *words, "7", str(tmp_path / "b.tar"), "--alone") == 0

    assert agent.asked_for("Ledger/ExportEvidence") == [
        pb.ExportEvidenceRequest(entries=pb.EntryRange(first=3, last=9)),
        pb.ExportEvidenceRequest(entries=pb.EntryRange(first=7, last=7), alone=True),
    ]
    assert (tmp_path / "a.tar").read_bytes() == b"a tar"
    for wrong in (("3-", "c"), ("x", "c"), ("-1", "c"), (str(2**64), "c"), ("1-2", JOB_ID, "c")):
        assert coffer(agent, *words, *wrong) == 2
    assert coffer(agent, "ledger", "export", JOB_ID) == 2
