"""What a start of the image leaves in the TPM, computed without starting it."""

from typing import Final

from firmware.boot.accepted import AcceptedBoot, accept, write_accepted
from firmware.boot.banks import Bank
from firmware.boot.prediction import (
    PHASES,
    predict_boot_loaders,
    predict_kernel,
    predict_secure_boot,
)
from firmware.boot.secure_boot import ENABLED, SecureBootVariable
from image import enrolment
from image.build import Build
from image.keys import Keys
from image.toolchain import TOP, Place

BANK: Final = Bank.SHA256
_LOADER: Final = "::/EFI/BOOT/BOOTX64.EFI"


def write(build: Build) -> None:
    """Write the predicted values beside the disk.

    Raises: CommandFailed if the boot partition cannot be read; FirmwareError if what lies there
            cannot be measured.
    """
    made = build.workspace / "output"
    loader = build.workspace / "loader.efi"
    top = TOP / "build"
    partition = top / "output" / f"coffer_{build.version}.esp.raw"
    build.toolchain.run(
        ["mcopy", "-n", "-o", "-i", str(partition), _LOADER, str(top / "loader.efi")],
        seen=(Place(outside=build.workspace, inside=top),),
        remedy="the disk may be damaged: build again",
    )
    kernel = (made / f"coffer_{build.version}.efi").read_bytes()
    accepted = predict(build.version, loader.read_bytes(), kernel, build.keys)
    (made / f"coffer_{build.version}.pcrs.json").write_bytes(write_accepted(accepted))


def predict(version: str, loader: bytes, kernel: bytes, keys: Keys) -> AcceptedBoot:
    """Return PCRs 4, 7 and 11 of a machine that has started up, in the bank SHA-256."""
    variables: dict[SecureBootVariable, bytes | None] = {
        SecureBootVariable.SECURE_BOOT: ENABLED,
        SecureBootVariable.DBX: None,
        **enrolment.values(keys),
    }
    # The stub of systemd 257.13 starts the kernel in it by itself, so the firmware measures two.
    loaded = {"boot loader": loader, "unified kernel image": kernel}
    return accept(
        version,
        [
            predict_boot_loaders(loaded, BANK),
            predict_secure_boot(variables, [enrolment.entry(keys.named("boot"))], BANK),
            predict_kernel(kernel, BANK, phases=PHASES),
        ],
    )
