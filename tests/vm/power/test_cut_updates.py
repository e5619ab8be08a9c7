"""The power fails at any moment of an update and of the start after it: one version runs, whole."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from image.hardware import Hardware
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.conftest import PORTS, SLOTS, FirstStart
from tests.vm.operators.operator import Operator, read_code
from tests.vm.screen import is_settled
from tests.vm.updates.manifests import manifest_of

TURN: Final = 1
START_SECONDS: Final = 900.0
SENT_SECONDS: Final = 900.0
WRITING_SECONDS: Final = 240.0  # from where it begins to write until a little after it has written
STARTING_SECONDS: Final = 300.0
SNAPSHOT: Final = "installing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installing:
    """A machine, off, with a snapshot of the moment when an update begins to be written."""

    machine: Machine
    operator: Operator

    def wait_for(self, states: tuple[str, ...], seconds: float) -> dict[str, Any]:
        """Return what the machine says of its slots once the update is in one of these states."""
        return eventually(
            lambda: self.operator.ask("box", "updates", "show"),
            lambda said: (said.get("update") or {}).get("state") in states,
            seconds,
        )


@pytest.fixture(scope="module")
def installing(
    first_start: FirstStart,
    image: Path,
    tools: Toolchain,
    newer: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Installing:
    """What the first start left, started anew and sent an update."""
    folder = tmp_path_factory.mktemp("installing")
    (folder / "home").mkdir()
    first_start.copy(folder / "machine", with_tpm=True)
    hardware = Hardware(networks=(PORTS,), devices=SLOTS)
    made = Installing(
        machine=Machine(tools, image, folder / "machine", hardware),
        operator=Operator(home=folder / "home"),
    )
    with made.machine as machine:
        machine.wait_for(is_settled, "running agent", START_SECONDS)
        code = read_code(machine)
        made.operator.enrol("box", port=17445, enrolment_port=17446, code=code)
        made.operator.keep_recovery_key("box")
        with made.operator.running("--at", "box", "updates", "install", str(newer)):
            made.wait_for(("checking", "writing"), SENT_SECONDS)
            machine.save(SNAPSHOT)
    return made


def test_one_version_runs_whole_and_the_other_can_be_installed(
    installing: Installing, newer: Path, image: Path, seed: int
) -> None:
    machine, operator = installing.machine, installing.operator
    chance = random.Random(seed)  # noqa: S311
    moments = chance.uniform(0, WRITING_SECONDS), chance.uniform(0, STARTING_SECONDS)

    machine.switch_on(SNAPSHOT)
    time.sleep(moments[0])
    machine.cut_power()
    with machine:
        time.sleep(moments[1])
    with machine:
        machine.wait_for(is_settled, f"agent after cuts at {moments} s", START_SECONDS)
        found = installing.wait_for(("good", "failed"), START_SECONDS)
        shown = operator.ask("box", "machine", "show")
        if found["update"]["state"] == "failed":
            operator.run("--at", "box", "updates", "install", str(newer))
            installing.wait_for(("ready",), SENT_SECONDS)

    versions = {"good": manifest_of(newer).version, "failed": image.stem.removeprefix("coffer_")}
    assert found["version"] == versions[found["update"]["state"]], (moments, found)
    assert shown["secure_boot"] is True
    assert shown["var_is_encrypted"] is True
    assert not shown.get("problems"), (moments, shown["problems"])


def eventually(
    ask: Callable[[], dict[str, Any]], is_there: Callable[[dict[str, Any]], bool], seconds: float
) -> dict[str, Any]:
    """Return the first answer that is as it should be; what the command line refuses is none."""
    end = time.monotonic() + seconds
    said: object = None
    while time.monotonic() < end:
        try:
            said = found = ask()
        except AssertionError as error:
            said = error
        else:
            if is_there(found):
                return found
        time.sleep(1.0)
    raise AssertionError(f"for {seconds:.0f} s it said: {said}")
