"""After a real job each node can prove to an outsider what both have signed of it."""

import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path

import grpc
import pytest

from appliance.api import agent_pb2 as pb
from appliance.api import agent_pb2_grpc as stubs
from tests.fleet.nodes import Node, approve, ended, eventually, submit


def ledger_of(node: Node) -> stubs.LedgerStub:
    return stubs.LedgerStub(node.channel)


def evidence_of(node: Node, job: pb.Job) -> bytes | None:
    """Return the evidence of a job, None while a party has not signed it."""
    try:
        parts = ledger_of(node).ExportEvidence(pb.ExportEvidenceRequest(job=job.id))
        return b"".join(part.chunk for part in parts)
    except grpc.RpcError as error:
        assert "countersigned" in str(error.details())
        return None


def verified(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Verify evidence by the program that it brings, without Coffer."""
    return subprocess.run(
        [sys.executable, "-I", str(folder / "verify_evidence.py"), str(folder), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def test_both_can_prove_a_job_and_what_was_changed_does_not_verify(
    paired: list[Node], tmp_path: Path
) -> None:
    hospital, laboratory = paired
    job = submit(hospital, "patients", laboratory, "samples", hospital)
    approve(laboratory, job)
    assert [ended(node, job).state for node in paired] == ["succeeded", "succeeded"]

    for node, peer in ((hospital, laboratory), (laboratory, hospital)):
        tar = eventually(partial(evidence_of, node, job))
        assert tar is not None
        folder = tmp_path / f"evidence-of-{node.name}"
        folder.mkdir()
        (folder / "evidence.tar").write_bytes(tar)
        with tarfile.open(folder / "evidence.tar") as opened:
            for member in opened:
                place, file = folder / member.name, opened.extractfile(member)
                assert file is not None and place.resolve().is_relative_to(folder)
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(file.read())
        ids = [str(one.node.ShowNode(pb.ShowNodeRequest()).node_id) for one in (node, peer)]
        right = verified(folder, "--node", ids[0], "--peer", ids[1])
        assert right.returncode == 0, right.stderr
        for word in ("job.proposed", "job.approved", "job.disclosed", "job.metered", "job.ended"):
            assert word in right.stdout, word

        changed = next(iter(sorted((folder / "entries").glob("*.json"))))
        changed.write_bytes(changed.read_bytes().replace(b"job.proposed", b"job.rejected"))
        wrong = verified(folder)
        assert wrong.returncode == 1
        assert "entr" in wrong.stderr + wrong.stdout

        shown = ledger_of(node).ShowCheckpoint(pb.ShowCheckpointRequest())
        (agreement,) = shown.peers
        assert agreement.peer == peer.name
        assert 0 < agreement.signed <= agreement.shown
        assert agreement.theirs > 0 and not agreement.forks
        found = ledger_of(node).VerifyLedger(pb.VerifyLedgerRequest(checkpoint=shown.note))
        assert found.size >= agreement.shown


def test_a_checkpoint_of_another_ledger_is_not_of_ours(paired: list[Node]) -> None:
    hospital, laboratory = paired
    theirs = ledger_of(laboratory).ShowCheckpoint(pb.ShowCheckpointRequest()).note

    with pytest.raises(grpc.RpcError):
        ledger_of(hospital).VerifyLedger(pb.VerifyLedgerRequest(checkpoint=theirs))


def test_a_job_is_named_by_a_beginning_of_its_id(paired: list[Node]) -> None:
    hospital, laboratory = paired
    job = submit(hospital, "patients", laboratory, "samples", hospital)
    entries = ledger_of(hospital).ListEntries(pb.ListEntriesRequest(job=job.id[:9])).entries
    assert {one.job for one in entries} == {job.id}

    with pytest.raises(grpc.RpcError, match="no job that begins with"):
        ledger_of(hospital).ListEntries(pb.ListEntriesRequest(job="zzz"))
