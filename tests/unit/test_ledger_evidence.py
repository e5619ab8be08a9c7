"""An outsider verifies evidence with a program of its own, and hears of the first fault."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from appliance.identity.node_id import NodeId
from appliance.ledger import verify_evidence
from appliance.ledger.checkpoint import Note, countersign, parse_note, sign_checkpoint
from appliance.ledger.errors import CheckpointNotFound, EntryNotFound
from appliance.ledger.evidence import gather, gather_job, tar_of
from tests.unit.contract_doubles import MemoryKey
from tests.unit.ledger_doubles import JOB, LedgerNode

Bundle = dict[str, bytes]


@dataclass
class World:
    """Two nodes that ran a job, whose ledgers went on after it, and the evidence of it."""

    own: LedgerNode
    peer: LedgerNode
    early: Note
    bundle: Bundle

    @property
    def keys(self) -> dict[NodeId, bytes]:
        return {node.id: node.key.public_der for node in (self.own, self.peer)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("evidence")
    own, peer = LedgerNode(folder / "own"), LedgerNode(folder / "peer")
    own.start(3)
    early = own.show(peer)
    own.run_job()
    own.start(4)
    own.show(peer)
    world = World(own=own, peer=peer, early=early, bundle={})
    world.bundle = own.run(lambda session: gather_job(session, own.ledger, JOB, world.keys))
    yield world
    own.close()
    peer.close()


def verify(bundle: Bundle, folder: Path, *options: str) -> tuple[int, str]:
    """Run the program as an outsider does; return its exit status and what it says."""
    for name, data in bundle.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return run_program(folder / "verify_evidence.py", folder, *options)


def run_program(program: Path, bundle: Path, *options: str) -> tuple[int, str]:
    command = [sys.executable, "-I", str(program), str(bundle), *options]
    only = {"PATH": os.environ["PATH"]}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=only)
    assert ran.stderr == ""
    return ran.returncode, ran.stdout


def test_good_evidence_verifies_and_says_what_it_is(world: World, tmp_path: Path) -> None:
    ids = ("--node", world.own.id.text, "--peer", world.peer.id.text)

    status, said = verify(world.bundle, tmp_path / "bundle", *ids)

    assert status == 0, said
    lines = said.splitlines()
    assert lines[:2] == [f"node  {world.own.id.text}", f"peer  {world.peer.id.text}"]
    assert lines[2].startswith("its ledger of 13 entries")
    assert [line.split()[3] for line in lines[3:6]] == ["job.signed", "job.started", "job.ended"]


def test_a_tar_verifies_and_is_the_same_each_time(world: World, tmp_path: Path) -> None:
    again = world.own.run(lambda s: gather_job(s, world.own.ledger, JOB, world.keys))
    assert tar_of(again) == tar_of(world.bundle)
    (tmp_path / "bundle.tar").write_bytes(tar_of(world.bundle))
    program = tmp_path / "verify.py"
    program.write_bytes(world.bundle["verify_evidence.py"])

    status, said = run_program(program, tmp_path / "bundle.tar")

    assert status == 0, said
    with tarfile.open(tmp_path / "bundle.tar") as archive:
        assert {(member.mtime, member.uname) for member in archive} == {(0, "")}


def test_the_cli_says_of_evidence_what_the_program_says(world: World, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.tar"
    bundle.write_bytes(tar_of(world.bundle))
    command = [sys.executable, "-m", "appliance.cli", "--state", str(tmp_path), "--json"]
    command += ["ledger", "verify", str(bundle)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(ran.stdout)
    assert told["verified"] is True
    assert world.own.id.text in told["said"]

    bundle.write_bytes(tar_of(world.bundle | {"checkpoint.txt": b"forged"}))
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["verified"] is False


def test_chosen_entries_verify(world: World, tmp_path: Path) -> None:
    bundle = world.own.run(lambda s: gather(s, world.own.ledger, [0, 7, 12], world.keys))

    status, said = verify(bundle, tmp_path / "bundle")

    assert status == 0, said
    assert "ledger.begun" in said


def test_a_ledger_that_nobody_countersigned_is_evidence_too(world: World, tmp_path: Path) -> None:
    alone = {world.own.id: world.own.key.public_der}
    bundle = world.own.run(lambda s: gather(s, world.own.ledger, [1], alone))

    assert verify(bundle, tmp_path / "bundle")[0] == 0


def test_an_older_checkpoint_is_found_in_the_ledger(world: World, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.write_text(world.early.text)

    status, said = verify(world.bundle, tmp_path / "bundle", "--against", str(held))

    assert status == 0, said


def forked_note(world: World, count: int) -> Note:
    """Return a checkpoint of this node's, of a ledger that says other things."""
    return sign_checkpoint(count, bytes(32), world.own.key)


