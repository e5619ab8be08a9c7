"""Installs a bundle into the slot that does not run, step by step.

The power may go after each step: until the last but one, all that starts is what runs now.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from appliance.updates import slots
from appliance.updates.bundle import Source, copy_parts, read_manifest
from appliance.updates.errors import Cancelled, InstallFailed
from appliance.updates.gpt import find_disk, read_partitions
from appliance.updates.manifest import Manifest, Part
from appliance.updates.record import (
    FOLDER,
    Record,
    Update,
    keep_change,
    keep_event,
    sync_folder,
)
from appliance.updates.rules import Here, require_fit
from appliance.updates.staged import PARTIAL, STAGED, clear, staged_name
from appliance.updates.startable import require_startable
from appliance.updates.states import UpdateEvent, UpdateState
from appliance.updates.trust import Trust
from services.errors import ServiceError

SYSUPDATE: Final = "/usr/lib/systemd/systemd-sysupdate"
WRITE_SECONDS: Final = 3600.0
LABELS: Final = {"usr-verity-sig": "_sig", "usr-verity": "_verity", "usr": ""}
"""What follows the version in the label of each partition."""
_TELL_SECONDS: Final = 1.0
_PIECE_BYTES: Final = 1 << 20
# What the staged parts leave free of /var, for the node's own writes.
_SPARE_BYTES: Final = 256 << 20


class Run(Protocol):
    """Runs one of the system's programs, and returns what it prints."""

    def __call__(self, *words: str, seconds: float) -> str:
        """Run it. Raises: ProgramFailed, with the last thing that it said; other ServiceErrors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What an installation is done with. schemas: that the running release reads.

    root: where the machine's files begin, elsewhere only in tests.
    """

    trust: Trust
    here: Here
    schemas: tuple[str, ...]
    run: Run
    root: Path = Path("/")
    clock: Callable[[], float] = time.monotonic

    def install(self, bundle: AbstractContextManager[Source]) -> None:
        """Do all steps and keep how far it is; what fails is kept, and raised.

        bundle: opened, and let go of once all of it is here
        Raises: UpdateRefused, InstallFailed, Cancelled, ServiceError of a program that failed.
        """
        self._begin()
        try:
            with bundle as source:
                manifest = self._check(source)
            kernel = self.root / STAGED / staged_name(manifest.version, manifest.part("uki"))
            require_startable(kernel, self.root, self.run)
            self._write(manifest)
        except Cancelled:
            keep_event(self.root, UpdateEvent.CANCEL_ASKED)
            raise
        except ServiceError as error:
            keep_event(self.root, UpdateEvent.REFUSED, reason=error.what, remedy=error.remedy)
            raise
        except OSError as error:
            failed = InstallFailed(
                f"the update could not be stored ({error.strerror})",
                remedy="free space on the disk, or see its health in the log, and install again",
            )
            keep_event(self.root, UpdateEvent.REFUSED, reason=failed.what, remedy=failed.remedy)
            raise failed from error
        finally:
            clear(self.root)

    def _begin(self) -> None:
        record = Record.read(self.root)
        if slots.is_trial(self.root, self.here.version):
            raise InstallFailed(
                f"{self.here.version} has not passed its health check yet",
                remedy="wait until it has; the other slot is what it would fall back to",
            )
        if record.update and record.update.state is UpdateState.READY:
            slots.withdraw(self.root, self.here.version)
        began = Update(
            replaced=self.here.version,
            state=UpdateState.CHECKING,
            began=self.here.now,
        )
        reads = record.reads | {self.here.version: self.schemas}
        record.with_update(began).model_copy(update={"reads": reads}).write(self.root)
        clear(self.root)

    def _check(self, source: Source) -> Manifest:
        """Verify everything, and lay the parts out where sysupdate finds them."""
        manifest = read_manifest(source, self.trust)
        keep_change(self.root, version=manifest.version)
        floor = Record.read(self.root).floor
        require_fit(manifest, replace(self.here, floor=max(self.here.floor, floor)))
        self._require_room(manifest)
        partial = self.root / PARTIAL
        partial.mkdir(mode=0o700)
        told = [self.clock()]

        def tell(done: int, total: int) -> None:
            if self.clock() - told[0] >= _TELL_SECONDS or done == total:
                told[0] = self.clock()
                keep_change(self.root, done_bytes=done, total_bytes=total)

        @contextmanager
        def sink(part: Part) -> Iterator[BinaryIO]:
            with (partial / staged_name(manifest.version, part)).open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())

        copy_parts(source, manifest, sink, tell)
        sync_folder(partial)
        partial.rename(self.root / STAGED)
        sync_folder(self.root / FOLDER)
        return manifest

    def _write(self, manifest: Manifest) -> None:
        """Put the verified parts into the other slot, see that they are there, and list them."""
        keep_event(self.root, UpdateEvent.VERIFIED)
        slots.unlist_others(self.root, self.here.version)
        # Of a version that the other slot names, sysupdate writes nothing, whatever is in it.
        self.run(SYSUPDATE, "vacuum", "--instances-max=1", seconds=WRITE_SECONDS)
        self.run(SYSUPDATE, "update", manifest.version, seconds=WRITE_SECONDS)
        for name in LABELS:
            self._read_back(manifest.version, manifest.part(name))
        self.run(SYSUPDATE, "--component=start", "update", manifest.version, seconds=WRITE_SECONDS)
        found = [one for one in slots.find_kernels(self.root) if one.version == manifest.version]
        if not found:
            raise InstallFailed(
                "the kernel image is not in the boot partition", remedy="install it again"
            )
        keep_event(self.root, UpdateEvent.WRITTEN)
        record = Record.read(self.root)
        now = {
            "slots": slots.read_slots(self.root, self.here.version),
            "reads": record.reads | {manifest.version: manifest.schemas},
        }
        record.model_copy(update=now).write(self.root)

    def _read_back(self, version: str, part: Part) -> None:
        """Return if the slot holds what was signed, read from the disk anew."""
        label = f"coffer_{version}{LABELS[part.name]}"
        wrong = InstallFailed(
            f"the slot does not hold the part {part.name} as it was written",
            remedy="see the disk's health in the log, then install it again",
        )
        with find_disk(self.root).open("rb") as disk:
            os.fsync(disk.fileno())
            os.posix_fadvise(disk.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            slot = read_partitions(disk).get(label)
            if slot is None or slot.size < part.size_bytes:
                raise wrong
            disk.seek(slot.start)
            digest = hashlib.sha256()
            for piece in _pieces(disk, part.stored_bytes):
                digest.update(piece)
            is_rest_empty = not any(
                any(piece) for piece in _pieces(disk, part.size_bytes - part.stored_bytes)
            )
        if digest.hexdigest() != part.sha256 or not is_rest_empty:
            raise wrong

    def _require_room(self, manifest: Manifest) -> None:
        free = shutil.disk_usage(self.root / FOLDER).free
        needed = sum(part.stored_bytes for part in manifest.parts) + _SPARE_BYTES
        if free < needed:
            raise InstallFailed(
                f"the update takes {needed >> 20} MiB, and {free >> 20} MiB are free",
                remedy="remove datasets or results, then install it again",
            )


def _pieces(file: BinaryIO, count: int) -> Iterator[bytes]:
    while count and (piece := file.read(min(count, _PIECE_BYTES))):
        yield piece
        count -= len(piece)
