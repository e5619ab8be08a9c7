"""Firmware that does not check what it starts, or trusts other keys: nothing of ours runs on it."""

from pathlib import Path

from image.hardware import Firmware, Hardware
from image.toolchain import Toolchain
from image.vm import Machine

REFUSED_SECONDS = 600.0


def test_firmware_with_other_keys_refuses_the_boot_loader(
    image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    hardware = Hardware(firmware=Firmware.FOREIGN_KEYS)

    with Machine(tools, image, tmp_path / "machine", hardware) as machine:
        said = machine.wait_for_text("Access Denied", REFUSED_SECONDS)

    assert "systemd" not in said
