"""The console's program on a terminal, and what it asks of the agent and the machine's helper."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.api import agent_pb2 as pb
from appliance.api.ways import Refused, Unreachable
from appliance.console import asking, errand
from appliance.console.forms import Ask
from appliance.console.screen import CLEAR
from appliance.machine.errors import OrderRefused, OutsideAppliance
from tests.console_terminal import Terminal
from tests.doubles import FakeAgent, Refusal


class Console(Terminal):
    """A terminal with the console's program on it."""

    def __init__(self) -> None:
        outer, inner = pty.openpty()
        super().__init__(outer)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "appliance.console.terminal"],
            stdin=inner,
            stdout=inner,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(inner)


@pytest.fixture
def terminal() -> Iterator[Console]:
    made = Console()
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def test_the_menu_is_reached_by_keys_and_left_by_escape(terminal: Console) -> None:
    terminal.wait_for("secure boot")
    terminal.type(b"3")
    terminal.wait_for('type "restart" to restart:')
    terminal.type(b"resx\x7ft")
    terminal.wait_for("> rest")
    terminal.type(b"\x1b")
    terminal.wait_for("secure boot")
    terminal.type(b"3restart\r")

    lines = terminal.wait_for("error: ")

    assert "error: not available outside the appliance" in lines
    assert terminal.said.startswith(CLEAR)


def test_no_key_ends_it_stops_it_or_is_echoed(terminal: Console) -> None:
    terminal.wait_for("secure boot")
    terminal.type(b"\x03\x1a\x1c\x04\x11\x13\x19\x16\x0f\x00\xff\x1b[5n\x1b[c\x1b]52;c;?\x07\x05")
    terminal.type(b"4\x1b[201~!`id`;$(id)\x02\x9b0m")

    lines = terminal.wait_for("> !`id`;$(id)0m")

    assert terminal.process.poll() is None
    assert "factory reset" in lines
    assert set(terminal.said) - set(range(0x20, 0x7F)) == {0x0D, 0x0A, 0x1B}
    for sent in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGPIPE):
        terminal.process.send_signal(sent)
    terminal.type(b"!")
    terminal.wait_for("> !`id`;$(id)0m!")


def test_a_screen_that_somebody_wrote_over_is_drawn_anew_by_any_key(terminal: Console) -> None:
    before = terminal.wait_for("secure boot")
    terminal.show(b"\r\n\r\nkernel: something\r\n" * 5)

    terminal.type(b"x")

    assert terminal.wait_until(lambda lines: lines[2:9] == before[2:9], "screen")


def test_without_a_terminal_it_says_so() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "appliance.console.terminal"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (1, "error: the console needs a terminal\n")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[FakeAgent]:
    """An agent whose state folder is the test's own."""
    fake = FakeAgent(tmp_path)
    yield fake
    fake.stop()


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[tuple[Path, list[Any], dict[str, list[Any]]]]:
    """A socket that answers orders with what is laid down, by kind; and the orders."""
    path = tmp_path / "machine.socket"
    orders: list[Any] = []
    answers: dict[str, list[Any]] = {}
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                order = json.loads(stream.readline())
                orders.append(order)
                for answer in answers[order["kind"]]:
                    stream.write(json.dumps(answer).encode() + b"\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield path, orders, answers
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def ignore(facts: Any) -> None:
    """Take no notice of progress."""


def test_the_agent_is_asked_who_it_is(agent: FakeAgent) -> None:
    card = pb.AcceleratorCard(title="x", problems=[pb.Problem(what="no driver", remedy="add it")])
    agent.lay("Node/ShowNode", pb.NodeView(name="box", node_id="ID", operators_address="h:7445"))
    problem = pb.Problem(what="Secure Boot is off", remedy="switch it on")
    agent.lay("Machine/ShowMachine", pb.MachineView(problems=[problem], cards=[card]))

    assert asking.answer("identity", {}, ignore, state=agent.state) == {
        "name": "box",
        "node_id": "ID",
        "operators_address": "h:7445",
        "problems": [["Secure Boot is off", "switch it on"], ["no driver", "add it"]],
    }


def test_an_update_that_did_not_stay_is_a_problem(agent: FakeAgent) -> None:
    agent.lay("Node/ShowNode", pb.NodeView(name="box", node_id="ID"))
    agent.lay("Machine/ShowMachine", pb.MachineView(is_appliance=True))
    fell_back = pb.UpdateView(version="2", state="fell_back", reason="no answer", remedy="ask")
    good = pb.UpdateView(version="2", state="good")
    answers = (pb.SlotsView(update=fell_back), pb.SlotsView(update=good), pb.SlotsView())
    agent.lay("Updates/ShowSlots", *answers, Refusal(what="it is broken", remedy="mend it"))

    found = [asking.answer("identity", {}, ignore, state=agent.state)["problems"] for _ in range(4)]

    assert found == [
        [["the update to 2 was given up after its start: no answer", "ask"]],
        [],
        [],
        [["the updates cannot be read: it is broken", "mend it"]],
    ]


def test_the_set_up_code_comes_from_the_agent_or_its_refusal_does(agent: FakeAgent) -> None:
    agent.lay("Operators/ShowSetUpCode", pb.SetUpCode(words="apple-river", address="h:7446"))

    code = asking.answer("set-up-code", {}, ignore, state=agent.state)

    assert (code["words"], code["address"]) == ("apple-river", "h:7446")
    agent.lay("Operators/ShowSetUpCode", Refusal(what="the node has an operator", remedy="ask it"))
    with pytest.raises(Refused, match="the node has an operator"):
        asking.answer("set-up-code", {}, ignore, state=agent.state)


def test_a_recovery_key_comes_from_the_agent_which_knows_whether_there_are_operators(
    agent: FakeAgent,
) -> None:
    agent.lay("Machine/AddRecoveryKey", pb.RecoveryKey(recovery_key="cbdefghi"))

    made = asking.answer("add-recovery-key", {}, ignore, state=agent.state)

    assert made == {"recovery_key": "cbdefghi"}
    agent.lay("Machine/AddRecoveryKey", Refusal(what="it has an operator", remedy="ask it"))
    with pytest.raises(Refused, match="it has an operator"):
        asking.answer("add-recovery-key", {}, ignore, state=agent.state)


def test_without_an_agent_the_way_to_a_locked_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(OrderRefused, match="it does not answer") as raised:
        asking.answer("add-recovery-key", {}, ignore, state=tmp_path)
    assert "5 and 2" in raised.value.remedy


def test_without_an_agent_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        asking.answer("set-up-code", {}, ignore, state=tmp_path)


def test_one_cards_address_is_set_and_the_others_stay(
    helper: tuple[Path, list[Any], dict[str, list[Any]]],
) -> None:
    path, orders, answers = helper
    other = {"name": "eth1", "dhcp": "yes"}
    kept = {"node_name": "box", "interfaces": [{"name": "eth0", "dhcp": "yes"}, other]}
    answers["show-network"] = [{"done": {"kept": kept}}]
    answers["set-network"] = [{"progress": {"step": "reloading"}}, {"done": {}}]
    steps: list[Any] = []

    new = {"name": "eth0", "dhcp": "no", "addresses": ["192.0.2.7/24"]}
    asking.answer("set-address", new, steps.append, socket=path)

    plan = orders[-1]["plan"]
    assert [one["name"] for one in plan["interfaces"]] == ["eth1", "eth0"]
    assert plan["interfaces"][1]["addresses"] == ["192.0.2.7/24"]
    assert plan["node_name"] == "box"
    assert orders[-1]["confirm_within_seconds"] == 0
    assert steps == [{"step": "reloading"}]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("restart", {}),
        ("factory-reset", {"serial_number": "SN-1"}),
        ("bind-disk", {"recovery_key": "-".join(["cbdefghi"] * 8)}),
    ],
)
def test_an_order_goes_to_the_helper_as_the_menu_makes_it(
    helper: tuple[Path, list[Any], dict[str, list[Any]]], kind: str, body: dict[str, str]
) -> None:
    path, orders, answers = helper
    answers[kind] = [{"done": {"told": "it is done"}}]

    assert asking.answer(kind, body, ignore, socket=path) == {"told": "it is done"}
    assert orders == [{"kind": kind, **body}]


