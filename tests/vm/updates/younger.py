"""A build that is younger than the image that is tested, made from the same tree."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from appliance.updates.bundle import read_manifest
from appliance.updates.manifest import Manifest
from appliance.updates.trust import Trust
from image import bundle as writer
from image import keys, places


def build_later(version: str, folder: Path) -> Path:
    """Build this tree once more, as if it had been written a minute later; return the bundle."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=places.TREE, capture_output=True, check=True, text=True
    )
    for name in listed.stdout.split("\0")[:-1]:
        if (places.TREE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(places.TREE / name, folder / name)
    written = datetime.strptime(version, "%Y%m%d.%H%M%S").replace(tzinfo=UTC)
    later = os.environ | {"SOURCE_DATE_EPOCH": str(int(written.timestamp()) + 60)}
    words = [sys.executable, "-m", "image", "build", "--quick"]
    subprocess.run(words, cwd=folder, env=later, check=True)
    return next((folder / "image/out").glob("coffer_*.bundle"))


def manifest_of(bundle: Path) -> Manifest:
    trust = Trust.parse(writer.trusted(keys.read(places.keys())))
    with bundle.open("rb") as file:
        return read_manifest(file, trust)
