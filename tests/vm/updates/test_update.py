"""An operator sends a newer version's bundle; the machine starts it, and finds it well."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.vm.operators.operator import Box, Operator
from tests.vm.updates.manifests import manifest_of

START_SECONDS: Final = 1200.0


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


def test_a_newer_version_runs_from_the_other_slot_and_is_found_well(box: Box, newer: Path) -> None:
    operator = box.operator
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
