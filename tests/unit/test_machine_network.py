"""The network that an operator sets: what is possible, what networkd is told, what is undone."""

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.machine.doing import network as doing
from appliance.machine.errors import OrderRefused, ProgramFailed
from appliance.machine.network import NetworkPlan, files_of
from appliance.machine.orders import ConfirmNetwork, SetNetwork, ShowNetwork, parse_order
from appliance.machine.tools import Tools
from tests.unit.machine_doubles import Programs, root_below, tools

STATIC = {
    "node_name": "box-1.example.org",
    "interfaces": [
        {
            "name": "enp1s0",
            "addresses": ["192.0.2.7/24", "2001:db8::7/64"],
            "gateways": ["192.0.2.1", "fe80::1"],
            "dns": ["192.0.2.53"],
            "domains": ["example.org"],
            "mtu_bytes": 9000,
        }
    ],
}
RELOAD = ("busctl", "call", *doing._MANAGER, "Reload")
PLACE = "run/systemd/network/70-coffer-enp1s0.network"


@pytest.fixture
def programs() -> Programs:
    return Programs()


@pytest.fixture
def box(tmp_path: Path, programs: Programs) -> Tools:
    return tools(root_below(tmp_path), programs)


def order(plan: Any, **more: Any) -> SetNetwork:
    """Return the order as the helper reads it from its line."""
    line = json.dumps({"kind": "set-network", "plan": plan, **more}).encode()
    made = parse_order(line)
    assert isinstance(made, SetNetwork)
    return made


def one(**values: Any) -> dict[str, Any]:
    return {"interfaces": [{"name": "enp1s0", **values}]}


def test_networkd_is_told_each_value() -> None:
    (text,) = files_of(order(STATIC).plan).values()

    lines = text.splitlines()
    assert lines[:2] == ["[Match]", "Name=enp1s0"]
    assert {
        "DHCP=no",
        "IPv6AcceptRA=no",
        "Address=192.0.2.7/24",
        "Address=2001:db8::7/64",
        "Gateway=192.0.2.1",
        "Gateway=fe80::1",
        "DNS=192.0.2.53",
        "Domains=example.org",
        "MTUBytes=9000",
    } <= set(lines)


def test_with_dhcp_routers_of_ipv6_are_heard() -> None:
    (text,) = files_of(order(one(dhcp="yes")).plan).values()

    assert "DHCP=yes\nIPv6AcceptRA=yes\n" in text


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (one(), "needs an address or DHCP"),
        (one(dhcp="maybe"), "dhcp"),
        (one(addresses=["192.0.2.0/24"]), "is the network itself"),
        (one(addresses=["192.0.2.255/24"]), "is the network itself"),
        (one(addresses=["127.0.0.1/8"]), "cannot be a machine's address"),
        (one(addresses=["224.0.0.1/4"]), "cannot be a machine's address"),
        (one(addresses=["::/64"]), "cannot be a machine's address"),
        (one(addresses=["fe80::1%eth0/64"]), "without %"),
        (one(dhcp="yes", gateways=["fe80::1%a\nDNS=192.0.2.66"]), "without %"),
        (one(dhcp="yes", dns=["fe80::1%a\nDNS=192.0.2.66"]), "without %"),
        (one(addresses=["192.0.2.7/0"]), "has no network"),
        (one(addresses=[3221225991]), "addresses"),
        (one(addresses=["192.0.2.7/24\nGateway=192.0.2.66"]), "addresses"),
        (one(dhcp="yes", gateways=["192.0.2.1"]), "is in no network"),
        (one(addresses=["192.0.2.7/24"], gateways=["198.51.100.1"]), "is in no network"),
        (one(addresses=["192.0.2.7/24"], gateways=["192.0.2.7"]), "is in no network"),
        (one(addresses=["192.0.2.7/24"], gateways=["192.0.2.1", "192.0.2.2"]), "one gateway"),
        (one(dhcp="yes", dns=["::"]), "cannot be a DNS server"),
        (one(dhcp="yes", domains=["a b"]), "domains"),
        (one(dhcp="yes", domains=["example.org\n[Match]"]), "domains"),
        (one(dhcp="yes", mtu_bytes=100), "mtu_bytes"),
        (one(dhcp="yes", mtu_bytes="1500"), "mtu_bytes"),
        (one(dhcp="yes", command="sh"), "command"),
        ({"interfaces": [{"name": "lo", "dhcp": "yes"}]}, "no network card"),
        ({"interfaces": [{"name": "a/b", "dhcp": "yes"}]}, "name"),
        ({"interfaces": [{"name": "eth0\n", "dhcp": "yes"}]}, "name"),
        ({"interfaces": [{"name": "eth*", "dhcp": "yes"}]}, "name"),
        ({"interfaces": [{"name": "e0", "dhcp": "yes"}] * 2}, "named twice"),
        ({"interfaces": [{"name": f"e{n}", "dhcp": "yes"} for n in range(17)]}, "interfaces"),
        ({"node_name": "-box"}, "node_name"),
        ({"node_name": "Box"}, "node_name"),
        ({"node_name": "localhost"}, "localhost"),
        ({"node_name": "a" * 65}, "node_name"),
        ({"node_name": "box\n"}, "node_name"),
    ],
)
def test_what_is_impossible_is_refused(plan: Any, what: str) -> None:
    with pytest.raises(OrderRefused, match=what):
        order(plan)


