"""What an operator may do to the machine: from the API to the order, and how people see it."""

import asyncio
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from appliance.api import agent_pb2 as pb
from appliance.machine import orders
from appliance.machine.ask import Facts, Helper, ask
from appliance.machine.errors import OrderRefused, OutsideAppliance
from appliance.machine.recovery import Recovery
from appliance.machine.rpc import MachineRpc
from appliance.operators.errors import NotOnConsole
from tests.agent.cli_sides import coffer
from tests.doubles import FakeAgent

HERE: Any = None
KEY = "-".join(["cbdefghi", "jklnrtuv"] * 4)
NOTHING: Facts = {"kept": {"node_name": None, "interfaces": []}, "trial": None,
                  "trial_seconds": 0, "interfaces": ["enp1s0"]}  # fmt: skip


class Settings(BaseModel):
    """Stands in for the agent's own."""


class FakeHelper:
    """Notes the orders, and answers each with the next of some facts."""

    def __init__(self, *answers: Facts) -> None:
        self.asked: list[BaseModel] = []
        self._answers = list(answers)

    def __call__(
        self, order: BaseModel, *, tell: Callable[[Facts], None] = lambda _: None
    ) -> Facts:
        self.asked.append(order)
        return self._answers.pop(0)


def rpc(*answers: Facts) -> tuple[MachineRpc, FakeHelper]:
    helper = FakeHelper(*answers)
    return machine_rpc(helper), helper


def machine_rpc(
    helper: Helper = ask,
    *,
    state: Path = Path("/"),
    require_owner: Callable[[Any], None] = lambda _: None,
) -> MachineRpc:
    return MachineRpc(
        state,
        Settings(),
        helper,
        is_key_sealed=False,
        recovery=Recovery(state, helper, has_operators=lambda: True, now_milliseconds=lambda: 1),
        require_owner=require_owner,
    )


def test_a_network_plan_becomes_an_order_and_the_view_shows_the_trial() -> None:
    interface = pb.NetworkInterface(
        name="enp1s0", addresses=["192.0.2.7/24"], gateways=["192.0.2.1"], mtu_bytes=9000
    )
    plan = pb.NetworkPlan(node_name="box", interfaces=[interface])
    trial = orders.parse_order(
        b'{"kind":"set-network","plan":{"node_name":"box","interfaces":[{"name":"enp1s0",'
        b'"addresses":["192.0.2.7/24"],"gateways":["192.0.2.1"],"mtu_bytes":9000}]}}'
    )
    on_trial = {**NOTHING, "trial": trial.plan.model_dump(mode="json"), "trial_seconds": 299}
    machine, helper = rpc({}, on_trial)

    view = asyncio.run(machine.SetNetwork(pb.SetNetworkRequest(plan=plan), HERE))

    assert helper.asked == [trial, orders.ShowNetwork()]
    assert view.trial == pb.NetworkPlan(
        node_name="box",
        interfaces=[pb.NetworkInterface(**{**fields(interface), "dhcp": "no"})],
    )
    assert view.trial_seconds == 299
    assert list(view.interfaces) == ["enp1s0"]


def fields(message: Any) -> dict[str, Any]:
    return {field.name: value for field, value in message.ListFields()}


@pytest.mark.parametrize(
    ("method", "request_", "what"),
    [
        ("SetNetwork", pb.SetNetworkRequest(plan=pb.NetworkPlan(node_name="-")), "node_name"),
        ("SetTimeServers", pb.SetTimeServersRequest(servers=[pb.TimeServer(name="a b")]), "name"),
        ("BindDisk", pb.BindDiskRequest(recovery_key="hunter2"), "recovery_key"),
        ("FactoryReset", pb.FactoryResetRequest(serial_number="\n"), "serial_number"),
        ("ReadLog", pb.ReadLogRequest(unit="--all"), "unit"),
        ("ReadLog", pb.ReadLogRequest(unit="*"), "unit"),
        ("ReadLog", pb.ReadLogRequest(lines=100_000), "lines"),
    ],
)
def test_a_faulty_value_is_refused_before_the_helper_is_asked(
    method: str, request_: Any, what: str
) -> None:
    machine, helper = rpc()

    with pytest.raises(OrderRefused, match=what) as caught:
        asyncio.run(getattr(machine, method)(request_, HERE))

    assert helper.asked == []
    assert "hunter2" not in caught.value.what


def test_outside_the_appliance_nothing_changes_the_machine() -> None:
    machine = machine_rpc()
    with pytest.raises(OutsideAppliance, match="not available outside the appliance"):
        asyncio.run(machine.Restart(pb.RestartRequest(), HERE))


def test_keys_and_resets_are_told_as_the_helper_tells_them(tmp_path: Path) -> None:
    helper = FakeHelper(
        {"recovery_key": KEY, "kinds": []}, {"kinds": ["tpm2"]}, {"tpm_cleared": False}
    )
    machine = machine_rpc(helper, state=tmp_path)

    made = asyncio.run(machine.AddRecoveryKey(pb.AddRecoveryKeyRequest(), HERE))
    kinds = asyncio.run(machine.BindDisk(pb.BindDiskRequest(recovery_key=KEY), HERE)).kinds
    reset = asyncio.run(machine.FactoryReset(pb.FactoryResetRequest(serial_number="1"), HERE))

    assert made.recovery_key == KEY
    assert list(kinds) == ["tpm2"]
    assert not reset.tpm_cleared
    assert helper.asked[1:] == [
        orders.BindDisk(recovery_key=KEY),
        orders.FactoryReset(serial_number="1"),
    ]


