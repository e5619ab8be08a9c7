"""Builds besides the one that is tested, each of a copy of this tree, in a folder of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from image import places

LATER_SECONDS: Final = 60


def build_copy(version: str, folder: Path, *, words: Sequence[str] = (), later: int = 0) -> Path:
    """Build a copy of this tree in a folder as if it had been written then; return what was made.

    version: of the build that is tested; words: of ``python -m image build``
    later: seconds after the time that the version is named for
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=places.TREE, capture_output=True, check=True, text=True
    )
    for name in listed.stdout.split("\0")[:-1]:
        if (places.TREE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(places.TREE / name, folder / name)
    written = datetime.strptime(version, "%Y%m%d.%H%M%S").replace(tzinfo=UTC)
    epoch = {"SOURCE_DATE_EPOCH": str(int(written.timestamp()) + later)}
    building = [sys.executable, "-m", "image", "build", *words]
    subprocess.run(building, cwd=folder, env=os.environ | epoch, check=True)
    return folder / "image/out"


def build_later(version: str, folder: Path) -> Path:
    """Build this tree once more, as if it had been written a minute later; return the bundle."""
    made = build_copy(version, folder, words=["--quick"], later=LATER_SECONDS)
    return next(made.glob("coffer_*.bundle"))
