from collections.abc import Iterator
from pathlib import Path

import pytest

from image import vm
from image.vm import Hardware, Machine

FIRST_START_SECONDS = 900.0


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the one machine of these tests keeps its disk, its TPM and its variables."""
    return tmp_path_factory.mktemp("machine")


@pytest.fixture(scope="session")
def started(folder: Path) -> Iterator[Machine]:
    """A machine on its first start, with the agent running."""
    machine = Machine(vm.find_tools(), vm.find_disk(), folder, Hardware(port=17443))
    with machine:
        machine.wait_for_text("coffer       active", FIRST_START_SECONDS)
        yield machine
