import io
import json
import sys
from pathlib import Path

import pytest

from appliance.api import agent_pb2 as pb
from appliance.cli.__main__ import run
from tests.agent.cli_sides import (
    JOB_ID,
    WORDS,
    a_job,
    a_peer,
    at_a_terminal,
    coffer,
    lay_services,
)
from tests.doubles import FakeAgent, Refusal


@pytest.mark.parametrize("words", [("--json", "peers", "list"), ("peers", "list", "--json")])
def test_json_is_one_document_wherever_the_option_stands(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    agent.lay("Peers/ListPeers", pb.ListPeersReply(peers=[a_peer("paired", outbox_count=3)]))

    code = coffer(agent, *words)

    out, err = capsys.readouterr()
    assert code == 0
    assert json.loads(out)["peers"][0]["outbox_count"] == 3
    assert err == ""


def test_the_state_folder_may_be_named_after_the_verb(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Node/ShowNode", pb.NodeView(name="hospital"))

    code = run(["node", "show", "--state", str(agent.state)])

    assert code == 0
    assert "hospital" in capsys.readouterr().out


def test_a_refusal_exits_1_with_error_and_hint(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay(
        "Peers/GetPeer", Refusal(what="peer x is not known", remedy='see "coffer peers list"')
    )

    code = coffer(agent, "peers", "show", "x")

    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err == 'error: peer x is not known\nhint: see "coffer peers list"\n'


def test_an_error_cannot_steer_the_terminal(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Jobs/GetJob", Refusal(what="no\x1b[2J", remedy="\x9b1mlook"))

    coffer(agent, "jobs", "show", "x")

    assert capsys.readouterr().err == "error: no\ufffd[2J\nhint: \ufffd1mlook\n"


@pytest.mark.parametrize(
    "words",
    [
        ("jobs",),
        ("jobs", "frobnicate"),
        ("jobs", "show"),
        ("jobs", "list", "--nonsense"),
        ("datasets", "add", "x"),
        ("datasets", "add", "x", "file.csv"),
        ("jobs", "submit", "psi.intersect", "--ours", "patients"),
        ("jobs", "submit", "s", "--party", "me:a", "--ours", "a"),
        ("jobs", "submit", "s", "--theirs", "no-slash"),
        ("jobs", "submit", "s", "--party", "only"),
        ("jobs", "submit", "s", "--theirs", "a/b", "--set", "x"),
        ("jobs", "submit", "s", "--theirs", "a/b", "--set", "x=1", "--set", "x=2"),
    ],
)
def test_wrong_usage_exits_2_and_says_so_on_stderr(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    lay_services(agent)

    code = coffer(agent, *words)

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith(("error: ", "Usage: "))
    assert not agent.asked


def test_no_agent_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["--state", str(tmp_path), "jobs", "list"])

    assert code == 3
    assert "hint: start one" in capsys.readouterr().err


def test_an_invitation_on_the_command_line_is_refused_unsent(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    code = coffer(agent, "peers", "accept", "coffer1:127.0.0.1:7444/apple-bacon")

    assert code == 2
    assert "apple" not in capsys.readouterr().err
    assert not agent.asked


def test_an_invitation_is_read_from_standard_input(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Peers/Accept", a_peer())
    monkeypatch.setattr(sys, "stdin", io.StringIO("coffer1:secret \n"))

    code = coffer(agent, "peers", "accept")

    out, err = capsys.readouterr()
    assert code == 0
    assert agent.asked_for("Peers/Accept")[0].invitation == "coffer1:secret"
    assert WORDS in out
    assert 'run "coffer peers confirm laboratory"' in err
    assert not agent.asked_for("Peers/Confirm")


def test_confirming_shows_the_words_and_sends_yes(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Peers/GetPeer", a_peer())
    agent.lay("Peers/Confirm", a_peer("paired"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    code = coffer(agent, "peers", "confirm", "laboratory")

    assert code == 0
    assert WORDS in capsys.readouterr().err
    assert agent.asked_for("Peers/Confirm")


def test_differing_words_reject_the_pairing(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Peers/GetPeer", a_peer())
    agent.lay("Peers/Reject", a_peer("rejected"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))

    code = coffer(agent, "peers", "confirm", "laboratory")

    assert code == 1
    assert agent.asked_for("Peers/Reject")
    assert not agent.asked_for("Peers/Confirm")
    assert "in the middle" in capsys.readouterr().err


def test_a_question_without_an_answer_changes_nothing(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Peers/GetPeer", a_peer())
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))

    code = coffer(agent, "peers", "confirm", "laboratory")

    assert code == 1
    assert "error: the question was not answered" in capsys.readouterr().err
    assert not agent.asked_for("Peers/Confirm")
    assert not agent.asked_for("Peers/Reject")


def test_invite_waits_for_the_new_peer_and_asks(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    invitation = pb.Invitation(id="i", text="coffer1:x", words="a b c d", state="open")
    agent.lay("Peers/Invite", invitation)
    agent.lay("Peers/ListInvitations", pb.ListInvitationsReply(invitations=[invitation]))
    agent.lay(
        "Peers/ListPeers",
        pb.ListPeersReply(peers=[a_peer("paired")]),
        pb.ListPeersReply(peers=[a_peer("paired")]),
        pb.ListPeersReply(peers=[a_peer()]),
    )
    agent.lay("Peers/Confirm", a_peer("confirming", confirmed_here=True))
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    code = coffer(agent, "peers", "invite", "--wait", "--qr")

    out, err = capsys.readouterr()
    assert code == 0
    assert "coffer1:x" in out
    assert "a b c d" in out
    assert "█" in out
    assert WORDS in err
    assert agent.asked_for("Peers/Confirm")[0].peer == "AAAAAAA-BBBBBBB"


def test_invite_names_the_address_that_it_is_given(agent: FakeAgent) -> None:
    agent.lay("Peers/Invite", pb.Invitation(id="i", text="coffer1:x", state="open"))

    assert coffer(agent, "peers", "invite", "--address", "hospital.example") == 0

    assert agent.asked_for("Peers/Invite")[0].host == "hospital.example"


def test_invite_stops_waiting_when_the_invitation_ends(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Peers/Invite", pb.Invitation(id="i", text="coffer1:x", state="open"))
    killed = pb.Invitation(id="i", state="killed")
    agent.lay("Peers/ListInvitations", pb.ListInvitationsReply(invitations=[killed]))
    agent.lay("Peers/ListPeers", pb.ListPeersReply())

    code = coffer(agent, "peers", "invite", "--wait")

    assert code == 1
    assert "error: the invitation is killed" in capsys.readouterr().err


def test_a_dataset_is_sent_with_its_absolute_path(
    agent: FakeAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.lay("Datasets/AddDataset", pb.Dataset(name="patients"))
    monkeypatch.chdir(tmp_path)

    code = coffer(
        agent, "datasets", "add", "patients", "a.csv", "--key", "id", "--normal-form", "nfc, trim"
    )

    request = agent.asked_for("Datasets/AddDataset")[0]
    assert code == 0
    assert request.path == str(tmp_path / "a.csv")
    assert list(request.key) == ["id"]
    assert list(request.normal_form) == ["nfc", "trim"]


def test_submit_names_our_dataset_theirs_and_the_receivers(agent: FakeAgent) -> None:
    lay_services(agent)
    agent.lay("Jobs/SubmitJob", a_job("waiting_peers"))

    code = coffer(
        agent, "jobs", "submit", "psi.intersect", "--ours", "patients",
        "--theirs", "laboratory/samples", "--to", "hospital,laboratory",
        "--set", "threads=2", "--set", "mode=fast",
    )  # fmt: skip

    request = agent.asked_for("Jobs/SubmitJob")[0]
    assert code == 0
    assert [(p.node, p.dataset, list(p.receives)) for p in request.parties] == [
        ("", "patients", ["rows"]),
        ("laboratory", "samples", ["rows"]),
    ]
    assert json.loads(request.parameters) == {"threads": 2, "mode": "fast"}


def test_submit_takes_any_number_of_parties_with_roles(agent: FakeAgent) -> None:
    lay_services(agent)
    agent.lay("Jobs/SubmitJob", a_job("waiting_peers"))

    code = coffer(
        agent, "jobs", "submit", "psi.intersect", "--party", "laboratory:samples:sender",
        "--party", "me:patients:receiver", "--party", "clinic:", "--to", "clinic:count",
    )  # fmt: skip

    request = agent.asked_for("Jobs/SubmitJob")[0]
    assert code == 0
    assert [(p.node, p.dataset, p.role, list(p.receives)) for p in request.parties] == [
        ("laboratory", "samples", "sender", []),
        ("", "patients", "receiver", []),
        ("clinic", "", "", ["count"]),
    ]


def test_submit_refuses_a_receiver_that_is_no_party(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_services(agent)

    code = coffer(
        agent, "jobs", "submit", "psi.intersect", "--theirs", "laboratory/samples", "--to", "clinic"
    )

    assert code == 1
    assert "clinic is to receive an output but is no party" in capsys.readouterr().err


def test_approve_shows_who_learns_what_and_sends_the_digest_shown(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_services(agent)
    agent.lay("Jobs/GetJob", a_job())
    agent.lay("Jobs/ApproveJob", a_job("starting"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    code = coffer(agent, "jobs", "approve", JOB_ID)

    err = capsys.readouterr().err
    assert code == 0
    assert "hospital learns which of its own rows laboratory has" in err
    assert "you learn which of your own rows hospital has" in err
    assert agent.asked_for("Jobs/ApproveJob")[0].digest == "d" * 64


def test_approve_without_a_yes_signs_nothing(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_services(agent)
    agent.lay("Jobs/GetJob", a_job())
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))

    code = coffer(agent, "jobs", "approve", JOB_ID)

    assert code == 1
    assert not agent.asked_for("Jobs/ApproveJob")


def test_approve_refuses_another_digest_than_the_one_given(agent: FakeAgent) -> None:
    agent.lay("Jobs/GetJob", a_job())

    code = coffer(agent, "jobs", "approve", JOB_ID, "--yes", "--digest", "e" * 64)

    assert code == 1
    assert not agent.asked_for("Jobs/ApproveJob")


def test_a_job_is_named_to_the_agent_as_it_was_typed(agent: FakeAgent) -> None:
    agent.lay("Jobs/GetJob", a_job())

    code = coffer(agent, "jobs", "show", "abc")

    assert code == 0
    assert agent.asked_for("Jobs/GetJob")[0].id == "abc"
    assert not agent.asked_for("Jobs/ListJobs")


def test_show_asks_for_a_language_and_has_the_disclosure_as_data_too(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    job = a_job()
    job.disclosure[0].MergeFrom(
        pb.DisclosureLine(text="贵方将获知", about=-1, template="%(a)s", values={"a": "b"})
    )
    agent.lay("Jobs/GetJob", job)

    coffer(agent, "jobs", "show", JOB_ID, "--language", "zh-CN")
    assert "贵方将获知" in capsys.readouterr().out
    coffer(agent, "--json", "jobs", "show", JOB_ID)

    line = json.loads(capsys.readouterr().out)["disclosure"][0]
    assert (line["about"], line["template"], line["values"]) == (-1, "%(a)s", {"a": "b"})
    assert [one.language for one in agent.asked_for("Jobs/GetJob")] == ["zh-CN", "en"]


def test_the_words_of_a_rejection_are_sent_as_what_the_others_are_told(agent: FakeAgent) -> None:
    agent.lay("Jobs/RejectJob", a_job("rejected"))

    coffer(agent, "jobs", "reject", JOB_ID, "--note", "not this quarter")

    (asked,) = agent.asked_for("Jobs/RejectJob")
    assert (asked.id, asked.note) == (JOB_ID, "not this quarter")


def test_a_list_says_how_to_see_older_jobs(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Jobs/ListJobs", pb.ListJobsReply(jobs=[pb.Job(id=JOB_ID)], more=True))

    coffer(agent, "jobs", "list", "--most", "1", "--after", "xyz")

    (asked,) = agent.asked_for("Jobs/ListJobs")
    assert (asked.most, asked.after) == (1, "xyz")
    assert f"--after {JOB_ID[:10]}" in capsys.readouterr().err


def test_show_tells_limits_and_what_may_have_been_learnt(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    job = a_job("failed", caution="it had begun", most_seconds=3600, grace_seconds=90)
    agent.lay("Jobs/GetJob", job)

    coffer(agent, "jobs", "show", JOB_ID)

    out = capsys.readouterr().out
    assert "it may run for 1:00:00, a lost connection is bridged for 1:30" in out
    assert "it had begun" in out


def test_show_tells_signatures_verdicts_events_cause_and_remedy(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    event = pb.JobEventView(at_milliseconds=1, state="failed", text="the worker was killed")
    job = a_job("failed", cause="worker killed", remedy="submit again", events=[event], ended=True)
    job.parties[1].verdict = "failed"
    job.parties[1].reason = "interrupted"
    agent.lay("Jobs/GetJob", job)

    coffer(agent, "jobs", "show", JOB_ID)

    out = capsys.readouterr().out
    for text in ("worker killed", "submit again", "interrupted", "not yet", "laboratory (you)"):
        assert text in out


def progressing(state: str, fraction: float, **more: object) -> pb.Job:
    view = pb.ProgressView(
        stage="blind", stage_title="blinding", fraction=fraction, rows_done=5, rows_total=10,
        bytes_sent=2_000_000, bytes_received=1_000_000, rounds=2, remaining_seconds=61,
        peers=[pb.PeerProgress(rank=0, stage_title="hashing", fraction=0.25)],
        **more,  # type: ignore[arg-type]
    )  # fmt: skip
    return a_job(state, progress=view, ended=state == "succeeded")


def test_watch_without_a_terminal_tells_plain_lines_and_not_each_update(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay(
        "Jobs/WatchJob",
        progressing("running", 0.50),
        progressing("running", 0.52),
        progressing("running", 0.55, reconnecting=True),
        progressing("succeeded", 1.0),
    )

    code = coffer(agent, "jobs", "watch", JOB_ID)

    out, err = capsys.readouterr()
    assert code == 0
    assert err.splitlines() == [
        "running: blinding 50%, 5 of 10 rows, sent 2.0 MB, received 1.0 MB, 2 rounds,"
        " about 1:01 left",
        "running: the connection is down; it will be resumed as soon as the peer answers",
        "succeeded",
    ]
    assert "succeeded" in out


def test_a_stage_that_counts_no_rows_tells_none(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    job = progressing("running", 0.9)
    job.progress.rows_done, job.progress.rows_total = 0, 1
    agent.lay("Jobs/WatchJob", job, a_job("succeeded", ended=True))

    coffer(agent, "jobs", "watch", JOB_ID)

    assert capsys.readouterr().err.startswith("running: blinding 90%, sent 2.0 MB")


def test_who_has_finished_is_told_of_no_work_that_is_left(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Jobs/WatchJob", progressing("settling", 0.9), a_job("succeeded", ended=True))

    coffer(agent, "jobs", "watch", JOB_ID)

    assert capsys.readouterr().err.splitlines()[0] == (
        "finished here, waiting for the peers' verdicts: sent 2.0 MB, received 1.0 MB, 2 rounds"
    )


def test_a_job_that_goes_on_from_a_checkpoint_says_so(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    again = progressing("running", 0.4)
    again.attempt = 1
    agent.lay("Jobs/WatchJob", progressing("running", 0.45), again, progressing("succeeded", 1.0))
    agent.lay("Jobs/GetJob", again)

    coffer(agent, "jobs", "watch", JOB_ID)
    assert (
        capsys.readouterr()
        .err.splitlines()[1]
        .startswith("running (resumed from its last checkpoint, attempt 2): blinding 40%")
    )
    coffer(agent, "jobs", "show", JOB_ID)
    assert "from its last checkpoint, attempt 2" in capsys.readouterr().out


def test_watch_as_json_is_one_line_for_each_change(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Jobs/WatchJob", progressing("running", 0.5), progressing("succeeded", 1.0))

    coffer(agent, "jobs", "watch", JOB_ID, "--json")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["state"] for line in lines] == ["running", "succeeded"]


def test_watch_of_a_job_that_fails_exits_1_with_cause_and_remedy(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Jobs/WatchJob", a_job("failed", cause="no memory", remedy="add some", ended=True))

    code = coffer(agent, "jobs", "watch", JOB_ID)

    assert code == 1
    assert "error: the job did not succeed: no memory\nhint: add some" in capsys.readouterr().err


def test_watch_on_a_terminal_draws_a_bar_for_each_party(agent: FakeAgent) -> None:
    agent.lay("Jobs/WatchJob", progressing("running", 0.5), progressing("succeeded", 1.0))

    shown = at_a_terminal(agent, "jobs", "watch", JOB_ID)

    assert "hospital" in shown
    assert "laboratory (you)" in shown
    assert "━" in shown


def test_result_copies_whole_files_and_replaces_none(agent: FakeAgent, tmp_path: Path) -> None:
    source = tmp_path / "rows.parquet"
    source.write_bytes(b"PAR1")
    target = tmp_path / "copy.parquet"
    result = pb.JobResult(files={"rows": str(source)}, row_counts={"rows": 1})
    agent.lay("Jobs/GetResult", result)

    first = coffer(agent, "jobs", "result", JOB_ID, "--copy-to", str(target))
    second = coffer(agent, "jobs", "result", JOB_ID, "--copy-to", str(target))

    assert (first, second) == (0, 1)
    assert target.read_bytes() == b"PAR1"
    assert sorted(path.name for path in tmp_path.iterdir() if "copy" in path.name) == [
        "copy.parquet"
    ]


def test_a_result_file_that_is_gone_is_an_error_with_its_name(
    agent: FakeAgent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = pb.JobResult(files={"rows": str(tmp_path / "gone")}, row_counts={"rows": 1})
    agent.lay("Jobs/GetResult", result)

    code = coffer(agent, "jobs", "result", JOB_ID, "--copy-to", str(tmp_path / "x"))

    assert code == 1
    assert "gone: No such file" in capsys.readouterr().err


def test_a_peers_name_cannot_steer_the_terminal(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = pb.Peer(name="\x1b[2J[red]x\u202e", node_id="AAAAAAA-B", state="paired")
    agent.lay("Peers/ListPeers", pb.ListPeersReply(peers=[hostile]))

    coffer(agent, "peers", "list")

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[red]x" in out


@pytest.mark.parametrize(
    ("is_sealed", "told"), [(True, "sealed to this machine's TPM"), (False, "a plain file")]
)
def test_a_node_says_how_its_identity_key_lies_on_disk(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str], is_sealed: bool, told: str
) -> None:
    agent.lay("Node/ShowNode", pb.NodeView(name="box", is_key_sealed=is_sealed))

    run(["node", "show", "--state", str(agent.state)])

    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "whoever may use the node may do everything"), (3, "the node's own user")],
)
def test_a_node_says_who_may_do_everything(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str], count: int, told: str
) -> None:
    agent.lay("Node/ShowNode", pb.NodeView(name="box", account_count=count))

    run(["node", "show", "--state", str(agent.state)])

    assert told in capsys.readouterr().out


@pytest.mark.parametrize("is_development", [True, False])
def test_a_node_on_a_development_image_says_so(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str], is_development: bool
) -> None:
    agent.lay("Node/ShowNode", pb.NodeView(name="box", is_development=is_development))

    run(["node", "show", "--state", str(agent.state)])

    assert ("a development image" in capsys.readouterr().out) is is_development
