"""What a node tells of its machine, and how people see it."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from appliance.api import agent_pb2 as pb
from appliance.machine.ask import Helper, ask
from appliance.machine.load import read_load
from appliance.machine.recovery import Recovery, RecoveryKey
from appliance.machine.rpc import MachineRpc
from appliance.machine.views import machine_view
from tests.agent.cli_sides import coffer
from tests.doubles import FakeAgent
from tests.unit.console_doubles import FINE

HERE: Any = None
NOW = 1_796_040_000_000  # 2026-11-30
KEPT = RecoveryKey(is_wanted=True, made_milliseconds=NOW)


class Settings(BaseModel):
    """Stands in for the agent's own."""


def recovery(state: Path, helper: Helper = ask, *, has_operators: bool = True) -> Recovery:
    return Recovery(
        state, helper, has_operators=lambda: has_operators, now_milliseconds=lambda: NOW
    )


def rpc(state: Path) -> MachineRpc:
    return MachineRpc(
        state,
        Settings(),
        is_key_sealed=False,
        recovery=recovery(state),
        require_owner=lambda _: None,
    )


def test_a_plain_machine_tells_of_its_use_and_promises_nothing(tmp_path: Path) -> None:
    machine = rpc(tmp_path)
    seen = asyncio.run(machine.ShowMachine(pb.ShowMachineRequest(), HERE))

    assert not seen.is_appliance
    assert not seen.problems
    assert seen.cores >= 1
    assert 0 <= seen.busy_fraction <= 1
    assert 0 < seen.memory_free_bytes < seen.memory_bytes
    assert 0 < seen.disk_free_bytes <= seen.disk_bytes
    assert seen.up_seconds > 0


def test_an_appliance_whose_identity_key_is_a_plain_file_says_so(tmp_path: Path) -> None:
    load = read_load(tmp_path)
    sealed = machine_view(FINE, load, (), KEPT, is_key_sealed=True)
    plain = machine_view(FINE, load, (), KEPT, is_key_sealed=False)
    other = replace(FINE, is_appliance=False)
    elsewhere = machine_view(other, load, (), KEPT, is_key_sealed=False)

    assert (list(sealed.problems), list(elsewhere.problems)) == ([], [])
    [problem] = plain.problems
    assert "not sealed" in problem.what
    assert "coffer-machine-seal.service" in problem.remedy


def test_a_recovery_key_that_nobody_has_is_a_problem(tmp_path: Path) -> None:
    load = read_load(tmp_path)
    none = RecoveryKey(is_wanted=True, made_milliseconds=None)
    kept = machine_view(FINE, load, (), KEPT, is_key_sealed=True)
    lost = machine_view(FINE, load, (), none, is_key_sealed=True)

    assert kept.recovery_key_made_milliseconds == NOW
    assert not kept.problems
    assert not lost.HasField("recovery_key_made_milliseconds")
    [problem] = lost.problems
    assert "no recovery key" in problem.what
    assert "add-recovery-key" in problem.remedy


def test_the_report_puts_what_failed_first_and_says_why_things_are_waived(
    tmp_path: Path, agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = rpc(tmp_path)
    told = asyncio.run(machine.ShowHardening(pb.ShowHardeningRequest(), HERE))

    verdicts = [one.verdict for one in told.findings]
    assert verdicts == sorted(verdicts, key=["failed", "met", "waived"].index)
    assert all(one.why for one in told.findings if one.verdict != "met")

    agent.lay("Machine/ShowHardening", told)
    assert coffer(agent, "machine", "report") == 0
    assert "SRG-OS-" in capsys.readouterr().out


def shown(agent: FakeAgent, view: pb.MachineView, capsys: pytest.CaptureFixture[str]) -> str:
    agent.lay("Machine/ShowMachine", view)
    assert coffer(agent, "machine", "show") == 0
    return capsys.readouterr().out


def test_outside_the_appliance_it_is_said_plainly(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    said = shown(agent, pb.MachineView(kernel="6.12", cores=2, memory_bytes=1000), capsys)

    assert "no appliance" in said
    assert "not available outside the appliance" in said
    assert "fine" not in said


def test_a_verdict_comes_first_and_each_problem_has_a_remedy(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    view = pb.MachineView(
        is_appliance=True,
        image_version="20261129.1",
        secure_boot=True,
        lockdown="integrity",
        pcrs={7: "ab" * 32},
        recovery_key_made_milliseconds=NOW,
        addresses=[pb.NetworkAddress(interface="enp1s0", address="192.0.2.7")],
    )
    fine = shown(agent, view, capsys)
    view.problems.append(pb.Problem(what="Secure Boot is off", remedy="switch it on"))
    amiss = shown(agent, view, capsys)

    assert fine.split("\n")[0].split() == ["verdict", "fine"]
    assert "192.0.2.7 (enp1s0)" in fine
    assert "ab" * 32 in fine
    assert re.search("recovery key +made 2026-11-30", fine)
    assert "act now" in amiss.split("\n")[0]
    assert "switch it on" in amiss


def test_a_card_that_cannot_be_used_degrades_the_machine(
    agent: FakeAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = pb.Problem(what="no driver is bound to A40", remedy="use another image")
    card = pb.AcceleratorCard(title="A40", address="0000:65:00.0", problems=[problem])

    said = shown(agent, pb.MachineView(is_appliance=True, cards=[card]), capsys)

    assert "degraded" in said.split("\n")[0]
    assert "0000:65:00.0" in said
    assert "use another image" in said
