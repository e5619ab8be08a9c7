"""Bits flipped in /usr or in what verifies it: the kernel notices when it reads them."""

from pathlib import Path

from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.disks import Forgery, Partition
from tests.vm.screen import STOPPED, plain

START_SECONDS = 900.0
BLOCK_BYTES = 4096
SUPERBLOCK = 1024  # where erofs keeps what a mount reads first


def start(forgery: Forgery, tools: Toolchain, folder: Path) -> str:
    """Start a new machine with the forged disk until it stops; return its console."""
    with Machine(tools, forgery.disk, folder) as machine:
        return plain(machine.wait_for_text(STOPPED, START_SECONDS))


def test_data_of_usr(image: Path, tools: Toolchain, tmp_path: Path) -> None:
    forgery = Forgery.of(image, tmp_path / "forgery", tools)
    forgery.flip(usr_of(forgery).start + SUPERBLOCK + 64)

    said = start(forgery, tools, tmp_path / "machine")

    assert "Mounted sysusr-usr.mount" not in said


def test_the_hashes_of_usr(image: Path, tools: Toolchain, tmp_path: Path) -> None:
    forgery = Forgery.of(image, tmp_path / "forgery", tools)
    forgery.flip(forgery.partition("_verity").start + BLOCK_BYTES + 16)

    said = start(forgery, tools, tmp_path / "machine")

    assert "Mounted sysusr-usr.mount" not in said


def usr_of(forgery: Forgery) -> Partition:
    """Return the partition with /usr: its label is the version alone."""
    return forgery.partition(forgery.partition("_verity").label.removesuffix("_verity"))