def test_the_other_version_is_preferred_and_then_started(
    helper: tuple[Path, list[Any], dict[str, list[Any]]],
) -> None:
    path, orders, answers = helper
    answers["change-slots"] = [{"done": {}}]
    answers["restart"] = [{"done": {}}]

    asking.answer("start-other-slot", {}, ignore, socket=path)

    assert orders == [{"kind": "change-slots", "verb": "other"}, {"kind": "restart"}]


def test_without_another_version_nothing_is_restarted(
    helper: tuple[Path, list[Any], dict[str, list[Any]]],
) -> None:
    path, orders, answers = helper
    answers["change-slots"] = [{"error": {"what": "it is empty", "remedy": ""}}]

    with pytest.raises(OrderRefused, match="the other version cannot be started: it is empty"):
        asking.answer("start-other-slot", {}, ignore, socket=path)

    assert [order["kind"] for order in orders] == ["change-slots"]


def test_what_the_helper_refuses_is_told_in_its_words(
    helper: tuple[Path, list[Any], dict[str, list[Any]]],
) -> None:
    path, _, answers = helper
    answers["factory-reset"] = [{"error": {"what": "wrong", "remedy": "look"}}]

    with pytest.raises(OrderRefused) as refused:
        asking.answer("factory-reset", {"serial_number": "x"}, ignore, socket=path)

    assert (refused.value.what, refused.value.remedy) == ("wrong", "look")


def test_outside_the_appliance_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(OutsideAppliance):
        asking.answer("restart", {}, ignore, socket=tmp_path / "none")


def sent(*program: str) -> list[tuple[str, Any]]:
    """Return what an errand tells that is done by a program."""
    told: list[tuple[str, Any]] = []
    errand.send(
        Ask(kind="restart", body={"secret": "s"}),
        lambda kind, facts: told.append((kind, facts)),
        program=program,
    )
    return told


@pytest.mark.parametrize(
    "program",
    [
        "pass",
        "print('nonsense', flush=True)",
        "print('[]', flush=True)",
        "print('{\"odd\": {}}', flush=True)",
        "raise SystemExit(1)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    ],
)
def test_an_errand_that_comes_to_nothing_is_told(program: str) -> None:
    [(kind, facts)] = sent("-c", program)

    assert kind == "error"
    assert facts["what"] == "no answer came"


def test_an_errand_carries_its_question_by_standard_input_alone() -> None:
    program = (
        "import json, sys; question = json.loads(input());"
        "print(json.dumps({'progress': {'step': '1'}}));"
        "print(json.dumps({'done': {'question': question, 'words': sys.argv}}))"
    )

    assert sent("-c", program) == [
        ("progress", {"step": "1"}),
        (
            "done",
            {"question": {"kind": "restart", "body": {"secret": "s"}}, "words": ["-c"]},
        ),
    ]
