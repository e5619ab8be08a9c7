"""The life of a job between two real nodes."""

from pathlib import Path

import grpc
import pyarrow.parquet as pq
import pytest

from appliance.api import agent_pb2 as pb
from tests.fleet.nodes import (
    Node,
    approve,
    arrived,
    ended,
    fleet,
    submit,
    write_ids,
)

COMMON = {f"item-{i:08d}" for i in range(100, 300)}


def ids_in_result(node: Node, job: pb.Job) -> set[str]:
    result = node.jobs.GetResult(pb.GetResultRequest(id=job.id))
    return set(map(str, pq.read_table(result.files["intersection"]).column("id").to_pylist()))


@pytest.mark.parametrize("protocol", ["ecdh", "rr22"])
def test_both_receive_exactly_the_intersection(paired: list[Node], protocol: str) -> None:
    hospital, laboratory = paired
    wanted = f'{{"protocol": "{protocol}"}}'
    job = submit(
        hospital, "patients", laboratory, "samples", hospital, laboratory, parameters=wanted
    )

    approve(laboratory, job)

    ends = [ended(node, job) for node in paired]
    assert [end.state for end in ends] == ["succeeded", "succeeded"], ends
    assert [ids_in_result(node, job) for node in paired] == [COMMON, COMMON]
    assert ends[0].record == ends[1].record != ""
    assert ends[0].summary["intersection_rows"] == 200


def test_a_sender_that_receives_nothing_has_no_result(paired: list[Node]) -> None:
    hospital, laboratory = paired
    job = submit(hospital, "patients", laboratory, "samples", hospital)

    approve(laboratory, job)

    assert [ended(node, job).state for node in paired] == ["succeeded", "succeeded"]
    assert ids_in_result(hospital, job) == COMMON
    with pytest.raises(grpc.RpcError) as caught:
        laboratory.jobs.GetResult(pb.GetResultRequest(id=job.id))
    assert "no output" in str(caught.value.details())
    assert not ended(laboratory, job).summary


def test_a_rejection_reaches_the_proposer_and_nothing_runs(paired: list[Node]) -> None:
    hospital, laboratory = paired
    job = submit(hospital, "patients", laboratory, "samples", hospital)
    arrived(laboratory, job)

    laboratory.jobs.RejectJob(pb.RejectJobRequest(id=job.id, note="not in our policy"))

    ends = [ended(node, job) for node in paired]
    assert [end.state for end in ends] == ["rejected", "rejected"]
    assert ends[0].record == ends[1].record


def test_an_approval_of_other_bytes_than_the_contract_is_refused(paired: list[Node]) -> None:
    hospital, laboratory = paired
    job = submit(hospital, "patients", laboratory, "samples", hospital)
    digest = arrived(laboratory, job).digest
    altered = ("0" if digest[0] != "0" else "1") + digest[1:]

    with pytest.raises(grpc.RpcError) as caught:
        laboratory.jobs.ApproveJob(pb.ApproveJobRequest(id=job.id, digest=altered))

    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert laboratory.job(job.id).state == "waiting_approval"


def test_a_proposal_outlives_an_outage_of_both_sides(paired: list[Node]) -> None:
    hospital, laboratory = paired
    laboratory.kill()
    job = submit(hospital, "patients", laboratory, "samples", hospital)
    hospital.kill()
    hospital.start()
    laboratory.start()

    approve(laboratory, job)

    assert [ended(node, job).state for node in paired] == ["succeeded", "succeeded"]
    assert len(laboratory.jobs.ListJobs(pb.ListJobsRequest()).jobs) == 1


@pytest.mark.parametrize("fault", ["changed", "vanished"])
def test_data_that_are_not_what_was_signed_stop_the_job(
    paired: list[Node], tmp_path: Path, fault: str
) -> None:
    hospital, laboratory = paired
    job = submit(hospital, "patients", laboratory, "samples", hospital)
    digest = arrived(laboratory, job).digest
    if fault == "changed":
        write_ids(tmp_path / "l.csv", range(100, 401))
    else:
        (tmp_path / "l.csv").unlink()

    with pytest.raises(grpc.RpcError) as caught:
        laboratory.jobs.ApproveJob(pb.ApproveJobRequest(id=job.id, digest=digest))

    # If it was examined only after that, it has ended by itself.
    told = f"{caught.value.details()} {laboratory.job(job.id).cause}"
    assert {"changed": "changed", "vanished": "is not there"}[fault] in told
    assert "l.csv" in told or "samples" in told


def test_different_normal_forms_are_refused_with_that_reason(
    paired: list[Node], tmp_path: Path
) -> None:
    hospital, laboratory = paired
    hospital.add("trimmed", write_ids(tmp_path / "t.csv", range(10)), "id", "trim")

    with pytest.raises(grpc.RpcError) as caught:
        submit(hospital, "trimmed", laboratory, "samples", hospital)

    assert "normal form" in str(caught.value.details())


def test_a_state_folder_in_use_is_refused(tmp_path: Path) -> None:
    with fleet(tmp_path, "hospital") as (hospital,):
        twin = Node(tmp_path, "hospital")
        assert twin.run_to_its_end() == 1
        assert "in use" in twin.log.read_text()
        assert hospital.answers()


def test_sigterm_stops_the_agent_cleanly(tmp_path: Path) -> None:
    with fleet(tmp_path, "hospital") as (hospital,):
        assert hospital.stop() == 0
