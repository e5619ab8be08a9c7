"""Whatever is wrong with a signed update, the machine runs the version before, and says why.

What firmware itself would refuse is refused before it is installed: no boot loader would go back.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from image.toolchain import Toolchain
from tests.vm.disks import make_stick
from tests.vm.operators.operator import Box, Operator
from tests.vm.updates.breaking import Parts, broken
from tests.vm.updates.manifests import manifest_of

FALL_SECONDS: Final = 4800.0  # three tries, each with all the time that a slow start is given
POLL_SECONDS: Final = 10.0


def spoil_the_system(parts: Parts) -> None:
    parts.spoil("usr")


def spoil_its_hashes(parts: Parts) -> None:
    parts.spoil("usr-verity")


def leave_the_kernel_image_unsigned(parts: Parts) -> None:
    parts.files["uki"].write_bytes(parts.unsigned.read_bytes())


def have_the_kernel_find_no_first_program(parts: Parts) -> None:
    parts.say_to_kernel("rdinit=/nowhere")


def have_the_first_program_of_the_system_end_at_once(parts: Parts) -> None:
    # Unlike the one above, after the initrd has opened /usr: the kernel panics as process 1 ends.
    parts.say_to_kernel("init=/usr/bin/true")


def have_no_program_in_python_run(parts: Parts) -> None:
    parts.say_to_kernel("systemd.setenv=PYTHONHOME=/nowhere")


def have_the_agent_refuse_to_run(parts: Parts) -> None:
    parts.say_to_kernel("systemd.setenv=COFFER_CONFIG=/nowhere.toml")


def have_the_agent_abort_once_its_database_is_open(parts: Parts) -> None:
    # Unlike above, after the database was brought to the younger build's revision: gRPC aborts
    # whoever begins to use it, as the health check does too.
    parts.say_to_kernel("systemd.setenv=GRPC_POLL_STRATEGY=nowhere")


def test_a_version_that_the_other_slot_names_is_written_anew_from_a_usb_stick(
    box: Box, newer: Path, tools: Toolchain, tmp_path: Path
) -> None:
    machine, operator = box.machine, box.operator
    spoilt = broken(newer, spoil_its_hashes, tmp_path / "broken", tools)
    make_stick(machine.folder / "stick.raw", newer, tools)

    operator.run("--at", "box", "updates", "install", str(spoilt))
    machine.plug_in("stick.raw")
    operator.run("--at", "box", "updates", "install", "--stick")

    found: Any = operator.ask("box", "updates", "show")

    assert found["update"]["version"] == manifest_of(newer).version
    assert found["update"]["state"] == "ready"
    operator.run("--at", "box", "updates", "cancel")
    assert not operator.ask("box", "machine", "show").get("problems")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (spoil_the_system, "did not come as far"),
        (spoil_its_hashes, "did not come as far"),
        (have_the_kernel_find_no_first_program, "did not come as far"),
        (have_the_first_program_of_the_system_end_at_once, "did not come as far"),
        (have_no_program_in_python_run, "did not come as far"),
        (have_the_agent_refuse_to_run, "the agent does not answer"),
    ],
)
def test_the_version_before_runs_again(
    box: Box,
    change: Callable[[Parts], None],
    why: str,
    newer: Path,
    image: Path,
    tools: Toolchain,
    tmp_path: Path,
) -> None:
    fall(box, broken(newer, change, tmp_path / "broken", tools), newer, image, why)


def test_it_runs_again_with_the_database_that_the_update_had_changed(
    box: Box, newer: Path, image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    change = have_the_agent_abort_once_its_database_is_open
    sent = broken(newer, change, tmp_path / "broken", tools)

    fall(box, sent, newer, image, "did not come as far")

    logs = box.operator.run("--at", "box", "machine", "logs", "--unit", "coffer.service")
    assert "is set aside for the copy before it" in logs


def fall(box: Box, sent: Path, newer: Path, image: Path, why: str) -> None:
    """Have the machine try an update, and see it come back as it was, and say why."""
    operator = box.operator
    node = operator.ask("box", "node", "show")

    said = json.loads(
        operator.run("--at", "box", "updates", "install", str(sent), "--restart", "--json")
    )
    found = wait_for_the_fall(operator)

    assert said["update"]["state"] == "ready"
    assert found["version"] == image.stem.removeprefix("coffer_")
    assert found["update"]["version"] == manifest_of(newer).version
    assert why in found["update"]["reason"]
    assert operator.ask("box", "node", "show")["node_id"] == node["node_id"]
    assert not operator.ask("box", "machine", "show").get("problems")


def test_a_kernel_image_that_firmware_would_not_start_is_not_installed(
    box: Box, newer: Path, image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    operator = box.operator
    before: Any = operator.ask("box", "updates", "show")
    sent = broken(newer, leave_the_kernel_image_unsigned, tmp_path / "broken", tools)

    with pytest.raises(AssertionError, match="Secure Boot db"):
        operator.run("--at", "box", "updates", "install", str(sent), "--restart")

    found: Any = operator.ask("box", "updates", "show")
    assert found["version"] == image.stem.removeprefix("coffer_")
    assert found["slots"] == before["slots"]
    assert found["update"]["version"] == manifest_of(newer).version
    assert found["update"]["state"] == "failed"
    assert "Secure Boot db" in found["update"]["reason"]
    assert "signed with this machine's keys" in found["update"]["remedy"]
    assert not operator.ask("box", "machine", "show").get("problems")


def wait_for_the_fall(operator: Operator) -> Any:
    """Return what the machine says of its slots once it has gone back to the version before."""
    said: object = None
    deadline = time.monotonic() + FALL_SECONDS
    while time.monotonic() < deadline:
        try:
            said = found = operator.ask("box", "updates", "show")
        except AssertionError as error:  # while it is down, the command line says so and fails
            said = error
        else:
            update: Any = found["update"] or {}
            if update.get("state") == "fell_back":
                return found
            assert update.get("state") != "good", found
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"it has not gone back: {said}")
