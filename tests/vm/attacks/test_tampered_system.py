"""Bits flipped in /usr or in what verifies it: the kernel notices when it reads them."""

from pathlib import Path
from typing import Any

import pytest

from firmware.boot.accepted import parse_accepted
from image.hardware import Hardware
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.conftest import PORTS
from tests.vm.disks import Forgery
from tests.vm.operators.operator import enrolled
from tests.vm.screen import STOPPED, is_settled, plain, shown

START_SECONDS = 900.0
BLOCK_BYTES = 4096
SUPERBLOCK = 1024  # where erofs keeps what a mount reads first
SALT = 88  # where veritysetup keeps what each hash begins with, in its own superblock


def start(forgery: Forgery, tools: Toolchain, folder: Path) -> str:
    """Start a new machine with the forged disk until it stops; return its console."""
    with Machine(tools, forgery.disk, folder) as machine:
        return plain(machine.wait_for_text(STOPPED, START_SECONDS))


def test_data_of_usr(image: Path, tools: Toolchain, tmp_path: Path) -> None:
    forgery = Forgery.of(image, tmp_path / "forgery", tools)
    forgery.flip(forgery.usr.start + SUPERBLOCK + 64)

    said = start(forgery, tools, tmp_path / "machine")

    assert "Mounted sysusr-usr.mount" not in said
    assert "Timed out waiting" not in said


@pytest.mark.parametrize("offset", [SALT, BLOCK_BYTES + 16], ids=["salt", "first block"])
def test_the_hashes_of_usr(image: Path, tools: Toolchain, tmp_path: Path, offset: int) -> None:
    forgery = Forgery.of(image, tmp_path / "forgery", tools)
    forgery.flip(forgery.partition("_verity").start + offset)

    said = start(forgery, tools, tmp_path / "machine")

    assert "Mounted sysusr-usr.mount" not in said
    assert "Timed out waiting" not in said


def test_what_is_read_long_after_the_start(image: Path, tools: Toolchain, tmp_path: Path) -> None:
    forgery = Forgery.of(image, tmp_path / "forgery", tools)
    forgery.flip(forgery.middle_of("/bin/timedatectl"))

    with Machine(tools, forgery.disk, tmp_path / "machine", Hardware(networks=(PORTS,))) as machine:
        said = machine.wait_for(is_settled, "running agent", START_SECONDS)
        operator = enrolled(machine, tmp_path / "home")
        operator.keep_recovery_key("box")
        with pytest.raises(AssertionError, match="timedatectl"):
            operator.run("--at", "box", "machine", "time")
        amiss: Any = operator.ask("box", "machine", "show")["problems"]

    assert shown(said, "problems") == "none"
    assert [one["what"].partition(" (")[0] for one in amiss] == ["/usr is damaged"]


def test_the_signature_of_the_hashes_vouches_for_nothing_in_a_start(
    image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    """The root hash that a start goes by is in the kernel image, which the firmware verifies."""
    forgery = Forgery.of(image, tmp_path / "forgery", tools)
    signature = forgery.partition("_sig")
    for word in (b'"rootHash":"', b'"signature":"'):
        forgery.flip(forgery.find(signature, word) + len(word))

    with Machine(tools, forgery.disk, tmp_path / "machine") as machine:
        said = machine.wait_for(is_settled, "running agent", START_SECONDS)

    accepted = parse_accepted(image.with_suffix(".pcrs.json").read_bytes())
    assert shown(said, "/usr") == "verity, read-only"
    assert shown(said, "/var") == "encrypted"
    assert shown(said, "problems") == "none"
    assert {pcr: shown(said, f"PCR {pcr}") for pcr in accepted.pcrs} == accepted.pcrs
