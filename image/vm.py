"""A virtual machine that runs the image: its own disk, TPM and firmware variables in one folder.

QEMU without KVM (TCG), firmware with Secure Boot and no keys yet, a software TPM. The console is
only read: nothing inside is there to be logged in to.
"""

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from image import places
from image.errors import MachineError
from image.toolchain import Place, Toolchain, fingerprint

INSIDE: Final = Path("/work/machine")
SCRIPT: Final = Path(__file__).with_name("machine.sh")
DISK_GIB: Final = 16
MEMORY_MIB: Final = 2048
PEER_PORT: Final = 7443
_SHOWN_LINES: Final = 25
_POLL_SECONDS: Final = 0.5
_MACHINES: Final = uuid.UUID("c0ffe2b0-0000-5000-8000-000000000005")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a machine is made of.

    port: of this host's loopback, led to the agent's peer port; 0 for no network card
    strings: that its firmware hands over (SMBIOS type 11), as whoever runs the host may
    """

    memory_mib: int = MEMORY_MIB
    cores: int = 2
    port: int = 0
    strings: tuple[str, ...] = ()


class Machine:
    """A machine over a copy of a disk image; ``with`` switches it on, leaving it cuts the power.

    What it stored stays in its folder, so the same folder again is the same machine.
    """

    def __init__(
        self, tools: Toolchain, disk: Path, folder: Path, hardware: Hardware | None = None
    ) -> None:
        self.folder = folder
        self.hardware = hardware or Hardware()
        self._tools = tools
        self._disk = disk
        self._running: subprocess.Popen[bytes] | None = None
        self._seen_bytes = 0

    @property
    def console_log(self) -> Path:
        """All that its serial console has said, over all starts."""
        return self.folder / "console.log"

    def __enter__(self) -> Self:
        self.switch_on()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut_power()

    def switch_on(self) -> None:
        """Start it; the console of this start is what is looked at from here on."""
        self._make()
        self._seen_bytes = self.console_log.stat().st_size
        words = self._command("file")
        with (self.folder / "qemu.log").open("ab") as log:
            self._running = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def cut_power(self) -> None:
        """End it at once, as a power cut does; its TPM too."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def console(self) -> str:
        """Return what the serial console has said since the machine was switched on."""
        with self.console_log.open("rb") as file:
            file.seek(self._seen_bytes)
            return file.read().decode("utf-8", errors="replace")

    def wait_for(self, is_there: Callable[[str], bool], what: str, seconds: float) -> str:
        """Wait until the console satisfies a condition; return the console.

        Raises: MachineError if it does not in time, or if the machine stops.
        """
        end = time.monotonic() + seconds
        while True:
            text = self.console()
            if is_there(text):
                return text
            if self._running is None or self._running.poll() is not None:
                raise self._failure(f"the machine stopped before {what}")
            if time.monotonic() > end:
                raise self._failure(f"no {what} within {seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def wait_for_text(self, text: str, seconds: float) -> str:
        """Wait until the console has said a text; return the console."""
        return self.wait_for(lambda said: text in said, f'"{text}" on the console', seconds)

    def run_in_foreground(self) -> int:
        """Run it with the console on this terminal; return QEMU's exit status."""
        self._make()
        ran = subprocess.run(self._command("terminal"), check=False)
        return ran.returncode

    def _make(self) -> None:
        """Make its disk and firmware variables, unless they are there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.console_log.touch()
        of_image = self.folder / "image"
        state = self._disk.stat()
        identity = f"{self._disk} {state.st_size} {state.st_mtime_ns}\n"
        if of_image.exists() and of_image.read_text() != identity:
            raise MachineError(
                f"the machine in {self.folder} was made from another image",
                f"make it anew: remove {self.folder}, or make boot FRESH=1",
            )
        of_image.write_text(identity)

    def _command(self, console: str) -> list[str]:
        number = uuid.uuid5(_MACHINES, str(self.folder))
        hardware = self.hardware
        settings = {
            "CONSOLE": console,
            "MEMORY_MIB": str(hardware.memory_mib),
            "CORES": str(hardware.cores),
            "DISK_GIB": str(DISK_GIB),
            "PORT": str(hardware.port),
            "PEER_PORT": str(PEER_PORT),
            "MACHINE": str(number),
            "STRINGS": "\n".join(hardware.strings),
        }
        seen = (
            Place(outside=self.folder.resolve(), inside=INSIDE),
            Place(outside=self._disk.resolve(), inside=Path("/work/image.raw")),
            Place(outside=SCRIPT, inside=Path("/work/machine.sh")),
        )
        return self._tools.command(["bash", "/work/machine.sh"], seen, settings)

    def _failure(self, cause: str) -> MachineError:
        last = "\n  ".join(self.console().splitlines()[-_SHOWN_LINES:])
        said = (self.folder / "qemu.log").read_text(errors="replace").strip()[-1000:]
        return MachineError(
            f"{cause}; its console ends with:\n  {last}\n{said}",
            f"the whole console is in {self.console_log}",
        )


def find_disk() -> Path:
    """Return the disk image that was built last.

    Raises: MachineError if there is none.
    """
    ending = ".manifest.json"
    built = sorted(places.OUT.glob(f"coffer_*{ending}"))
    if not built:
        raise MachineError("there is no disk image", "build one: make image")
    return built[-1].with_name(built[-1].name.removesuffix(ending) + ".raw")


def find_tools() -> Toolchain:
    """Return the toolchain that the image was built with.

    Raises: MachineError if it is not there.
    """
    root = places.cache() / f"toolchain-{fingerprint()}"
    if not root.exists():
        raise MachineError("there is no toolchain", "make it: make image")
    return Toolchain(root=root)


def boot_in_foreground(*, fresh: bool) -> None:
    """Run the image on this terminal until the machine is switched off.

    Raises: MachineError if there is nothing to run, or QEMU fails.
    """
    folder = places.OUT / "machine"
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    machine = Machine(find_tools(), find_disk(), folder, Hardware(port=PEER_PORT))
    status = machine.run_in_foreground()
    if status != 0:
        raise MachineError(
            f"QEMU ended with status {status}", f"is port {PEER_PORT} of this machine in use?"
        )
