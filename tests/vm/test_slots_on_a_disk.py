"""Real systemd-sysupdate on a real partition table: whole, and killed at moments of its work.

No machine is started: the disk is a file behind a loop device, the boot partition a folder.
"""

import io
import os
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from appliance.updates.gpt import find_disk, read_partitions
from appliance.updates.install import SYSUPDATE, Installation
from appliance.updates.programs import run_program
from appliance.updates.record import Record
from appliance.updates.states import UpdateState
from image import vm
from image.places import DEFINITION
from image.toolchain import Place, Toolchain
from services.errors import ServiceError
from tests.unit.update_doubles import (
    NEW,
    NEWEST,
    RUNNING,
    SCHEMAS,
    PowerCut,
    here,
    release,
    show_mapping,
    trust,
    write_bundle,
)

TRANSFERS = DEFINITION / "mkosi.extra/usr/lib"
PARTITIONS = (
    ("_sig", "E7BB33FB-06CF-4E81-8273-E543B413E2E2", "16KiB"),
    ("_verity", "77FF5F63-E7B6-4633-ACF4-1565B864C0E6", "1MiB"),
    ("", "8484680C-9521-48C6-9C11-B0720656F69E", "8MiB"),
)
KILLS = 20


@dataclass(frozen=True)
class Machine:
    """A disk whose slot A runs. kill_after: seconds after which a program of it loses its power."""

    root: Path
    tools: Toolchain
    kill_after: float | None = None

    def run(self, *words: str, seconds: float) -> str:
        kind = "start" if "--component=start" in words else "sysupdate"
        asked = [word for word in words[1:] if word != "--component=start"]
        words = (SYSUPDATE, f"--definitions=/defined/{kind}", *asked)
        seen = (
            Place(outside=self.root / "defined", inside=Path("/defined")),
            Place(outside=self.root / "var/lib/coffer-updates", inside=Path("/staged-of-test")),
            Place(outside=self.root / "boot", inside=Path("/boot-of-test")),
        )
        command = self.tools.command(words, seen, {})
        if self.kill_after is None:
            return run_program(*command, seconds=seconds)
        begun = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            begun.wait(self.kill_after)
        except subprocess.TimeoutExpired:
            begun.kill()
            begun.wait()
            raise PowerCut from None
        return ""

    def installation(self) -> Installation:
        return Installation(
            trust=trust(), here=here(), schemas=SCHEMAS, run=self.run, root=self.root
        )

    def label(self, name: str) -> bytes:
        with find_disk(self.root).open("rb") as disk:
            found = read_partitions(disk)[name]
            disk.seek(found.start)
            return disk.read(found.size)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    tools, root = vm.find_tools(), tmp_path / "root"
    for place in ("var/lib/coffer-updates", "boot/EFI/Linux", "dev", "defined"):
        (root / place).mkdir(parents=True)
    image = tmp_path / "disk.raw"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    table = ["label: gpt"]
    for is_running in (True, False):
        for ending, kind, size in PARTITIONS:
            label = f"coffer_{RUNNING}{ending}" if is_running else "_empty"
            table.append(f'size={size}, type={kind}, name="{label}"')
    folder_seen = Place(outside=tmp_path, inside=Path("/disk"))
    words = tools.command(["sfdisk", "--quiet", "/disk/disk.raw"], (folder_seen,), {})
    subprocess.run(words, input="\n".join(table), text=True, check=True)
    loop = subprocess.run(
        ["losetup", "--find", "--show", "--partscan", image],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    try:
        show_mapping(root)
        (root / "dev/vda").symlink_to(loop)
        for kind in ("sysupdate", "start"):
            folder = root / "defined" / kind
            folder.mkdir()
            name = "sysupdate.d" if kind == "sysupdate" else "sysupdate.start.d"
            for transfer in (TRANSFERS / name).iterdir():
                text = transfer.read_text().replace("Path=auto", f"Path={loop}")
                text = text.replace("%A", RUNNING).replace("PathRelativeTo=boot\n", "")
                text = text.replace("=/EFI/Linux", "=/boot-of-test/EFI/Linux")
                text = text.replace("=/var/lib/coffer-updates/", "=/staged-of-test/")
                (folder / transfer.name).write_text(text)
        (root / "boot/EFI/Linux" / f"coffer_{RUNNING}.efi").write_bytes(b"kernel")
        with Path(loop).open("r+b") as disk:
            disk.seek(read_partitions(disk)[f"coffer_{RUNNING}"].start)
            disk.write(b"what runs")
        yield Machine(root, tools)
    finally:
        subprocess.run(["losetup", "--detach", loop], check=True)


def holds(machine: Machine, folder: Path, version: str) -> None:
    """Require that the other slot holds a release, whole, and is listed."""
    for name, ending in (("usr", ""), ("usr-verity", "_verity"), ("usr-verity-sig", "_sig")):
        made = release(folder, version)[name].read_bytes()
        assert machine.label(f"coffer_{version}{ending}")[: len(made)] == made
    listed = sorted(path.name for path in (machine.root / "boot/EFI/Linux").iterdir())
    assert listed == [f"coffer_{RUNNING}.efi", f"coffer_{version}+3-0.efi"]


def install(machine: Machine, bundle: Path) -> None:
    machine.installation().install(io.BytesIO(bundle.read_bytes()))


def test_sysupdate_fills_the_other_slot(machine: Machine, tmp_path: Path) -> None:
    install(machine, write_bundle(tmp_path))

    holds(machine, tmp_path / "parts", NEW)
    assert machine.label(f"coffer_{RUNNING}").startswith(b"what runs")


def test_one_that_waits_is_replaced_by_a_newer_one(machine: Machine, tmp_path: Path) -> None:
    install(machine, write_bundle(tmp_path, NEW))
    install(machine, write_bundle(tmp_path, NEWEST))

    holds(machine, tmp_path / "parts", NEWEST)


def test_the_same_one_can_be_installed_again(machine: Machine, tmp_path: Path) -> None:
    install(machine, write_bundle(tmp_path, NEW))
    install(machine, write_bundle(tmp_path, NEW))

    holds(machine, tmp_path / "parts", NEW)


def test_the_same_one_is_written_over_what_the_slot_has_by_its_name(
    machine: Machine, tmp_path: Path
) -> None:
    install(machine, write_bundle(tmp_path, NEW))
    with find_disk(machine.root).open("r+b") as disk:
        disk.seek(read_partitions(disk)[f"coffer_{NEW}_verity"].start)
        disk.write(b"something else")

    install(machine, write_bundle(tmp_path, NEW))

    holds(machine, tmp_path / "parts", NEW)


def test_killed_at_any_moment_what_runs_stays_and_a_second_try_succeeds(
    machine: Machine, tmp_path: Path
) -> None:
    bundles = [write_bundle(tmp_path, NEW), write_bundle(tmp_path, NEWEST)]
    began = time.monotonic()
    install(machine, bundles[0])
    whole = time.monotonic() - began
    seed = int(os.environ.get("COFFER_SEED", "4"))
    rng, cuts = random.Random(seed), 0  # noqa: S311 - moments of a test
    for attempt in range(KILLS):
        hurt = replace(machine, kill_after=rng.uniform(0.0, whole / 2))
        try:
            install(hurt, bundles[attempt % 2])
        except PowerCut:
            cuts += 1
        except ServiceError as error:
            pytest.fail(f"attempt {attempt} of seed {seed}: {error.what}")
        assert machine.label(f"coffer_{RUNNING}").startswith(b"what runs")
        assert (machine.root / "boot/EFI/Linux" / f"coffer_{RUNNING}.efi").exists()
        install(machine, bundles[attempt % 2])
        holds(machine, tmp_path / "parts", (NEW, NEWEST)[attempt % 2])
        update: Any = Record.read(machine.root).update
        assert update.state is UpdateState.READY
    assert cuts > KILLS // 4
