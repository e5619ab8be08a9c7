"""Firmware that does not check what it starts, or trusts other keys: nothing of ours runs on it."""

from pathlib import Path

from image.hardware import Firmware, Hardware
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.screen import plain

REFUSED_SECONDS = 600.0
OFF_SECONDS = 300.0


def test_firmware_with_other_keys_refuses_the_boot_loader(
    image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    hardware = Hardware(firmware=Firmware.FOREIGN_KEYS)

    with Machine(tools, image, tmp_path / "machine", hardware) as machine:
        said = machine.wait_for_text("Access Denied", REFUSED_SECONDS)

    assert "systemd" not in said


def test_firmware_without_secure_boot_gets_no_further_than_the_initrd(
    image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    hardware = Hardware(firmware=Firmware.NO_SECURE_BOOT)

    with Machine(tools, image, tmp_path / "machine", hardware) as machine:
        said = machine.wait_for_text("error: Secure Boot is off", REFUSED_SECONDS)
        machine.wait_until_off(OFF_SECONDS)

    assert "successfully enrolled" not in said
    assert "Mounted sysusr-usr.mount" not in plain(machine.console())
    assert "Starting initrd-switch-root.service" not in plain(machine.console())
