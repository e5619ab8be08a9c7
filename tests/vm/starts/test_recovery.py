"""A disk whose machine was lost: in another one the recovery key opens it, by the console alone."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from image.hardware import Hardware
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.screen import is_settled_again, lines, seen, shown
from tests.vm.starts.test_console import ORDER_SECONDS, RECOVERY_KEY

START_SECONDS: Final = 900.0
OFF_SECONDS: Final = 300.0
SLOWED_SECONDS: Final = 6.0
WRONG_KEY: Final = "-".join(["cbdefghi"] * 8)


def test_the_recovery_key_binds_it_to_another_machine_with_its_identity(
    ready: Machine, tools: Toolchain, image: Path, tmp_path: Path
) -> None:
    ready.type("\x0c")
    seen(ready, "secure boot")
    node_id = shown(ready.console(), "node id")
    key = make_recovery_key(ready)
    ready.press_power_button(OFF_SECONDS)
    ready.storage.copy(tmp_path / "machine", with_tpm=False)

    with Machine(tools, image, tmp_path / "machine", Hardware(networks=())) as another:
        another.wait_for(lambda said: "NOT OPEN" in said, "locked /var", START_SECONDS)
        bind(another, WRONG_KEY, "error: this recovery key does not open the disk")
        time.sleep(SLOWED_SECONDS)
        bind(another, key, "is bound to this machine's TPM")
        before = len(another.console())
        another.type("3restart\r")
        another.wait_for(
            lambda said: is_settled_again(said, before), "running agent after it", START_SECONDS
        )
        another.type("\x0c")
        seen(another, "secure boot")

        assert shown(another.console(), "node id") == node_id
        assert shown(another.console(), "problems") == "none"


def make_recovery_key(machine: Machine) -> str:
    """Have the console make one; return it as it is shown."""
    machine.type("51")
    seen(machine, 'type "make" to make it:')
    machine.type("make\r")
    said = machine.wait_for(lambda said: any(keys_in(said)), "a recovery key", ORDER_SECONDS)
    machine.type("\r")
    (key,) = keys_in(said)
    return key


def keys_in(console: str) -> Iterator[str]:
    """Return the recovery keys on the screen."""
    return filter(RECOVERY_KEY.fullmatch, lines(console))


def bind(machine: Machine, key: str, outcome: str) -> None:
    """Type a recovery key on the console, and see what comes of it."""
    machine.type("52")
    seen(machine, "recovery key:")
    machine.type(f"{key}\r")
    seen(machine, 'type "bind" to bind it:')
    machine.type("bind\r")
    seen(machine, outcome, ORDER_SECONDS)
    machine.type("\r")
    seen(machine, "secure boot")
