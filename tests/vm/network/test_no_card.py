"""A machine without a network card starts all the same: nothing waits for a network for ever."""

from dataclasses import replace
from pathlib import Path

from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.conftest import FirstStart
from tests.vm.screen import is_settled, shown

START_SECONDS = 900.0


def test_it_starts(first_start: FirstStart, image: Path, tools: Toolchain, tmp_path: Path) -> None:
    first_start.copy(tmp_path / "machine", with_tpm=True)
    hardware = replace(first_start.machine.hardware, networks=())

    with Machine(tools, image, tmp_path / "machine", hardware) as machine:
        said = machine.wait_for(is_settled, "running agent", START_SECONDS)

    assert shown(said, "addresses") == "none"
    assert shown(said, "problems") == "none"
