"""The network of a machine, set by orders: a real systemd-networkd and systemd-hostnamed obey."""

from collections.abc import Iterator

import pytest

from appliance.machine import orders
from appliance.machine.ask import ask
from tests.fleet.nodes import eventually
from tests.systemd.machine import Machine, machine

CARD = "enp9s0"
SOCKET = "run/coffer-machine.socket"
STATIC = {"192.0.2.7/24", "2001:db8::7/64"}
PLAN = orders.parse_order(
    b"""{"kind": "set-network", "plan": {"node_name": "ward-7", "interfaces": [{"name": "enp9s0",
    "addresses": ["192.0.2.7/24", "2001:db8::7/64"], "gateways": ["192.0.2.1", "fe80::1"],
    "dns": ["192.0.2.53"], "domains": ["example.org"], "mtu_bytes": 1400}]}}"""
).plan


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with a network and one card of its own."""
    with machine(tmp_path_factory.mktemp("wired"), "--net") as made, made.network_card(CARD):
        made.run("systemctl", "start", "dbus", "systemd-networkd", "coffer-machine.socket")
        eventually(lambda: cards(made) == [CARD])
        yield made


def cards(wired: Machine) -> object:
    return ask(orders.ShowNetwork(), path=wired.files / SOCKET)["interfaces"]


def name_of(wired: Machine) -> str:
    return wired.run("hostname")


def test_a_plan_is_followed_and_what_nobody_confirms_is_gone(wired: Machine) -> None:
    order = orders.SetNetwork(plan=PLAN, confirm_within_seconds=15)

    ask(order, path=wired.files / SOCKET)

    eventually(lambda: wired.addresses(CARD) == STATIC, seconds=14)
    assert name_of(wired) == "ward-7"
    eventually(lambda: wired.addresses(CARD) == set(), seconds=60)
    eventually(lambda: name_of(wired) == "coffer", seconds=20)


def test_what_is_confirmed_comes_back_with_the_next_start(wired: Machine) -> None:
    ask(orders.SetNetwork(plan=PLAN), path=wired.files / SOCKET)
    ask(orders.ConfirmNetwork(), path=wired.files / SOCKET)
    eventually(lambda: wired.addresses(CARD) == STATIC, seconds=30)
    wired.run("systemctl", "stop", "systemd-networkd.socket", "systemd-networkd.service")
    for laid_out in (wired.files / "run/systemd/network").iterdir():
        laid_out.unlink()  # as /run is empty after a restart
    wired.run("hostnamectl", "hostname", "other")

    wired.run("systemctl", "start", "coffer-machine-task@restore-network.service")

    assert (wired.files / f"run/systemd/network/70-coffer-{CARD}.network").exists()
    assert name_of(wired) == "ward-7"
    wired.run("systemctl", "start", "systemd-networkd.service")
    eventually(lambda: wired.addresses(CARD) == STATIC, seconds=60)
