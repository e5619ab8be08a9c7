"""The two copies of the system on the disk, and the kernel images that start them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.updates.errors import InstallFailed, NothingToStart
from appliance.updates.gpt import find_disk, read_partitions
from appliance.updates.record import Record, Slot, sync_folder

TRIES: Final = 3
BOOT_PLACES: Final = ("efi", "boot", "boot/efi")
KERNELS: Final = Path("EFI/Linux")
BOOT_COUNT: Final = Path(
    "sys/firmware/efi/efivars/LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
)
"""The boot loader's word that it counts this start."""
_KERNEL: Final = re.compile(r"coffer_(\d{8}\.\d{6})(?:\+(\d{1,9})(?:-(\d{1,9}))?)?\.efi")
_LABEL: Final = re.compile(r"coffer_(\d{8}\.\d{6})")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel image in the boot partition; its name counts its tries as systemd-boot does.

    tries_left: None once it has started well.
    """

    path: Path
    version: str
    tries_left: int | None


def find_kernels(root: Path) -> list[Kernel]:
    """Return the kernel images of the boot partition, the newest first.

    Raises: InstallFailed if it is not mounted.
    """
    for place in BOOT_PLACES:
        folder = root / place / KERNELS
        if folder.is_dir():
            break
    else:
        raise InstallFailed("the boot partition is not mounted", remedy="restart the machine")
    found = []
    for path in folder.iterdir():
        read = _KERNEL.fullmatch(path.name)
        if read:
            left = None if read[2] is None else int(read[2])
            found.append(Kernel(path, read[1], left))
    return sorted(found, key=lambda kernel: kernel.version, reverse=True)


def read_slots(root: Path, running: str) -> tuple[Slot, ...]:
    """Return what each slot holds, the running one first."""
    kernels = {kernel.version: kernel for kernel in find_kernels(root)}
    with find_disk(root).open("rb") as disk:
        labels = read_partitions(disk)
    versions = {read[1] for read in map(_LABEL.fullmatch, labels) if read} | {running}
    slots = []
    for version in sorted(versions, key=lambda one: (one != running, one)):
        kernel = kernels.get(version)
        slots.append(
            Slot(
                version=version,
                is_running=version == running,
                has_kernel=kernel is not None,
                tries_left=kernel.tries_left if kernel else None,
            )
        )
    return tuple(slots)


def is_trial(root: Path, running: str) -> bool:
    """Return whether this start is one of the running version's tries, and not counted as good."""
    kernels = [kernel for kernel in find_kernels(root) if kernel.version == running]
    is_counted = (root / BOOT_COUNT).exists()
    return is_counted and any(kernel.tries_left is not None for kernel in kernels)


def unlist_others(root: Path, running: str) -> None:
    """Remove the kernel images of all but the running version: their slot is about to change.

    Raises: InstallFailed if nothing would be left to start.
    """
    kernels = find_kernels(root)
    if not any(kernel.version == running for kernel in kernels):
        raise InstallFailed(
            f"the kernel image of {running} is not in the boot partition",
            remedy="start the machine from its own disk",
        )
    for kernel in kernels:
        if kernel.version != running:
            kernel.path.unlink()
            sync_folder(kernel.path.parent)


def withdraw(root: Path, running: str) -> None:
    """Take an update that waits for a restart off the list again.

    Raises: NothingToCancel, UpdateOutOfOrder; the version before it then stays on the list.
    """
    record = Record.read(root).cancelled()
    unlist_others(root, running)
    record.write(root)


def has_better(root: Path) -> bool:
    """Return whether a restart would try something else, or once more what has tries left."""
    return any(kernel.tries_left != 0 for kernel in find_kernels(root))


def relist(root: Path, running: str, floor: str) -> None:
    """Count the running version as good again if it was once, and this start is not on trial.

    It ran out of tries when the other slot was preferred, which then did not start well.
    """
    if running > floor or (root / BOOT_COUNT).exists():
        return
    for kernel in find_kernels(root):
        if kernel.version == running:
            _rename(kernel, f"coffer_{running}.efi")


def find_other(root: Path, running: str) -> Kernel:
    """Return the kernel image of the slot that does not run. Raises: NothingToStart."""
    others = [kernel for kernel in find_kernels(root) if kernel.version != running]
    if not others:
        raise NothingToStart(
            "there is no other version on the disk", remedy="install an update first"
        )
    return others[0]


def prefer_other(root: Path, running: str) -> str:
    """Have the other slot start next, with its tries anew; return its version.

    For an older one to come first, the running one must count as out of tries. Each step leaves
    one that starts. Raises: NothingToStart.
    """
    kernels, other = find_kernels(root), find_other(root, running)
    _rename(other, f"coffer_{other.version}+{TRIES}.efi")
    if other.version < running:
        for kernel in kernels:
            if kernel.version == running:
                _rename(kernel, f"coffer_{kernel.version}+0.efi")
    return other.version


def _rename(kernel: Kernel, name: str) -> None:
    if kernel.path.name != name:
        kernel.path.rename(kernel.path.with_name(name))
        sync_folder(kernel.path.parent)