@pytest.mark.parametrize("count", [4, 13])
def test_a_fork_of_what_somebody_holds_is_named(world: World, tmp_path: Path, count: int) -> None:
    held = tmp_path / "held"
    held.write_text(forked_note(world, count).text)

    status, said = verify(world.bundle, tmp_path / "bundle", "--against", str(held))

    assert status == 1
    assert said.startswith("fault: the ledger was forked: ")


def test_a_ledger_that_is_not_shown_to_go_on_is_not_taken_for_one_that_does(
    world: World, tmp_path: Path
) -> None:
    held = tmp_path / "held"
    held.write_text(world.early.text)
    bundle = without(world.bundle, "earlier/4.proof")

    status, said = verify(bundle, tmp_path / "bundle", "--against", str(held))

    assert status == 1
    assert said.startswith("fault: nothing here proves that the ledger begins with the 4 entries")


def test_a_newer_checkpoint_needs_newer_evidence(world: World, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.write_text(forked_note(world, 99).text)

    said = verify(world.bundle, tmp_path / "bundle", "--against", str(held))[1]

    assert said == "fault: what you hold is newer: ask for evidence as of then\n"


def flip(bundle: Bundle, name: str, old: bytes, new: bytes) -> Bundle:
    assert old in bundle[name]
    return bundle | {name: bundle[name].replace(old, new, 1)}


def swap(bundle: Bundle, one: str, other: str) -> Bundle:
    return bundle | {one: bundle[other], other: bundle[one]}


def without(bundle: Bundle, *names: str) -> Bundle:
    return {name: data for name, data in bundle.items() if name not in names}


def with_note(bundle: Bundle, change: Callable[[Note], Note]) -> Bundle:
    """Put another checkpoint into the bundle, everywhere that it is."""
    old = bundle["checkpoint.txt"]
    new = change(parse_note(old.decode())).text.encode()
    return {name: data.replace(old, new) for name, data in bundle.items()}


def flipped_entry(bundle: Bundle, world: World) -> Bundle:
    return flip(bundle, "entries/6.json", b'"attempt":1', b'"attempt":2')


def exchanged_entries(bundle: Bundle, world: World) -> Bundle:
    return swap(bundle, "entries/5.json", "entries/6.json")


def renumbered_entries(bundle: Bundle, world: World) -> Bundle:
    proofs = swap(bundle, "entries/5.tlog-proof", "entries/6.tlog-proof")
    return swap(proofs, "entries/5.json", "entries/6.json")


def unsorted_entries(bundle: Bundle, world: World) -> Bundle:
    return flip(bundle, "evidence.json", b"[5,6,7]", b"[5,7,6]")


def truncated_entry(bundle: Bundle, world: World) -> Bundle:
    return bundle | {"entries/7.json": bundle["entries/7.json"][:-20]}


def missing_entry(bundle: Bundle, world: World) -> Bundle:
    return without(bundle, "entries/6.json", "entries/6.tlog-proof")


def added_entry(bundle: Bundle, world: World) -> Bundle:
    return bundle | {"entries/8.json": bundle["entries/7.json"]}


def foreign_root(bundle: Bundle, world: World) -> Bundle:
    def change(note: Note) -> Note:
        other = forked_note(world, note.checkpoint.size)
        return other.with_line(countersign(other.checkpoint, world.peer.key))

    return with_note(bundle, change)


def foreign_key(bundle: Bundle, world: World) -> Bundle:
    own, peer = (f"keys/{node.id.text}.pem" for node in (world.own, world.peer))
    return bundle | {own: bundle[peer]}


def forged_signature(bundle: Bundle, world: World) -> Bundle:
    def change(note: Note) -> Note:
        forged = countersign(note.checkpoint, MemoryKey())
        own = replace(note.signatures[0], signature=forged.signature)
        return replace(note, signatures=(own, *note.signatures[1:]))

    return with_note(bundle, change)


def missing_countersignature(bundle: Bundle, world: World) -> Bundle:
    return with_note(bundle, lambda note: replace(note, signatures=note.signatures[:1]))


def wrong_proof(bundle: Bundle, world: World) -> Bundle:
    lines = bundle["entries/6.tlog-proof"].split(b"\n")
    return bundle | {
        "entries/6.tlog-proof": b"\n".join([*lines[:2], lines[3], lines[2], *lines[4:]])
    }


def shortened_proof(bundle: Bundle, world: World) -> Bundle:
    lines = bundle["entries/6.tlog-proof"].split(b"\n")
    return bundle | {"entries/6.tlog-proof": b"\n".join([*lines[:2], *lines[3:]])}


def proof_of_another_checkpoint(bundle: Bundle, world: World) -> Bundle:
    return flip(bundle, "entries/6.tlog-proof", b"\n13\n", b"\n14\n")


def edited_note(bundle: Bundle, world: World) -> Bundle:
    return with_note(
        bundle, lambda note: replace(note, checkpoint=replace(note.checkpoint, size=14))
    )


def another_origin(bundle: Bundle, world: World) -> Bundle:
    return with_note(
        bundle,
        lambda note: replace(
            note, checkpoint=replace(note.checkpoint, origin="coffer.internal/ledger/X")
        ),
    )


def another_job(bundle: Bundle, world: World) -> Bundle:
    return flip(bundle, "evidence.json", JOB.encode(), b"b" * 26)


def no_evidence(bundle: Bundle, world: World) -> Bundle:
    return flip(bundle, "evidence.json", b'"entries"', b'"entrees"')


TAMPERED: Final[dict[Callable[[Bundle, World], Bundle], str]] = {
    flipped_entry: "entry 6 is not what the ledger has there",
    exchanged_entries: "entry 5 is not what the ledger has there",
    renumbered_entries: "entries/5.tlog-proof is of another entry",
    unsorted_entries: "evidence.json does not list entries in their order",
    truncated_entry: "entry 7 is not what the ledger has there",
    missing_entry: "entries/6.json is missing",
    added_entry: "entries/8.json is not in evidence.json",
    foreign_root: "entry 5 is not what the ledger has there",
    foreign_key: "keys/{own}.pem is not the key of that node",
    forged_signature: "the signature of {own} does not verify",
    missing_countersignature: "the checkpoint is not signed by {peer}",
    wrong_proof: "entry 6 is not what the ledger has there",
    shortened_proof: "the proof of entry 6 is too short",
    proof_of_another_checkpoint: "entries/6 is proven for another ledger",
    edited_note: "the signature of {own} does not verify",
    another_origin: "the checkpoint is of another ledger",
    another_job: "entry 5 is not of the job",
    no_evidence: "evidence.json is malformed",
}


@pytest.mark.parametrize("tamper", TAMPERED)
def test_the_first_fault_of_tampered_evidence_is_named(
    tamper: Callable[[Bundle, World], Bundle], world: World, tmp_path: Path
) -> None:
    status, said = verify(tamper(world.bundle, world), tmp_path / "bundle")

    fault = TAMPERED[tamper].format(own=world.own.id.text, peer=world.peer.id.text)
    assert (status, said) == (1, f"fault: {fault}\n")


def test_evidence_of_another_node_is_not_what_was_asked_for(world: World, tmp_path: Path) -> None:
    status, said = verify(world.bundle, tmp_path / "one", "--node", world.peer.id.text)
    assert (status, said) == (1, "fault: it is the evidence of another node\n")

    status, said = verify(world.bundle, tmp_path / "two", "--peer", world.own.id.text)
    assert (status, said) == (1, f"fault: it has no signature of {world.own.id.text}\n")


def test_a_whole_forked_ledger_does_not_fit_under_the_old_checkpoint(
    world: World, tmp_path: Path
) -> None:
    twin = LedgerNode(tmp_path / "twin", world.own.key)
    twin.time += timedelta(hours=1)
    twin.start(3)
    twin.run_job()
    twin.start(4)
    twin.checkpoint()
    alone = {twin.id: twin.key.public_der}
    bundle = twin.run(lambda session: gather_job(session, twin.ledger, JOB, alone))
    twin.close()
    held = tmp_path / "held"
    held.write_text(world.bundle["checkpoint.txt"].decode())

    assert verify(bundle, tmp_path / "by itself")[0] == 0
    status, said = verify(bundle, tmp_path / "bundle", "--against", str(held))

    assert (status, said) == (1, "fault: the ledger was forked: two of 13 entries\n")


def test_entries_beyond_what_was_countersigned_are_no_evidence_yet(world: World) -> None:
    strangers = world.keys | {MemoryKey().node_id: b""}

    with pytest.raises(CheckpointNotFound, match="countersigned by"):
        world.own.run(lambda session: gather(session, world.own.ledger, [1], strangers))


def test_what_is_not_there_is_no_evidence(world: World) -> None:
    for find in (
        lambda session: gather(session, world.own.ledger, [99], world.keys),
        lambda session: gather_job(session, world.own.ledger, "b" * 26, world.keys),
    ):
        with pytest.raises(EntryNotFound):
            world.own.run(find)


def test_the_list_of_a_bundle_is_canonical(world: World) -> None:
    assert json.loads(world.bundle["evidence.json"]) == {
        "type": "coffer.evidence/1",
        "node": world.own.id.text,
        "peers": [world.peer.id.text],
        "entries": [5, 6, 7],
        "job": JOB,
    }


def test_a_tar_that_says_it_is_larger_than_it_is_costs_no_memory(tmp_path: Path) -> None:
    """A header of 512 bytes may stand for as many bytes as it likes, all of them zero."""
    member = tarfile.TarInfo("evidence.json")
    member.size, member.type = 0, tarfile.GNUTYPE_SPARSE
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"00004000000\0"  # of its real size, 512 MiB
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    bomb = tmp_path / "bomb.tar"
    bomb.write_bytes(bytes(header) + bytes(1024))

    ran = subprocess.run(
        [sys.executable, "-m", "appliance.ledger.verify_evidence", str(bomb)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 1
    assert "is not a plain file" in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {"at": "x"},
        {"at": -1},
        {"at": 10**18},
        {"at": True},
        {"kind": 7},
        {"facts": []},
        {"index": "3\x1b[2J"},
        {"index": [3]},
    ],
)
def test_an_entry_that_its_owner_signed_malformed_is_a_fault_that_steers_no_terminal(
    changes: dict[str, object],
) -> None:
    good = {"index": 3, "at": 1, "kind": "job.ended", "facts": {}}
    verify_evidence.require_entry(good, 3)

    with pytest.raises(verify_evidence.Fault, match="entry 3") as fault:
        verify_evidence.require_entry(good | changes, 3)

    assert str(fault.value).isprintable()


def test_the_word_of_an_entry_is_shown_on_its_own_line() -> None:
    entry = {"index": 3, "at": 1, "kind": "x\nparty  forged\x1b[2J", "facts": {}}

    assert verify_evidence.described(entry).isprintable()
