"""The machine's helper: one order a connection, checked again, and never two at once."""

import fcntl
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from appliance.machine import helper as program
from appliance.machine import orders, tools
from appliance.machine.ask import ask
from appliance.machine.doing.table import DOING
from appliance.machine.errors import HelperLost, OrderRefused, OutsideAppliance
from appliance.machine.network import NetworkPlan
from tests.unit.machine_doubles import Programs, helper, root_below


@pytest.fixture
def programs() -> Programs:
    return Programs()


@pytest.fixture
def path(tmp_path: Path, programs: Programs) -> Iterator[Path]:
    with helper(root_below(tmp_path), programs) as found:
        yield found


def said_to(path: Path, sent: bytes) -> list[Any]:
    """Send raw bytes and return all lines of the answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return [json.loads(line) for line in connection.makefile("rb")]


def test_every_order_has_a_way_to_be_done_and_nothing_else_has() -> None:
    union = get_args(orders.Order)[0]

    assert set(DOING) == set(get_args(union))


def test_the_console_has_done_what_its_menu_has_and_no_more(
    tmp_path: Path, programs: Programs
) -> None:
    key = "-".join(["cbdefghi"] * 8)
    menus = [
        orders.Restart(),
        orders.ShowNetwork(),
        orders.SetNetwork(plan=NetworkPlan()),
        orders.FactoryReset(serial_number="SN-1"),
        orders.BindDisk(recovery_key=key),
        orders.ChangeSlots(verb="other"),
    ]
    others = [
        orders.AddRecoveryKey(),
        orders.ShowDiskKeys(),
        orders.BindDisk(),
        orders.PowerOff(),
        *(orders.ChangeSlots(verb=verb) for verb in ("install", "stick", "cancel")),
    ]
    with helper(root_below(tmp_path), programs, is_trusted=False) as path:
        for order in others:
            with pytest.raises(OrderRefused, match="only the agent"):
                ask(order, path=path)
        assert programs.ran == []
        ask(orders.Restart(), path=path)

    assert all(DOING[type(order)].by_console(order) for order in menus)
    kinds = {type(order) for order in menus}
    assert not any(way.by_console(None) for kind, way in DOING.items() if kind not in kinds)


def test_a_restart_is_begun_by_systemd(path: Path, programs: Programs) -> None:
    assert ask(orders.Restart(), path=path) == {}
    assert ask(orders.PowerOff(), path=path) == {}

    assert [words[-1] for words in programs.ran] == ["reboot.target", "poweroff.target"]
    assert all(words[:2] == ("systemctl", "start") for words in programs.ran)


@pytest.mark.parametrize(
    "sent",
    [
        b"\n",
        b"nothing\n",
        b"[]\n",
        b'{"kind": "shell"}\n',
        b'{"kind": "restart", "command": "sh"}\n',
        b'{"kind": "restart"}{"kind": "restart"}\n',
        b'{"kind": "restart"',
        b'{"kind": "set-network", "plan": {"interfaces": [{"name": "../etc"}]}}\n',
        b'{"kind": "set-network", "plan": {}, "confirm_within_seconds": "300"}\n',
        b" " * (orders.MOST_ORDER_BYTES + 1) + b"\n",
        b"\xff\xfe\n",
    ],
)
def test_what_is_no_order_is_refused_and_nothing_runs(
    path: Path, programs: Programs, sent: bytes
) -> None:
    (answer,) = said_to(path, sent)

    assert set(answer) == {"error"}
    assert answer["error"]["what"]
    assert programs.ran == []


def test_a_refusal_comes_with_the_helpers_words(path: Path, programs: Programs) -> None:
    programs.fails.add(("systemctl",))

    with pytest.raises(OrderRefused, match="systemctl failed"):
        ask(orders.Restart(), path=path)


def test_a_folder_that_is_not_there_is_told(path: Path, tmp_path: Path) -> None:
    (tmp_path / "var/lib/coffer-machine").rmdir()

    with pytest.raises(OrderRefused, match="No such file"):
        ask(orders.SetNetwork(plan=NetworkPlan(), confirm_within_seconds=0), path=path)


def test_outside_the_appliance_there_is_no_helper(tmp_path: Path) -> None:
    with pytest.raises(OutsideAppliance, match="not available outside the appliance"):
        ask(orders.Restart(), path=tmp_path / "none")


def test_of_two_orders_of_one_kind_the_second_waits_and_then_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "ALONE_SECONDS", 0.2)
    order = orders.SetNetwork(plan=NetworkPlan(), confirm_within_seconds=0)
    with (tmp_path / "run/coffer-machine/network.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OrderRefused, match="another order is at the network"):
            ask(order, path=path)

    assert ask(order, path=path) == {"confirm_within_seconds": 0}


@pytest.mark.parametrize(
    "line", [b"", b"nothing\n", b'{"done": 1}\n', b'{"done": {}, "x": {}}\n', b'{"done": {}}']
)
def test_an_answer_that_nobody_understands_is_told(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(line)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(HelperLost):
            ask(orders.Restart(), path=path)
        answering.join()


def test_a_word_that_is_no_task_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["format-disk"]) == 2
    assert "restore-network" in capsys.readouterr().err
