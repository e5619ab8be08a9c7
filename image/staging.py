"""Lay out Coffer as files of the image: its programs, its units, its boot loader's settings."""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from image import bundle, places, wheels
from image.build import Build
from image.drivers import recipes
from image.drivers.workshop import Workshop
from image.signing import Signer
from image.wheels import Wheels

UNITS: Final = places.TREE / "appliance" / "units"
SITE: Final = Path("/usr/lib/coffer/site")
PROGRAMS: Final = {
    "coffer": "appliance.cli.__main__",
    "coffer-console": "appliance.console.terminal",
    "coffer-machine": "appliance.machine.helper",
    "coffer-machine-seal": "appliance.machine.seal",
    "coffer-health": "appliance.updates.health",
    "coffer-update": "appliance.updates.program",
    "coffer-worker": "appliance.agent.worker",
    "coffer-worker-end": "appliance.agent.worker_end",
}
_LAUNCHER: Final = """#!/usr/bin/python3 -sPB
import sys

from {module} import main

sys.exit(main())
"""
_LOADER: Final = """timeout 0
editor no
secure-boot-enroll force
"""


def lay_out(build: Build, signer: Signer | None) -> Wheels:
    """Fill the staged tree, in place of what was in it; return what goes in besides.

    signer: of the modules that the profiles add; without one the tree can only be looked at
    Raises: CommandFailed if Coffer's wheels cannot be built, or a key fails.
    """
    shutil.rmtree(build.staged, ignore_errors=True)
    build.staged.mkdir(parents=True)
    _lay_out_units(build.staged)
    _lay_out_programs(build.staged)
    _lay_out_loader(build.staged)
    (build.staged / "usr/lib/coffer").mkdir(parents=True, exist_ok=True)
    (build.staged / "usr/lib/coffer/update-keys.json").write_bytes(bundle.trusted(build.keys))
    _lay_out_drivers(build, signer)
    return wheels.build(build.toolchain, build.log)


def _lay_out_drivers(build: Build, signer: Signer | None) -> None:
    """Put the modules of the profiles where the image has modules, signed."""
    wanted = recipes.of_profiles(recipes.read(), build.profiles)
    if wanted:
        workshop = Workshop.of_lock(build.lock, build.archive, build.toolchain, build.log)
        workshop.install(wanted, build.staged, signer)


def settle(tree: Path, epoch_seconds: int) -> None:
    """Give all in a tree times and modes that do not depend on who checked it out, and when."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            is_open = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if is_open else 0o644)
        os.utime(path, (epoch_seconds, epoch_seconds), follow_symlinks=False)


def _lay_out_units(root: Path) -> None:
    places_of = {
        ".service": "usr/lib/systemd/system",
        ".socket": "usr/lib/systemd/system",
        ".timer": "usr/lib/systemd/system",
        ".sysusers": "usr/lib/sysusers.d",
        ".tmpfiles": "usr/lib/tmpfiles.d",
    }
    for unit in sorted(unit for unit in UNITS.iterdir() if unit.is_file()):
        folder = root / places_of[unit.suffix]
        folder.mkdir(parents=True, exist_ok=True)
        is_unit = unit.suffix in (".service", ".socket", ".timer")
        shutil.copyfile(unit, folder / (unit.name if is_unit else f"{unit.stem}.conf"))


def _lay_out_programs(root: Path) -> None:
    folder = root / "usr/bin"
    folder.mkdir(parents=True)
    for name, module in PROGRAMS.items():
        program = folder / name
        program.write_text(_LAUNCHER.format(module=module))
        program.chmod(0o755)
    paths = root / "usr/lib/python3/dist-packages/coffer.pth"
    paths.parent.mkdir(parents=True)
    paths.write_text(f"{SITE}\n")


def _lay_out_loader(root: Path) -> None:
    """Put the boot loader's settings into the boot partition; what has signatures comes later."""
    folder = root / "efi/loader"
    folder.mkdir(parents=True)
    (folder / "loader.conf").write_text(_LOADER)
