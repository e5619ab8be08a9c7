"""A machine whose clock is right: operators refuse one that is minutes late, as a snapshot is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from image.hardware import Hardware
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.conftest import PORTS, SLOTS, FirstStart
from tests.vm.screen import is_settled

START_SECONDS = 900.0


@pytest.fixture
def ready(
    first_start: FirstStart, tools: Toolchain, image: Path, tmp_path: Path
) -> Iterator[Machine]:
    """What the first start left, started anew."""
    folder = tmp_path / "machine"
    first_start.copy(folder, with_tpm=True)
    with Machine(tools, image, folder, Hardware(networks=(PORTS,), devices=SLOTS)) as machine:
        machine.wait_for(is_settled, "running agent", START_SECONDS)
        yield machine
