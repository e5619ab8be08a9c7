"""The power fails at any moment of the first start, when /var is made: the next start completes."""

import random
import time
from pathlib import Path

import pytest

from image.hardware import Hardware
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.screen import is_settled, plain, shown

START_SECONDS = 900.0
MAKING_VAR = "Starting systemd-repart.service"
MAKING_SECONDS = 60.0  # from there until /var is mounted and filled
TURN = 0


@pytest.fixture(scope="module")
def begun(tools: Toolchain, image: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine, off, with a snapshot of the moment when its first start begins to make /var."""
    machine = Machine(tools, image, tmp_path_factory.mktemp("begun"), Hardware(networks=()))
    with machine:
        machine.wait_for(lambda said: MAKING_VAR in plain(said), "making of /var", START_SECONDS)
        machine.save("begun")
    return machine


def test_the_next_start_completes(begun: Machine, seed: int) -> None:
    seconds = random.Random(seed).uniform(0, MAKING_SECONDS)  # noqa: S311
    begun.switch_on("begun")
    time.sleep(seconds)
    begun.cut_power()

    with begun:
        said = begun.wait_for(is_settled, f"agent after a cut at {seconds:.1f} s", START_SECONDS)

    assert shown(said, "/var") == "encrypted"
    assert shown(said, "problems") == "none"
