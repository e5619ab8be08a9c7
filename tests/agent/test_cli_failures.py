"""How commands end badly: what they say, where, and with which exit code."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.api import agent_pb2 as pb
from appliance.cli.__main__ import run
from tests.agent.cli_sides import JOB_ID, a_job, a_peer, coffer, lay_services
from tests.doubles import FakeAgent, Refusal

DOWN = {
    "outbox_count": 2,
    "trouble": "nothing listens at 127.0.0.1:9 of laboratory",
    "remedy": "start the node there",
}


def words_of(agent: FakeAgent, *words: str) -> list[str]:
    return [sys.executable, "-m", "appliance.cli", "--state", str(agent.state), *words]


@pytest.mark.parametrize(
    "limits", [("--most", "99999999999"), ("--most", "604801"), ("--grace", "3601")]
)
def test_a_limit_that_no_contract_can_hold_is_wrong_usage(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str], limits: tuple[str, str]
) -> None:
    code = coffer(agent, "jobs", "submit", "psi.intersect", "--theirs", "p/d", *limits)

    assert code == 2
    assert limits[0] in capsys.readouterr().err
    assert not agent.asked


def test_a_fault_of_our_own_is_one_line_and_no_traceback(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Node/ListServices", pb.ListServicesReply(services=[broken_service()]))

    code = coffer(agent, "services", "show", "psi.intersect")

    first, second = capsys.readouterr().err.splitlines()
    assert code == 1
    assert first.startswith("error: coffer met an error of its own: JSONDecodeError: ")
    assert second.startswith("hint: ")


def broken_service() -> pb.ServiceView:
    return pb.ServiceView(name="psi.intersect", parameters_schema="{")


def test_with_json_an_error_is_one_json_object(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Peers/GetPeer", Refusal(what="no such peer", remedy="look", error="PeerNotFound"))

    refused = coffer(agent, "peers", "show", "x", "--json")
    of_refusal = json.loads(capsys.readouterr().err)
    misused = coffer(agent, "--json", "jobs", "show")
    of_misuse = json.loads(capsys.readouterr().err)

    assert (refused, misused) == (1, 2)
    assert of_refusal == {
        "error": "PeerNotFound",
        "cause": "no such peer",
        "remedy": "look",
        "exit_code": 1,
    }
    assert of_misuse["exit_code"] == 2
    assert "JOB" in of_misuse["cause"]


def test_with_json_no_agent_is_said_so_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["--state", str(tmp_path), "--json", "jobs", "list"])

    assert code == 3
    assert json.loads(capsys.readouterr().err)["error"] == "Unreachable"


def test_what_cannot_be_printed_is_the_fault_of_standard_output(agent: FakeAgent) -> None:
    agent.lay("Node/ShowNode", pb.NodeView(name="hospital"))

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            words_of(agent, "node", "show"), stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip

    assert (done.returncode, done.stderr) == (
        1,
        "error: standard output: No space left on device\n",
    )


def test_a_terminal_without_our_letters_shows_what_it_can(agent: FakeAgent) -> None:
    agent.lay("Peers/GetPeer", pb.Peer(name="Spital Zürich"))

    done = subprocess.run(
        words_of(agent, "peers", "show", "x"), capture_output=True, check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip

    assert done.returncode == 0
    assert b"Spital Z?rich" in done.stdout


def interrupted(agent: FakeAgent, *words: str, until: str) -> tuple[int, str]:
    """Run a command, press Ctrl-C once the agent has been asked, return exit code and stderr."""
    process = subprocess.Popen(words_of(agent, *words), stderr=subprocess.PIPE, text=True)
    while not agent.asked_for(until):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    return process.returncode, err


def test_who_stops_waiting_for_a_peer_hears_that_the_invitation_stays_open(
    agent: FakeAgent,
) -> None:
    invitation = pb.Invitation(id="11", text="coffer1:x", state="open")
    agent.lay("Peers/Invite", invitation)
    agent.lay("Peers/ListInvitations", pb.ListInvitationsReply(invitations=[invitation]))

    code, err = interrupted(agent, "peers", "invite", "--wait", until="Peers/ListInvitations")

    assert code == 130
    assert 'Invitation 11 stays open; end it with "coffer peers withdraw 11".' in err


def test_who_stops_watching_hears_that_the_job_goes_on(agent: FakeAgent) -> None:
    agent.lay("Jobs/GetJob", a_job("running"))
    agent.lay("Jobs/WatchJob", *[a_job("running")] * 200_000)

    code, err = interrupted(agent, "jobs", "watch", JOB_ID, until="Jobs/WatchJob")

    assert code == 130
    assert f'The job goes on. To follow it: "coffer jobs watch {JOB_ID}"' in err


@pytest.mark.parametrize(
    "words",
    [
        ("jobs", "submit", "psi.intersect", "--ours", "a", "--theirs", "laboratory/b"),
        ("jobs", "show", JOB_ID),
        ("jobs", "watch", JOB_ID),
        ("datasets", "publish", "patients", "laboratory"),
    ],
)
def test_a_peer_that_is_down_is_named_where_somebody_waits_for_it(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    lay_services(agent)
    job = a_job("waiting_peers")
    job.parties[0].here, job.parties[1].here = True, False
    job.parties[1].node_id = "AAAAAAA-BBBBBBB"
    ended = a_job("succeeded", ended=True)
    agent.lay("Jobs/SubmitJob", job)
    agent.lay("Jobs/GetJob", job)
    agent.lay("Jobs/WatchJob", job, ended)
    agent.lay(
        "Datasets/PublishDataset",
        pb.Dataset(name="p", publications=[pb.Publication(peer="laboratory")]),
    )
    agent.lay("Peers/ListPeers", pb.ListPeersReply(peers=[a_peer("paired", **DOWN)]))

    code = coffer(agent, *words)

    err = capsys.readouterr().err
    assert code == 0
    assert "Not yet delivered: nothing listens at 127.0.0.1:9 of laboratory." in err
    assert "What to do: start the node there." in err


@pytest.mark.parametrize(
    ("found", "warning"),
    [
        ({"row_count": 0}, "the table has no rows"),
        (
            {"row_count": 3, "null_key_count": 3, "normal_form": ["numeric"]},
            "no row has a key: the normal form numeric does not fit the key",
        ),
        ({"row_count": 3, "duplicate_key_count": 1}, "1 rows repeat a key: only jobs that say"),
        (
            {"row_count": 3, "null_key_count": 1, "duplicate_key_count": 1},
            "1 rows have no key: the table cannot be published",
        ),
    ],
)
def test_a_table_that_nothing_can_compute_with_is_warned_of(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str], found: dict[str, object], warning: str
) -> None:
    agent.lay("Datasets/AddDataset", pb.Dataset(name="d", **found))  # type: ignore[arg-type]

    code = coffer(agent, "datasets", "add", "d", "f.csv", "--key", "k")

    assert code == 0
    assert f"warning: {warning}" in capsys.readouterr().err


def test_an_empty_invitation_is_wrong_usage(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))

    code = coffer(agent, "peers", "accept")

    assert code == 2
    assert "no invitation was entered" in capsys.readouterr().err
    assert not agent.asked


def test_times_tell_their_zone(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TZ", "UTC-1")
    time.tzset()
    agent.lay("Peers/GetPeer", a_peer("paired", last_seen_milliseconds=1_800_000_000_000))

    coffer(agent, "peers", "show", "x")

    assert "2027-01-15 09:00:00+01:00" in capsys.readouterr().out
