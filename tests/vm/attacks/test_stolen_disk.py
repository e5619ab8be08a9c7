"""The disk in another machine: the image starts there, but /var stays locked and nothing runs."""

from pathlib import Path

from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.conftest import FirstStart
from tests.vm.screen import STOPPED, plain

START_SECONDS = 900.0


def test_what_is_stored_is_readable_with_its_own_tpm_alone(
    first_start: FirstStart, image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    first_start.copy(tmp_path / "thief", with_tpm=False)

    with Machine(tools, image, tmp_path / "thief") as machine:
        said = plain(machine.wait_for_text(STOPPED, START_SECONDS))

    assert "Failed to start coffer-unlock-var.service" in said
    assert "Mounted var.mount" not in said
    assert "Starting coffer.service" not in said
