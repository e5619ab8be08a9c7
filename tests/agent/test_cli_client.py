from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client
from appliance.api.plain import to_plain
from appliance.api.ways import Refused, Unreachable
from tests.doubles import FakeAgent, Refusal


@pytest.fixture
def client(agent: FakeAgent) -> Iterator[Client]:
    with Client(agent.state) as made:
        yield made


def test_every_rpc_of_the_local_api_has_a_method() -> None:
    asked = {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in method.name)[1:]
        for service in pb.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }

    assert all(hasattr(Client, name) for name in asked)


def test_a_refusal_carries_the_agents_words(agent: FakeAgent, client: Client) -> None:
    agent.lay(
        "Peers/GetPeer",
        Refusal(what="peer 医院 is not paired", remedy="run “coffer peers invite”", error="NoPeer"),
    )

    with pytest.raises(Refused) as caught:
        client.get_peer("x")

    assert caught.value.what == "peer 医院 is not paired"
    assert caught.value.remedy == "run “coffer peers invite”"
    assert caught.value.error == "NoPeer"


def test_a_state_folder_without_an_agent_is_unreachable(tmp_path: Path) -> None:
    with Client(tmp_path) as client, pytest.raises(Unreachable, match="no agent runs") as caught:
        client.show_node()

    assert "coffer up" in caught.value.remedy


def test_a_socket_that_a_dead_agent_left_is_unreachable(agent: FakeAgent) -> None:
    agent.stop()
    (agent.state / "api.sock").touch()

    with Client(agent.state) as client, pytest.raises(Unreachable, match="does not answer"):
        client.show_node()


def test_a_state_folder_with_odd_characters_is_reached(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20#ä?"
    folder.mkdir()
    agent = FakeAgent(tmp_path)
    agent.lay("Node/ShowNode", pb.NodeView(name="hospital"))
    (folder / "api.sock").symlink_to(tmp_path / "api.sock")

    with Client(folder) as client:
        name = client.show_node().name

    agent.stop()
    assert name == "hospital"


def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)

    with Client(folder) as client, pytest.raises(Unreachable, match="too long"):
        client.show_node()


def test_an_agent_of_another_version_is_told(agent: FakeAgent, client: Client) -> None:
    agent.lay("Node/ShowNode", Refusal(what="", code=grpc.StatusCode.UNIMPLEMENTED))

    with pytest.raises(Refused, match="does not know this command"):
        client.show_node()


def test_watching_passes_on_each_update(agent: FakeAgent, client: Client) -> None:
    agent.lay("Jobs/WatchJob", pb.Job(id="j", state="running"), pb.Job(id="j", state="succeeded"))

    states = [job.state for job in client.watch_job("j")]

    assert states == ["running", "succeeded"]


def test_an_agent_that_dies_while_watched_is_unreachable(agent: FakeAgent, client: Client) -> None:
    agent.lay(
        "Jobs/WatchJob",
        pb.Job(id="j", state="running"),
        Refusal(what="gone", code=grpc.StatusCode.UNAVAILABLE),
    )

    updates = client.watch_job("j")

    assert next(updates).state == "running"
    with pytest.raises(Unreachable):
        next(updates)


def test_json_names_every_field_and_keeps_integers_numbers() -> None:
    job = pb.Job(id="j", created_milliseconds=2**53, parameters='{"a": 1}', contract='{"z":1}')
    job.summary["rows"] = 5

    plain = to_plain(job)

    assert set(plain) == {field.name for field in pb.Job.DESCRIPTOR.fields}
    assert plain["created_milliseconds"] == 2**53
    assert plain["parameters"] == {"a": 1}
    assert plain["contract"] == '{"z":1}'
    assert plain["summary"] == {"rows": 5}
    assert plain["progress"] is None
    assert plain["parties"] == []
