"""Orders to the machine, by the socket and the sandboxed helper of a real systemd."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from appliance.machine import orders
from appliance.machine.ask import ask
from appliance.machine.errors import OrderRefused
from appliance.machine.network import Interface, NetworkPlan
from tests.fleet.nodes import eventually
from tests.repository import tree
from tests.systemd.machine import Machine, machine
from tests.unit.machine_doubles import LINKS, described

SOCKET = "run/coffer-machine.socket"
PLAN = NetworkPlan(node_name="box", interfaces=(Interface(name="enp1s0", dhcp="yes"),))
LAID_OUT = "run/systemd/network/70-coffer-enp1s0.network"


@pytest.fixture(scope="module")
def served(booted: Machine) -> Iterator[Machine]:
    """The machine with the helper's socket; programs of the network only note what they hear."""
    booted.run("systemctl", "start", "coffer-machine.socket")
    (booted.files / "run/coffer-machine/says").write_text(described(*LINKS))
    yield booted
    booted.run("systemctl", "stop", "coffer-machine.socket")


def told(served: Machine) -> list[str]:
    return (served.files / "run/coffer-machine/told").read_text().splitlines()


def test_a_network_is_on_trial_and_then_undone_by_the_timer(served: Machine) -> None:
    order = orders.SetNetwork(plan=PLAN, confirm_within_seconds=1)

    assert ask(order, path=served.files / SOCKET) == {"confirm_within_seconds": 1}

    assert "DHCP=yes" in (served.files / LAID_OUT).read_text()
    assert told(served)[-2].endswith(".Manager Reload")
    assert told(served)[-1] == "/usr/bin/hostnamectl hostname box"
    eventually(lambda: not (served.files / LAID_OUT).exists(), seconds=40)
    eventually(lambda: served.property("coffer-machine-undo.timer", "ActiveState") == "inactive")
    assert served.property("coffer-machine-task@undo-network.service", "Result") == "success"


def test_a_network_that_is_confirmed_stays_and_is_laid_out_at_the_next_start(
    served: Machine,
) -> None:
    ask(orders.SetNetwork(plan=PLAN), path=served.files / SOCKET)
    ask(orders.ConfirmNetwork(), path=served.files / SOCKET)
    assert served.property("coffer-machine-undo.timer", "ActiveState") == "inactive"
    (served.files / LAID_OUT).unlink()

    served.run("systemctl", "start", "coffer-machine-task@restore-network.service")

    assert "DHCP=yes" in (served.files / LAID_OUT).read_text()


def test_the_helper_says_in_the_journal_who_ordered_what(served: Machine) -> None:
    with pytest.raises(OrderRefused, match="no interface eth9"):
        plan = NetworkPlan(interfaces=(Interface(name="eth9", dhcp="yes"),))
        ask(orders.SetNetwork(plan=plan), path=served.files / SOCKET)

    served.run("journalctl", "--sync")
    said = served.journal("--identifier=coffer-machine", "--output=cat")
    assert f"uid {os.getuid()} orders set-network" in said
    assert "refused: there is no interface eth9" in said


def test_the_journal_is_read_within_its_limits(served: Machine) -> None:
    for number in range(3):
        served.run("systemd-cat", "--identifier=told", "echo", f"line {number}")
    served.run("journalctl", "--sync")

    told: Any = ask(orders.ReadLog(lines=2, since_seconds=3600), path=served.files / SOCKET)
    of_unit: Any = ask(
        orders.ReadLog(unit="coffer-machine.socket", lines=50), path=served.files / SOCKET
    )

    assert len(told["entries"]) == 2
    assert all(one["milliseconds"] > 0 and one["text"] for one in told["entries"])
    assert any("Listening on coffer-machine.socket" in one["text"] for one in of_unit["entries"])
    assert all("line" not in one["text"] for one in of_unit["entries"])


def test_a_support_bundle_is_collected_and_tells_no_secret(served: Machine) -> None:
    served.run("systemd-cat", "--identifier=told", "echo", "failed hunter2 4711 Mustermann")
    served.run("journalctl", "--sync")
    files: dict[str, str] = {}

    def hear(told: Any) -> None:
        files[told["file"]] = files.get(told["file"], "") + told["text"]

    done: Any = ask(orders.CollectSupport(), path=served.files / SOCKET, tell=hear)

    said = [json.loads(line)["said"] for line in files["journal.jsonl"].splitlines()]
    assert "failed ‹7› ‹4› ‹10›" in said
    assert not any("hunter2" in text or "Mustermann" in text for text in files.values())
    assert done["taken_out"] > 0
    assert {"unit": "basic.target", "load": "loaded", "active": "active", "sub": "active"} in (
        json.loads(files["units.json"])
    )


@pytest.mark.parametrize(("user", "may"), [("coffer", True), ("nobody", False)])
def test_only_members_of_the_group_reach_the_helper(served: Machine, user: str, may: bool) -> None:
    ask_it = (
        "from appliance.machine import ask, orders\n"
        "try:\n    print(sorted(ask.ask(orders.ShowNetwork())))\n"
        "except Exception as error:\n    print(error)\n"
    )
    python = str(tree.ROOT / ".venv/bin/python")
    said = served.run(
        "setpriv",
        f"--reuid={user}",
        "--init-groups",
        f"--regid={user if may else 'nogroup'}",
        python,
        "-P",
        "-c",
        ask_it,
    )

    assert ("interfaces" in said) is may
    assert may or "may not change the machine" in said


def test_a_restart_ends_everything(tmp_path: Path) -> None:
    with suppress(AssertionError), machine(tmp_path) as own:  # which expects to end it by itself
        own.run("systemctl", "start", "coffer-machine.socket")
        init = own.files.parent
        ask(orders.Restart(), path=own.files / SOCKET)
        eventually(lambda: not init.exists(), seconds=60)

    assert not init.exists()