def test_who_may_not_learn_what_opens_the_disk_has_no_key_made() -> None:
    def refuse(context: object) -> None:
        raise NotOnConsole("recovery key", "coffer machine add-recovery-key")

    helper = FakeHelper()
    machine = machine_rpc(helper, require_owner=refuse)

    with pytest.raises(NotOnConsole, match="an operator already") as caught:
        asyncio.run(machine.AddRecoveryKey(pb.AddRecoveryKeyRequest(), HERE))
    assert helper.asked == []
    assert "coffer machine add-recovery-key" in caught.value.remedy


def test_disks_and_the_clock_are_told() -> None:
    machine, _ = rpc({"servers": [{"name": "t", "nts": True}], "is_synchronised": True})

    found = asyncio.run(machine.ListDisks(pb.ListDisksRequest(), HERE))
    time = asyncio.run(machine.ShowTime(pb.ShowTimeRequest(), HERE))

    assert all(one.free_bytes <= one.size_bytes for one in found.filesystems)
    assert list(time.servers) == [pb.TimeServer(name="t", nts=True)]
    assert time.is_synchronised
    assert time.now_milliseconds > 0


def said(agent: FakeAgent, words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert coffer(agent, "machine", *words) == 0
    shown = capsys.readouterr()
    return shown.out + shown.err


def test_setting_one_interface_keeps_the_others_and_says_how_long_the_trial_is(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    other = pb.NetworkInterface(name="enp2s0", dhcp="yes")
    kept = pb.NetworkPlan(node_name="box", interfaces=[other, pb.NetworkInterface(name="enp1s0")])
    agent.lay("Machine/ShowNetwork", pb.NetworkView(kept=kept))
    agent.lay("Machine/SetNetwork", pb.NetworkView(kept=kept, trial=kept, trial_seconds=120))

    told = said(
        agent,
        ["set-network", "enp1s0", "--address", "192.0.2.7/24", "--confirm-within", "120"],
        capsys,
    )

    (asked,) = agent.asked_for("Machine/SetNetwork")
    wanted = pb.NetworkInterface(name="enp1s0", dhcp="no", addresses=["192.0.2.7/24"])
    assert list(asked.plan.interfaces) == [other, wanted]
    assert asked.plan.node_name == "box"
    assert asked.confirm_within_seconds == 120
    assert "confirm-network" in told
    assert "2:00" in told


def test_a_reset_of_the_network_forgets_one_interface_or_all(agent: FakeAgent) -> None:
    kept = pb.NetworkPlan(
        node_name="box",
        interfaces=[pb.NetworkInterface(name=name, dhcp="yes") for name in ("e1", "e2")],
    )
    agent.lay("Machine/ShowNetwork", pb.NetworkView(kept=kept))
    agent.lay("Machine/SetNetwork", pb.NetworkView())

    assert coffer(agent, "machine", "set-network", "e1", "--reset") == 0
    assert coffer(agent, "machine", "set-network", "--reset") == 0

    one, all_ = agent.asked_for("Machine/SetNetwork")
    assert [left.name for left in one.plan.interfaces] == ["e2"]
    assert all_.plan == pb.NetworkPlan()


@pytest.mark.parametrize(
    "words", [["set-network"], ["logs", "--since", "1y"], ["logs", "--since", "-5m"]]
)
def test_what_cannot_be_meant_is_wrong_usage(agent: FakeAgent, words: list[str]) -> None:
    assert coffer(agent, "machine", *words) == 2


def test_a_recovery_key_is_data_and_the_advice_is_not(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Machine/AddRecoveryKey", pb.RecoveryKey(recovery_key=KEY))

    assert coffer(agent, "machine", "add-recovery-key", "--yes") == 0

    shown = capsys.readouterr()
    assert shown.out.strip() == KEY
    assert "not shown again" in shown.err


def test_a_recovery_key_is_read_and_never_an_argument(
    agent: FakeAgent, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Machine/BindDisk", pb.DiskKeys(kinds=["tpm2"]))
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{KEY}\n"))

    told = said(agent, ["bind-disk", "--by-recovery-key"], capsys)

    assert agent.asked_for("Machine/BindDisk")[0].recovery_key == KEY
    assert "add-recovery-key" in told  # as there is none now
    assert KEY not in told


def test_a_reset_says_what_the_tpm_kept(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    agent.lay("Machine/FactoryReset", pb.FactoryResetReply(tpm_cleared=False))
    kept = said(agent, ["factory-reset", "--serial-number", "SN"], capsys)
    agent.lay("Machine/FactoryReset", pb.FactoryResetReply(tpm_cleared=True))
    cleared = said(agent, ["factory-reset", "--serial-number", "SN"], capsys)

    assert "The TPM kept its secret" in kept
    assert "The TPM kept its secret" not in cleared


def test_a_log_cannot_steer_the_terminal(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = pb.LogEntry(milliseconds=1, source="coffer.service", priority=3, text="a\x1b[2Jb")
    agent.lay("Machine/ReadLog", pb.Log(entries=[entry], is_cut=True))

    told = said(agent, ["logs", "--unit", "coffer.service", "--since", "2h"], capsys)

    assert agent.asked_for("Machine/ReadLog")[0].since_seconds == 7200
    assert "\x1b" not in told
    assert "coffer.service: a\N{REPLACEMENT CHARACTER}[2Jb" in told
    assert "left out" in told
