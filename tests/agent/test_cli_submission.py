"""What is typed for a job: lists, and names that are mistyped."""

import json

import pytest

from appliance.api import agent_pb2 as pb
from tests.agent.cli_sides import a_job, a_peer, coffer
from tests.doubles import FakeAgent, Refusal

SCHEMA = {
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "bounds": {
            "type": "array",
            "items": {"anyOf": [{"type": "number"}, {"type": "string"}]},
            "default": [],
        },
        "places": {"type": "array", "items": {"type": "integer"}, "default": []},
        "epsilon": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
        "mode": {"type": "string", "default": "fast"},
    }
}
SUM = ("jobs", "submit", "psi.sum", "--ours", "patients", "--theirs", "laboratory/samples")


@pytest.fixture
def knowing(agent: FakeAgent) -> FakeAgent:
    view = pb.ServiceView(name="psi.sum", parameters_schema=json.dumps(SCHEMA))
    agent.lay("Node/ListServices", pb.ListServicesReply(services=[view]))
    agent.lay("Node/ShowNode", pb.NodeView(name="hospital", node_id="AAAAAAA-CCCCCCC"))
    agent.lay("Jobs/SubmitJob", a_job("waiting_peers"))
    agent.lay("Peers/ListPeers", pb.ListPeersReply(peers=[a_peer("paired")]))
    theirs = pb.Dataset(name="samples", peer_id="AAAAAAA-BBBBBBB", peer_name="laboratory")
    agent.lay("Datasets/ListDatasets", pb.ListDatasetsReply(datasets=[theirs]))
    return agent


@pytest.mark.parametrize(
    ("setting", "sent"),
    [
        ("columns=visits", ["visits"]),
        ("columns=visits, spent", ["visits", "spent"]),
        ('columns=["a,b","c"]', ["a,b", "c"]),
        ("columns=", []),
        ("columns=2024", ["2024"]),
        ("bounds=50,1.5", ["50", "1.5"]),
        ("bounds=[50,1.5]", [50, "1.5"]),
        ("places=1,2", "1,2"),
        ("places=[1,2]", [1, 2]),
        ("mode=a,b", "a,b"),
        ("epsilon=2", 2),
        ("unheard=a,b", "a,b"),
    ],
)
def test_commas_separate_what_the_service_takes_as_a_list_of_texts_and_nothing_else(
    knowing: FakeAgent, setting: str, sent: object
) -> None:
    code = coffer(knowing, *SUM, "--set", setting)

    (asked,) = knowing.asked_for("Jobs/SubmitJob")
    assert code == 0
    assert json.loads(asked.parameters) == {setting.partition("=")[0]: sent}


def test_a_list_that_the_shell_took_the_quotes_from_is_met_with_an_example(
    knowing: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    code = coffer(knowing, *SUM, "--set", "columns=[visits]")

    assert code == 2
    assert """--set columns=a,b or --set 'columns=["a","b"]'""" in capsys.readouterr().err
    assert not knowing.asked_for("Jobs/SubmitJob")


def test_a_service_is_shown_with_how_its_lists_are_written(
    knowing: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    coffer(knowing, "services", "show", "psi.sum")

    out = capsys.readouterr().out
    assert "list of string" in out
    assert "list of number or string" in out
    assert "number or null" in out
    assert "Lists are written as in --set columns=a,b or" in out


@pytest.mark.parametrize(
    "words", [("services", "show", "psi.sun"), ("jobs", "submit", "psi.sun", "--theirs", "a/b")]
)
def test_of_a_mistyped_service_the_nearest_is_told(
    knowing: FakeAgent, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code = coffer(knowing, *words)

    assert code == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: there is no service psi.sun",
        "hint: did you mean psi.sum?",
    ]


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("Peers/GetPeer", ("peers", "show", "laborat0ry")),
        ("Peers/GetPeer", ("peers", "unpair", "laborat0ry")),
        ("Datasets/PublishDataset", ("datasets", "publish", "patients", "laborat0ry")),
        ("Jobs/SubmitJob", ("jobs", "submit", "psi.sum", "--theirs", "laborat0ry/samples")),
    ],
)
def test_of_a_mistyped_peer_the_nearest_is_told(
    knowing: FakeAgent, capsys: pytest.CaptureFixture[str], method: str, words: tuple[str, ...]
) -> None:
    knowing.lay(method, Refusal(what="no peer is called so", remedy="look", error="PeerNotFound"))

    code = coffer(knowing, *words)

    assert code == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: no peer is called so",
        "hint: did you mean laboratory?",
    ]


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("laboratory/sample", "did you mean laboratory/samples?"),
        ("laborat0ry/samples", "did you mean laboratory/samples?"),
        ("laboratory/xyz", "look"),
        ("laboratory/samples", "look"),
    ],
)
def test_of_a_mistyped_dataset_of_a_peer_the_nearest_is_told(
    knowing: FakeAgent, capsys: pytest.CaptureFixture[str], typed: str, hint: str
) -> None:
    refusal = Refusal(what="there is no such dataset", remedy="look", error="DatasetNotFound")
    knowing.lay("Jobs/SubmitJob", refusal)

    coffer(knowing, "jobs", "submit", "psi.sum", "--theirs", typed)

    assert capsys.readouterr().err.splitlines()[-1] == f"hint: {hint}"


def test_another_refusal_keeps_its_own_hint(
    knowing: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    knowing.lay("Peers/GetPeer", Refusal(what="no", remedy="wait"))

    coffer(knowing, "peers", "show", "laborat0ry")

    assert capsys.readouterr().err == "error: no\nhint: wait\n"


def test_of_a_mistyped_receiver_the_nearest_party_is_told(
    knowing: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    coffer(knowing, *SUM, "--to", "laborat0ry")

    assert "hint: did you mean laboratory?" in capsys.readouterr().err
