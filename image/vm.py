"""A virtual machine that runs the image: its own disk, TPM and firmware variables in one folder.

QEMU without KVM (TCG), firmware with Secure Boot and no keys yet, a software TPM. Its console is
read and typed on; nothing inside is there to be logged in to.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from image import places
from image.errors import MachineError
from image.hardware import DISK_GIB, FOLDER, SERVED_PORTS, Console, Hardware, Router
from image.keyboard import type_on
from image.monitor import Monitor
from image.storage import Storage
from image.toolchain import Place, Toolchain, fingerprint

_SHOWN_LINES: Final = 25
_POLL_SECONDS: Final = 0.5
_SNAPSHOT_SECONDS: Final = 240.0
_START_SECONDS: Final = 30.0
_STICK: Final = "stick"
_BALLOON: Final = {"path": "/machine/peripheral/balloon"}
_POLLED: Final = "guest-stats-polling-interval"


class Machine:
    """A machine over a copy of a disk image; ``with`` switches it on, leaving it cuts the power.

    What it stored stays in its folder, so the same folder again is the same machine.
    """

    def __init__(
        self, tools: Toolchain, disk: Path, folder: Path, hardware: Hardware | None = None
    ) -> None:
        self.folder = folder
        self.storage = Storage(folder=folder, image=disk)
        self.hardware = hardware or Hardware()
        self._tools = tools
        self._running: subprocess.Popen[bytes] | None = None
        self._seen_bytes = 0

    @property
    def console_log(self) -> Path:
        """All that its serial console has said, over all starts."""
        return self.folder / "console.log"

    @property
    def monitor(self) -> Monitor:
        """QEMU's monitor, while it runs."""
        return Monitor(self.folder / "monitor.socket")

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

    def switch_on(self, snapshot: str = "") -> None:
        """Start it, or go on from a snapshot; the console from here on is what is looked at."""
        self.storage.prepare()
        self._seen_bytes = self.console_log.stat().st_size
        paused = ["-S"] if snapshot else []
        with (self.folder / "qemu.log").open("ab") as log:
            self._running = subprocess.Popen(
                self._command(Console.FOLDER, paused),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if snapshot:
            self._await_monitor()
            self.restore(snapshot)

    def cut_power(self) -> None:
        """End it at once, as a power cut does; its TPM too."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def press_power_button(self, seconds: float) -> None:
        """Ask it to shut down, and wait until it is off."""
        self.monitor.ask("system_powerdown")
        self.wait_until_off(seconds)

    def wait_until_off(self, seconds: float) -> None:
        """Wait until it has switched itself off.

        Raises: MachineError if it does not in time.
        """
        if self._running is not None:
            try:
                self._running.wait(seconds)
            except subprocess.TimeoutExpired:
                raise self._failure(f"not switched off within {seconds:.0f} s") from None
            self._running = None

    def save(self, snapshot: str) -> None:
        """Keep its whole state under a name: memory, devices, TPM, disk and firmware variables."""
        self.monitor.run_job("snapshot-save", _of_snapshot(snapshot), _SNAPSHOT_SECONDS)

    def restore(self, snapshot: str) -> None:
        """Go on from a state that was kept, in seconds; its console is looked at from here on."""
        self.monitor.ask("stop")
        self.monitor.run_job("snapshot-load", _of_snapshot(snapshot), _SNAPSHOT_SECONDS)
        self._seen_bytes = self.console_log.stat().st_size
        self.monitor.ask("cont")

    def read_used_bytes(self) -> int:
        """Return how much of its memory is not available to programs, by its balloon driver."""
        self.monitor.ask("qom-set", {**_BALLOON, "property": _POLLED, "value": 1})
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            said = self.monitor.ask("qom-get", {**_BALLOON, "property": "guest-stats"})
            if isinstance(said, dict) and said["last-update"]:
                available: int = said["stats"]["stat-available-memory"]
                return self.hardware.memory_mib * 2**20 - available
            time.sleep(_POLL_SECONDS)
        raise self._failure("its balloon driver says nothing")

    def plug_in(self, stick: str) -> None:
        """Plug a USB stick in: a file of its folder, read and written in place."""
        file = {"driver": "file", "filename": str(FOLDER / stick)}
        self.monitor.ask("blockdev-add", {"driver": "raw", "node-name": _STICK, "file": file})
        given = {"driver": "usb-storage", "bus": "usb.0", "id": _STICK, "drive": _STICK}
        self.monitor.ask("device_add", given)

    def type(self, text: str) -> None:
        """Type on the serial console; return when the machine's port has taken all of it."""
        type_on(self.folder / "console.socket", text)

    def console(self) -> str:
        """Return what the serial console has said since the machine was switched on or restored."""
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
            self._require_running(what)
            if time.monotonic() > end:
                raise self._failure(f"no {what} within {seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def wait_for_text(self, text: str, seconds: float) -> str:
        """Wait until the console has said a text; return the console."""
        return self.wait_for(lambda said: text in said, f'"{text}" on the console', seconds)

    def run_in_foreground(self) -> int:
        """Run it with the console on this terminal; return QEMU's exit status."""
        self.storage.prepare()
        ran = subprocess.run(self._command(Console.TERMINAL), check=False)
        return ran.returncode

    def _places(self) -> list[Place]:
        seen = self.storage.places()
        for network in self.hardware.networks:
            if not isinstance(network, Router):
                seen.append(Place(outside=network.folder.resolve(), inside=network.inside))
        return seen

    def _command(self, console: Console, more: Sequence[str] = ()) -> list[str]:
        settings = {
            "DISK_GIB": str(DISK_GIB),
            "VARIABLES": str(self.hardware.firmware.variables),
        }
        words = [*self.hardware.words(self.storage.number, console), *more]
        script = str(FOLDER.with_name("machine.sh"))
        return self._tools.command(["bash", script, *words], self._places(), settings)

    def _await_monitor(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while True:
            self._require_running("its monitor answered")
            try:
                self.monitor.ask("query-status")
            except MachineError:
                if time.monotonic() > end:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _require_running(self, what: str) -> None:
        if self._running is None or self._running.poll() is not None:
            raise self._failure(f"the machine stopped before {what}")

    def _failure(self, cause: str) -> MachineError:
        last = "\n  ".join(self.console().splitlines()[-_SHOWN_LINES:])
        said = (self.folder / "qemu.log").read_text(errors="replace").strip()[-1000:]
        return MachineError(
            f"{cause}; its console ends with:\n  {last}\n{said}",
            f"the whole console is in {self.console_log}",
        )


def _of_snapshot(name: str) -> Mapping[str, object]:
    return {"tag": name, "vmstate": "disk", "devices": ["disk", "variables"]}


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
    router = Router(forwards={port: port for port in SERVED_PORTS})
    machine = Machine(find_tools(), find_disk(), folder, Hardware(networks=(router,)))
    status = machine.run_in_foreground()
    if status != 0:
        ports = ", ".join(str(port) for port in SERVED_PORTS)
        raise MachineError(
            f"QEMU ended with status {status}", f"is one of the ports {ports} here in use?"
        )
