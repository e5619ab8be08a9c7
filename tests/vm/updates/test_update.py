"""An operator sends a newer version's bundle; the machine starts it, and finds it well."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from appliance.updates.bundle import read_manifest
from appliance.updates.manifest import Manifest
from appliance.updates.trust import Trust
from image import bundle as writer
from image import keys, places
from image.vm import Machine
from tests.vm.operators.operator import Operator, read_code

START_SECONDS: Final = 600.0


@pytest.fixture(scope="session")
def newer(
    pytestconfig: pytest.Config, image: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The bundle of a build that is younger than the image's: the one named, or one made now."""
    version = image.stem.removeprefix("coffer_")
    named: Path | None = pytestconfig.getoption("--bundle")
    bundle = named or build_later(version, tmp_path_factory.mktemp("later"))
    assert manifest_of(bundle).version > version
    return bundle.resolve()


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


def wait_for(operator: Operator, version: str) -> Any:
    """Return what the machine says once this version runs and its update's fate is decided."""
    shown: Any
    deadline, shown = time.monotonic() + START_SECONDS, {}
    while time.monotonic() < deadline:
        with suppress(AssertionError):  # while it is down, the command line says so and fails
            shown = operator.ask("box", "updates", "show")
            is_decided = shown["update"]["state"] not in ("ready", "trying")
            if shown["version"] == version and is_decided:
                return shown
        time.sleep(5)
    pytest.fail(f"{version} does not run, or is not decided: {shown}")


def test_a_newer_version_runs_from_the_other_slot_and_is_found_well(
    ready: Machine, newer: Path, image: Path, tmp_path: Path
) -> None:
    operator = Operator(home=tmp_path)
    operator.enrol("box", port=17445, enrolment_port=17446, code=read_code(ready))
    before: Any = operator.ask("box", "updates", "show")
    node = operator.ask("box", "node", "show")
    version = manifest_of(newer).version

    said = json.loads(
        operator.run("--at", "box", "updates", "install", str(newer), "--restart", "--json")
    )
    assert said["update"]["state"] == "ready"
    after = wait_for(operator, version)

    assert (before["version"], after["version"]) == (said["version"], version)
    assert after["update"]["state"] == "good"
    assert after["floor"] == version
    assert operator.ask("box", "node", "show")["node_id"] == node["node_id"]
    assert operator.ask("box", "machine", "show")["var_is_encrypted"] is True