def test_a_change_is_on_trial_until_it_is_confirmed(box: Tools, programs: Programs) -> None:
    done = doing.set_network(order(STATIC), box)

    assert done == {"confirm_within_seconds": 300}
    assert "Address=192.0.2.7/24" in (box.root / PLACE).read_text()
    assert not (box.root / doing.KEPT).exists()
    assert RELOAD in programs.ran
    assert ("hostnamectl", "hostname", "box-1.example.org") in programs.ran
    assert ("systemctl", "restart", doing.UNDO_TIMER) in programs.ran
    shown = doing.show_network(ShowNetwork(), box)
    assert shown["trial"] == json.loads(order(STATIC).plan.model_dump_json())
    assert shown["trial_seconds"] in (299, 300)
    assert shown["interfaces"] == ["enp1s0"]

    doing.confirm_network(ConfirmNetwork(), box)

    assert doing.show_network(ShowNetwork(), box)["trial"] is None
    assert doing.show_network(ShowNetwork(), box)["kept"] == shown["trial"]
    assert programs.ran[-3] == ("systemctl", "stop", doing.UNDO_TIMER)


def test_the_clock_runs_before_the_network_is_touched(box: Tools, programs: Programs) -> None:
    programs.fails.add(("systemctl", "restart"))

    with pytest.raises(Exception, match="systemctl failed"):
        doing.set_network(order(STATIC), box)

    assert not (box.root / PLACE).exists()
    assert RELOAD not in programs.ran


def test_what_networkd_does_not_take_is_undone_at_once(box: Tools, programs: Programs) -> None:
    programs.fails.add(RELOAD)

    with pytest.raises(ProgramFailed):
        doing.set_network(order(STATIC), box)

    assert not (box.root / PLACE).exists()
    assert doing.show_network(ShowNetwork(), box)["trial"] is None
    with pytest.raises(OrderRefused):
        doing.confirm_network(ConfirmNetwork(), box)


def test_what_nobody_confirms_is_undone(
    box: Tools, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    doing.set_network(order(one(dhcp="yes"), confirm_within_seconds=0), box)
    doing.set_network(order(STATIC), box)
    doing.undo_network(box)
    assert "Address=192.0.2.7/24" in (box.root / PLACE).read_text()  # its time is not over

    later = doing._now() + 301
    monkeypatch.setattr(doing, "_now", lambda: later)
    with pytest.raises(OrderRefused, match="waits to be confirmed"):
        doing.confirm_network(ConfirmNetwork(), box)
    programs.ran.clear()
    doing.undo_network(box)

    assert "DHCP=yes" in (box.root / PLACE).read_text()
    assert programs.ran == [
        RELOAD,
        ("hostnamectl", "hostname", "coffer"),
        ("systemctl", "stop", doing.UNDO_TIMER),
    ]
    assert doing.show_network(ShowNetwork(), box)["trial"] is None


def test_a_start_lays_out_what_is_kept_and_not_what_was_on_trial(
    box: Tools, programs: Programs
) -> None:
    kept = order({**STATIC, **one(dhcp="ipv4")}, confirm_within_seconds=0)
    doing.set_network(kept, box)
    doing.set_network(order(STATIC), box)
    for left in (*(box.root / "run/systemd/network").iterdir(), box.root / doing.TRIAL):
        left.unlink()  # as /run is empty after a restart
    programs.ran.clear()

    doing.restore_network(box)

    assert "DHCP=ipv4" in (box.root / PLACE).read_text()
    assert programs.ran == [("hostnamectl", "hostname", "box-1.example.org")]


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ('{"node_name": "box", "of_a_later_version": 1}', "box"),
        ('{"node_name": "bo', None),
        ('{"node_name": "-"}', None),
        ("", None),
    ],
)
def test_what_is_kept_is_read_as_far_as_it_can_be(
    box: Tools, programs: Programs, kept: str, told: str | None
) -> None:
    (box.root / doing.KEPT).write_text(kept)

    doing.restore_network(box)

    shown: Any = doing.show_network(ShowNetwork(), box)
    assert shown["kept"]["node_name"] == told


def test_an_empty_plan_goes_back_to_what_the_image_does(box: Tools, programs: Programs) -> None:
    doing.set_network(order(STATIC, confirm_within_seconds=0), box)
    doing.set_network(order({}, confirm_within_seconds=0), box)

    assert not (box.root / PLACE).exists()
    assert ("hostnamectl", "hostname", "coffer") in programs.ran
    assert doing.show_network(ShowNetwork(), box)["kept"] == NetworkPlan().model_dump(mode="json")


def test_an_interface_that_is_not_there_is_refused_with_those_that_are(box: Tools) -> None:
    with pytest.raises(OrderRefused, match="no interface eth7") as caught:
        doing.set_network(order({"interfaces": [{"name": "eth7", "dhcp": "yes"}]}), box)

    assert "enp1s0" in caught.value.remedy
    assert not (box.root / doing.TRIAL).exists()
