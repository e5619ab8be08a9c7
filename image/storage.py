"""What a virtual machine keeps in its folder while it is off: disk, TPM, variables, its number."""

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image.errors import MachineError
from image.hardware import FOLDER
from image.toolchain import Place

SCRIPT: Final = Path(__file__).with_name("machine.sh")
_STORED: Final = ("disk.qcow2", "variables.qcow2", "tpm", "number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A machine's folder, and the disk image that its disk is written over."""

    folder: Path
    image: Path

    @property
    def number(self) -> uuid.UUID:
        """What tells this machine from others, as its maker set it."""
        return uuid.UUID((self.folder / "number").read_text())

    def prepare(self) -> None:
        """Make the folder, unless it is there.

        Raises: MachineError if it is of another image.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "console.log").touch()
        of_image = self.folder / "image"
        state = self.image.stat()
        identity = f"{self.image} {state.st_size} {state.st_mtime_ns}\n"
        if of_image.exists() and of_image.read_text() != identity:
            raise MachineError(
                f"the machine in {self.folder} was made from another image",
                f"make it anew: remove {self.folder}, or make boot FRESH=1",
            )
        of_image.write_text(identity)
        number = self.folder / "number"
        if not number.exists():
            number.write_text(str(uuid.uuid4()))

    def copy(self, folder: Path, *, with_tpm: bool) -> None:
        """Copy what is stored to another machine's folder, as a thief of the disk does; it is off.

        with_tpm: TPM, the firmware's variables and the number go along: the same machine again
        """
        folder.mkdir(parents=True)
        for name in _STORED if with_tpm else _STORED[:1]:
            where = self.folder / name
            (shutil.copytree if where.is_dir() else shutil.copy2)(where, folder / name)

    def places(self) -> list[Place]:
        """Return what a program in the toolchain sees of it."""
        return [
            Place(outside=self.folder.resolve(), inside=FOLDER),
            Place(outside=self.image.resolve(), inside=FOLDER.with_name("image.raw")),
            Place(outside=SCRIPT, inside=FOLDER.with_name("machine.sh")),
        ]
