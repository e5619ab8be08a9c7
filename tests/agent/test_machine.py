"""What a node tells of its machine, and how people see it."""

import asyncio
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from appliance.api import agent_pb2 as pb
from appliance.machine.ask import Facts, Helper, ask
from appliance.machine.errors import OrderRefused
from appliance.machine.load import Load, read_load
from appliance.machine.posture import Posture
from appliance.machine.rpc import MachineRpc
from appliance.machine.views import machine_view
from tests.agent.cli_sides import coffer
from tests.doubles import FakeAgent
from tests.unit.console_doubles import FINE

HERE: Any = None


class Settings(BaseModel):
    """Stands in for the agent's own."""


def rpc(state: Path, helper: Helper = ask) -> MachineRpc:
    return MachineRpc(
        state,
        Settings(),
        helper,
        is_key_sealed=False,
        require_owner=lambda _: None,
        has_operators=lambda: True,
    )


def view_of(
    posture: Posture,
    load: Load,
    *,
    is_key_sealed: bool = True,
    has_operators: bool = True,
    made: int | None = 1,
) -> pb.MachineView:
    return machine_view(
        posture,
        load,
        (),
        is_key_sealed=is_key_sealed,
        has_operators=has_operators,
        recovery_key_made_milliseconds=made,
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
    sealed = view_of(FINE, load)
    plain = view_of(FINE, load, is_key_sealed=False)
    elsewhere = view_of(replace(FINE, is_appliance=False), load, is_key_sealed=False)

    assert (list(sealed.problems), list(elsewhere.problems)) == ([], [])
    [problem] = plain.problems
    assert "not sealed" in problem.what
    assert "coffer-machine-seal.service" in problem.remedy


def test_an_appliance_that_somebody_looks_after_wants_a_recovery_key(tmp_path: Path) -> None:
    load = read_load(tmp_path)
    kept = view_of(FINE, load)
    nobody = view_of(FINE, load, has_operators=False, made=None)
    elsewhere = view_of(replace(FINE, is_appliance=False), load, made=None)

    assert not [*kept.problems, *nobody.problems, *elsewhere.problems]
    [problem] = view_of(FINE, load, made=None).problems
    assert "no recovery key" in problem.what
    assert "add-recovery-key" in problem.remedy


def test_when_a_recovery_key_was_made_outlives_the_agent(tmp_path: Path) -> None:
    def make(order: BaseModel, *, tell: object = None) -> Facts:
        return {"recovery_key": "cbdefghi", "kinds": ["tpm2", "recovery"]}

    before = asyncio.run(rpc(tmp_path).ShowMachine(pb.ShowMachineRequest(), HERE))
    asyncio.run(rpc(tmp_path, make).AddRecoveryKey(pb.AddRecoveryKeyRequest(), HERE))
    after = asyncio.run(rpc(tmp_path).ShowMachine(pb.ShowMachineRequest(), HERE))

    assert not before.HasField("recovery_key_made_milliseconds")
    age_seconds = time.time() - after.recovery_key_made_milliseconds / 1000
    assert 0 <= age_seconds < 60
    assert not [file for file in tmp_path.iterdir() if "cbdefghi" in file.read_text()]


def test_a_key_that_could_not_be_made_is_not_noted(tmp_path: Path) -> None:
    def fail(order: BaseModel, *, tell: object = None) -> Facts:
        raise OrderRefused("no", remedy="none")

    with pytest.raises(OrderRefused):
        asyncio.run(rpc(tmp_path, fail).AddRecoveryKey(pb.AddRecoveryKeyRequest(), HERE))

    assert list(tmp_path.iterdir()) == []


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
        recovery_key_made_milliseconds=1_796_040_000_000,
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
