"""What whoever runs the host hands over through the firmware (SMBIOS) adds nothing to a start."""

from dataclasses import replace
from pathlib import Path

from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.conftest import FirstStart
from tests.vm.screen import is_settled, shown

START_SECONDS = 900.0
INTRUDER = "intruder"
STRINGS = (
    f"io.systemd.stub.kernel-cmdline-extra=systemd.hostname={INTRUDER} systemd.unit=rescue.target",
    f"io.systemd.boot.kernel-cmdline-extra=systemd.hostname={INTRUDER}",
    f"io.systemd.credential:sysctl.extra=kernel.hostname={INTRUDER}",
    f"io.systemd.credential:system.hostname={INTRUDER}",
    "io.systemd.credential:passwd.plaintext-password.root=x",
    "io.systemd.credential:tmpfiles.extra=f+ /etc/hostname - - - - intruder",
    "io.systemd.credential:getty.ttys.serial=ttyS0",
    "io.systemd.credential:ssh.listen=2222",
)


def test_they_change_nothing(
    first_start: FirstStart, image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    first_start.copy(tmp_path / "given", with_tpm=True)
    hardware = replace(first_start.machine.hardware, strings=STRINGS)

    with Machine(tools, image, tmp_path / "given", hardware) as machine:
        said = machine.wait_for(is_settled, "running agent", START_SECONDS)

    assert shown(said, "/var") == "encrypted"
    assert INTRUDER not in said
    assert "login:" not in said
