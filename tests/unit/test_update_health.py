"""The health check after an update: when it is content, when it gives up, what it says."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.api import agent_pb2 as pb
from appliance.updates import health
from appliance.updates.health import FAILED, Gate, agent_answers, agent_stays, peers_link, units_run
from appliance.updates.states import TRANSITIONS, UpdateEvent, UpdateOutOfOrder, UpdateState
from tests.doubles import FakeAgent

OVER = (UpdateState.GOOD, UpdateState.FELL_BACK, UpdateState.FAILED, UpdateState.CANCELLED)


class Clock:
    """Time that goes on only when somebody pauses."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def gate(clock: Clock, *answers: list[str]) -> Gate:
    """A gate whose only check gives these answers in turn, the last again and again."""
    left = list(answers)

    def check() -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return Gate(
        checks=(check,),
        hopeless=lambda reason: reason.startswith(FAILED),
        clock=clock,
        pause=clock.pause,
    )


def test_it_is_content_as_soon_as_all_is_well() -> None:
    clock = Clock()

    assert gate(clock, ["the agent does not answer"], []).verdict() == ()
    assert clock.now == health.PAUSE_SECONDS


def test_it_gives_up_after_its_time_and_says_what_was_wrong() -> None:
    clock = Clock()

    assert gate(clock, ["the agent does not answer"]).verdict() == ("the agent does not answer",)
    assert health.MOST_SECONDS <= clock.now < health.MOST_SECONDS + 2 * health.PAUSE_SECONDS


def test_a_unit_that_stays_failed_is_not_waited_for() -> None:
    clock = Clock()

    assert gate(clock, [f"{FAILED}coffer.service has failed"]).verdict()
    assert clock.now < health.SURE_SECONDS + 2 * health.PAUSE_SECONDS


def test_a_unit_that_starts_again_is_forgiven() -> None:
    clock, failed = Clock(), [f"{FAILED}chrony.service has failed"]

    assert gate(clock, failed, failed, ["another thing"], failed, []).verdict() == ()


@pytest.mark.parametrize(
    ("restarts", "state", "is_wrong"),
    [
        (2, "activating", False),  # it may yet come
        (3, "activating", True),
        (9, "failed", True),
        (3, "active", False),  # it came at last
    ],
)
def test_an_agent_that_ends_whenever_it_is_started_is_not_waited_for(
    restarts: int, state: str, is_wrong: bool
) -> None:
    clock = Clock()
    said = f"NRestarts={restarts}\nActiveState={state}\n"

    wrong = agent_stays(lambda *words: said)
    verdict = gate(clock, wrong or ["the agent does not answer"]).verdict()

    assert wrong == [f"{FAILED}coffer.service ends whenever it is started"] * is_wrong
    assert (clock.now < health.SURE_SECONDS + 2 * health.PAUSE_SECONDS) == is_wrong
    assert verdict


def test_what_systemd_does_not_say_is_no_failure_of_the_agent() -> None:
    assert agent_stays(lambda *words: None) == []
    assert units_run(lambda *words: None) == ["systemd does not say which units have failed"]


def test_units_that_failed_are_named() -> None:
    said = "chrony.service loaded failed failed chrony, an NTP client/server\n"

    assert units_run(lambda *words: said) == [f"{FAILED}chrony.service has failed"]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[FakeAgent]:
    agent = FakeAgent(tmp_path)
    yield agent
    agent.stop()


def test_an_agent_that_answers_is_well(agent: FakeAgent) -> None:
    agent.lay("Node/ShowNode", pb.NodeView())

    assert agent_answers(agent.state) == []


def test_an_agent_that_does_not_answer_is_named(tmp_path: Path) -> None:
    assert "the agent does not answer" in agent_answers(tmp_path)[0]


def linked_before(agent: FakeAgent, address: str) -> None:
    (agent.state / "updates").mkdir()
    peer = {"node_id": "n-1", "name": "bank", "address": address}
    (agent.state / health.LINKED).write_text(json.dumps([peer]))


def test_a_peer_that_is_linked_again_is_well(agent: FakeAgent) -> None:
    linked_before(agent, "127.0.0.1:1")
    reply = pb.ListPeersReply(peers=[pb.Peer(node_id="n-1", reachable=True)])
    agent.lay("Peers/ListPeers", reply)

    assert peers_link(agent.state) == []


def test_a_peer_that_takes_no_connection_is_known_to_be_down(agent: FakeAgent) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        linked_before(agent, f"127.0.0.1:{closed.getsockname()[1]}")

        assert peers_link(agent.state) == []


def test_a_peer_that_answers_but_cannot_be_linked_to_is_the_updates_fault(agent: FakeAgent) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        linked_before(agent, f"127.0.0.1:{listening.getsockname()[1]}")

        assert peers_link(agent.state) == ["the peer bank answers, but cannot be linked to"]


def test_without_peers_before_there_is_nothing_to_see(tmp_path: Path) -> None:
    assert peers_link(tmp_path) == []


@pytest.mark.parametrize("state", UpdateState)
@pytest.mark.parametrize("event", UpdateEvent)
def test_what_the_table_lacks_is_refused_and_what_is_over_stays_so(
    state: UpdateState, event: UpdateEvent
) -> None:
    if (state, event) in TRANSITIONS:
        assert state not in OVER
        assert state.after(event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(UpdateOutOfOrder):
            state.after(event)
