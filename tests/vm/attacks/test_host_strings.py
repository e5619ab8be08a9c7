"""What whoever runs the host hands over through the firmware (SMBIOS type 11) opens nothing."""

from dataclasses import replace
from pathlib import Path

from image.hardware import Hardware
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.conftest import FirstStart
from tests.vm.screen import STOPPED, is_settled, plain, shown

START_SECONDS = 900.0
FRESH = Hardware()
INTRUDER = "intruder"
COMMAND_LINE = f"io.systemd.stub.kernel-cmdline-extra=systemd.hostname={INTRUDER}"
CREDENTIALS = (
    f"io.systemd.credential:sysctl.extra=kernel.hostname={INTRUDER}",
    f"io.systemd.credential:system.hostname={INTRUDER}",
    f"io.systemd.credential:tmpfiles.extra=f+ /etc/hostname - - - - {INTRUDER}",
    "io.systemd.credential:passwd.plaintext-password.root=x",
    "io.systemd.credential:getty.ttys.serial=ttyS0",
    "io.systemd.credential:ssh.listen=2222",
)


def test_credentials_change_nothing(
    first_start: FirstStart, image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    first_start.copy(tmp_path / "given", with_tpm=True)
    hardware = replace(first_start.machine.hardware, strings=CREDENTIALS)

    with Machine(tools, image, tmp_path / "given", hardware) as machine:
        said = machine.wait_for(is_settled, "running agent", START_SECONDS)

    assert shown(said, "/var") == "encrypted"
    assert shown(said, "problems") == "none"
    assert INTRUDER not in said
    assert "login:" not in said


def test_a_longer_command_line_finds_what_is_stored_locked(
    first_start: FirstStart, image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    """The kernel image takes it, Secure Boot or not, and measures it: PCR 12 is another."""
    first_start.copy(tmp_path / "given", with_tpm=True)
    hardware = replace(first_start.machine.hardware, strings=(COMMAND_LINE,))

    with Machine(tools, image, tmp_path / "given", hardware) as machine:
        said = plain(machine.wait_for_text(STOPPED, START_SECONDS))

    assert "Mounted var.mount" not in said
    assert "Starting coffer.service" not in said
    assert "login:" not in said


def test_a_first_start_with_a_longer_command_line_keeps_nothing_for_the_next_of_its_kind(
    image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    """What it makes opens only without the addition, so whoever added cannot stay."""
    longer = replace(FRESH, strings=(COMMAND_LINE,))

    with Machine(tools, image, tmp_path / "new", longer) as machine:
        first = plain(machine.wait_for_text(STOPPED, START_SECONDS))
    with Machine(tools, image, tmp_path / "new", FRESH) as machine:
        second = machine.wait_for(is_settled, "running agent", START_SECONDS)

    assert "Starting coffer.service" not in first
    assert shown(second, "/var") == "encrypted"
    assert shown(second, "problems") == "none"
