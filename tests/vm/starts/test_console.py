"""The machine's own screen, by its serial port: keys that do something, and many that must not."""

import re

import pytest

from image.vm import Machine
from tests.vm.screen import seen

ORDER_SECONDS = 420.0
RECOVERY_KEY = re.compile(r"[cbdefghijklnrtuv]{8}(-[cbdefghijklnrtuv]{8}){7}")


@pytest.fixture
def console(ready: Machine) -> Machine:
    """The machine with its status drawn anew."""
    ready.type("\x0c")
    seen(ready, "secure boot")
    return ready


def test_what_signals_a_shell_elsewhere_does_nothing(console: Machine) -> None:
    console.type("\x03\x1a\x1c\x04\x1b[5n\x1b]52;c;?\x07\x1b[24~\x00\x11\x13")
    console.type("3`id`\r")

    shown = seen(console, "error: type")

    assert 'error: type "restart" to restart, or press Esc' in shown
    assert "uid=" not in console.console()
    console.type("\x1b")
    seen(console, "secure boot")


def test_a_wrong_serial_number_erases_nothing_and_the_next_waits(console: Machine) -> None:
    console.type("4")
    seen(console, "the machine's serial number:")
    console.type("WRONG\r")
    seen(console, 'type "erase everything"')
    console.type("erase everything\r")

    shown = seen(console, "error: ", ORDER_SECONDS)

    assert "error: this is not the serial number of this machine" in shown
    console.type("\r4")
    seen(console, "factory reset: wait ")


def test_a_recovery_key_is_made_and_shown_once(console: Machine) -> None:
    console.type("51")
    seen(console, 'type "make" to make it:')
    console.type("make\r")

    shown = seen(console, "It is not shown again", ORDER_SECONDS)

    assert any(RECOVERY_KEY.fullmatch(line) for line in shown)
    console.type("\r")
    assert not any(RECOVERY_KEY.search(line) for line in seen(console, "secure boot"))
