"""What a data owner sees before signing."""

import io
import json
import sys

import pytest

from appliance.api import agent_pb2 as pb
from tests.agent.cli_sides import JOB_ID, a_job, coffer
from tests.doubles import FakeAgent, Refusal

SCHEMA = {
    "properties": {
        "join": {"type": "string", "default": "inner"},
        "duplicates": {"type": "string", "default": "refuse"},
        "columns": {"type": "array", "items": {"type": "string"}},
    }
}


def a_proposal() -> pb.Job:
    job = a_job(
        service_title="Private set intersection",
        parameters='{"join": "left", "columns": ["visits"]}',
        contract='{"proposer": 0}',
        most_seconds=3600,
    )
    job.parties[0].receives.append("intersection")
    return job


def lay_service(agent: FakeAgent) -> None:
    view = pb.ServiceView(name="psi.intersect", parameters_schema=json.dumps(SCHEMA))
    agent.lay("Node/ListServices", pb.ListServicesReply(services=[view]))


def test_all_that_is_signed_is_shown_before_it_is_asked_for(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_service(agent)
    agent.lay("Jobs/GetJob", a_proposal())
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))

    coffer(agent, "jobs", "approve", JOB_ID)

    out, err = capsys.readouterr()
    before, asked, _ = err.partition("Approve and sign?")
    lines = {" ".join(line.split()) for line in before.splitlines()}
    assert (out.strip(), asked) == ("", "Approve and sign?")
    assert {
        "service psi.intersect: Private set intersection",
        "proposed by hospital",
        'parameters columns=["visits"], join="left"',
        'by default duplicates="refuse"',
        "0 hospital patients 500 intersection yes",
        "1 laboratory (you) samples 480 nothing not yet",
        "• you learn which of your own rows hospital has",
        "• dealer: none",
        f"digest {'d' * 64}",
    } <= lines


def test_a_proposal_of_a_service_that_is_not_known_is_shown_all_the_same(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Node/ListServices", pb.ListServicesReply())
    agent.lay("Jobs/GetJob", a_proposal())
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))

    coffer(agent, "jobs", "approve", JOB_ID)

    err = capsys.readouterr().err
    assert 'join="left"' in err
    assert "by default" not in err


def test_a_job_that_has_ended_is_refused_without_being_shown(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Jobs/GetJob", a_job("succeeded", ended=True))
    agent.lay("Jobs/ApproveJob", Refusal(what="the job has succeeded", remedy="see why"))

    code = coffer(agent, "jobs", "approve", JOB_ID)

    assert code == 1
    assert capsys.readouterr().err == "error: the job has succeeded\nhint: see why\n"


def test_what_a_job_rests_on_is_shown_after_what_parties_learn_and_told_apart_as_data(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Jobs/GetJob", a_job())

    coffer(agent, "jobs", "show", JOB_ID)
    shown = capsys.readouterr().out
    coffer(agent, "--json", "jobs", "show", JOB_ID)
    lines = json.loads(capsys.readouterr().out)["disclosure"]

    assert shown.index("you learn") < shown.index("hospital learns") < shown.index("dealer: none")
    assert [(one["learner"], one["topic"]) for one in lines] == [(0, ""), (1, ""), (-1, "dealer")]
