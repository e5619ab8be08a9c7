"""What two real nodes may give each other: columns, repeated keys, bounds, and numbers alone."""

import json
from pathlib import Path
from typing import Any

import grpc
import pyarrow.parquet as pq
import pytest

from appliance.api import agent_pb2 as pb
from services.psi import cardinality, sums
from tests.fleet.nodes import Node, allow, approve, arrived, ended, publish, submit

VISITS = "id,ward\na,1\na,2\nb,3\nc,4\n"
VALUES = "id,level,note\na,1.5,x\nb,2.25,y\nb,3.5,z\nd,9.75,w\n"


@pytest.fixture
def joining(paired: list[Node], tmp_path: Path) -> list[Node]:
    hospital, laboratory = paired
    for node, name, rows in ((hospital, "visits", VISITS), (laboratory, "values", VALUES)):
        path = tmp_path / f"{name}.csv"
        path.write_text(rows)
        node.add(name, path, "id", "trim")
    publish(hospital, "visits", laboratory)
    publish(laboratory, "values", hospital, payload=["level"], rows_up_to=50)
    return paired


def rows_of(node: Node, job: pb.Job, output: str = "intersection") -> list[dict[str, Any]]:
    result = node.jobs.GetResult(pb.GetResultRequest(id=job.id))
    found: list[dict[str, Any]] = pq.read_table(result.files[output]).to_pylist()
    return found


def propose(nodes: list[Node], *receivers: Node, **parameters: Any) -> pb.Job:
    hospital, laboratory = nodes
    wanted = json.dumps(parameters)
    return submit(hospital, "visits", laboratory, "values", *receivers, parameters=wanted)


@pytest.mark.parametrize("protocol", ["ecdh", "rr22"])
def test_a_left_join_brings_each_pair_of_rows_and_the_column_allowed(
    joining: list[Node], protocol: str
) -> None:
    hospital, laboratory = joining
    wanted = {"join": "left", "duplicates": "all", "right_columns": ["level"]}
    job = propose(joining, *joining, protocol=protocol, **wanted)
    approve(laboratory, job)

    ends = [ended(node, job) for node in joining]

    assert [end.state for end in ends] == ["succeeded", "succeeded"], ends
    got = sorted((row["id"], row["ward"], row["level"]) for row in rows_of(hospital, job)[:-1])
    assert got == [("a", 1, 1.5), ("a", 2, 1.5), ("b", 3, 2.25), ("b", 3, 3.5)]
    assert rows_of(hospital, job)[-1] == {"id": "c", "ward": 4, "level": None, "matched": False}
    assert any("at most 50" in line.text for line in ends[0].disclosure)
    assert [party.is_bound for party in ends[0].parties] == [False, True]


def test_one_party_gets_columns_and_the_giver_learns_nothing_though_either_may_lie(
    joining: list[Node],
) -> None:
    hospital, laboratory = joining
    wanted = {"duplicates": "first", "right_columns": ["level"]}
    job = propose(joining, hospital, security="malicious", **wanted)
    approve(laboratory, job)

    ends = [ended(node, job) for node in joining]

    assert [end.state for end in ends] == ["succeeded", "succeeded"], ends
    got = sorted((row["id"], row["ward"], row["level"]) for row in rows_of(hospital, job))
    assert got == [("a", 1, 1.5), ("a", 2, 1.5), ("b", 3, 2.25)]
    assert not ends[1].summary


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ({"right_columns": ["note"], "duplicates": "all"}, "does not allow the column note"),
        ({"left_columns": ["ward"], "duplicates": "all"}, "does not allow the column ward"),
        ({"right_columns": ["level"]}, "repeated in"),
    ],
)
def test_what_no_owner_allowed_is_refused(
    joining: list[Node], parameters: dict[str, Any], fault: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        propose(joining, *joining, **parameters)

    assert fault in str(caught.value.details())


def test_a_proposal_whose_terms_have_changed_since_cannot_be_approved(joining: list[Node]) -> None:
    hospital, laboratory = joining
    job = propose(joining, *joining, duplicates="all", right_columns=["level"])
    digest = arrived(laboratory, job).digest
    publish(laboratory, "values", hospital, rows_up_to=50)

    with pytest.raises(grpc.RpcError) as caught:
        laboratory.jobs.ApproveJob(pb.ApproveJobRequest(id=job.id, digest=digest))

    # It waits for the terms to be restored; if it was examined only after they changed, it ended.
    states = [node.job(job.id).state for node in (laboratory, hospital)]
    if states[0] == "waiting_approval":
        assert "the payload of values is not what the contract says" in str(caught.value.details())
    assert set(states) <= {"waiting_approval", "waiting_peers", "settling", "rejected"}


def numbers(nodes: list[Node], service: str, output: str, **parameters: Any) -> pb.Job:
    hospital, laboratory = nodes
    allow(hospital, "patients")
    allow(laboratory, "levels")
    made: pb.Job = hospital.jobs.SubmitJob(
        pb.SubmitJobRequest(
            service=service,
            parameters=json.dumps(parameters),
            parties=[
                pb.SubmitParty(dataset="patients", receives=[output]),
                pb.SubmitParty(node=laboratory.name, dataset="levels", receives=[output]),
            ],
        )
    )
    return made


@pytest.mark.parametrize("service", [cardinality.SERVICE, sums.SERVICE])
def test_both_get_the_same_numbers_and_no_row(
    paired: list[Node], tmp_path: Path, service: Any
) -> None:
    hospital, laboratory = paired
    path = tmp_path / "levels.csv"
    path.write_text("id,level\n" + "".join(f"item-{i:08d},{i}.25\n" for i in range(100, 400)))
    laboratory.add("levels", path, "id")
    publish(laboratory, "levels", hospital, payload=["level"], rows_up_to=400)
    is_sum = service is sums.SERVICE
    parameters = {"columns": ["level"], "digits": 2} if is_sum else {}
    [output] = service.outputs
    job = numbers(paired, service.name, output, **parameters)
    approve(laboratory, job)

    assert [ended(node, job).state for node in paired] == ["succeeded", "succeeded"]

    shown = [rows_of(node, job, output) for node in paired]
    assert shown[0] == shown[1]
    figures = {str(value) for row in shown[0] for value in row.values()}
    due = {"200", f"{sum(range(100, 300)) + 50:.2f}"} if is_sum else {"200"}
    assert due <= figures, shown
