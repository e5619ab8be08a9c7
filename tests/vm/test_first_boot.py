"""What the first start of a new machine shows on its console, and the starts that follow."""

import re
import socket

import pytest

from firmware.boot.accepted import parse_accepted
from image import vm
from image.vm import Machine

START_SECONDS = 600.0
SETTLED_SECONDS = 120.0


def shown(console: str, name: str) -> str:
    """Return what the last status screen says of something."""
    line = rf"(?:^|: ){re.escape(name)} +(.*)$"  # the console puts the program's name before it
    found = re.findall(line, console.replace("\r", ""), re.MULTILINE)
    assert found, f"no status screen names {name}"
    return str(found[-1])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("secure boot", "enabled; lockdown integrity"),
        ("/usr", "erofs on /dev/mapper/usr, verity"),
        ("/var", "ext4 on /dev/mapper/var, encrypted"),
        ("coffer", "active"),
        ("prometheus", "active"),
        ("prometheus-node-exporter", "active"),
        ("nftables", "active"),
        ("problems", "none"),
    ],
)
def test_the_status_screen_says(started: Machine, name: str, says: str) -> None:
    assert shown(started.console(), name) == says


def test_the_tpm_holds_what_the_build_predicted(started: Machine) -> None:
    accepted = parse_accepted(vm.find_disk().with_suffix(".pcrs.json").read_bytes())

    said = started.wait_for_text(accepted.pcrs[11], SETTLED_SECONDS)

    assert {pcr: shown(said, f"PCR {pcr}") for pcr in accepted.pcrs} == accepted.pcrs


def test_nobody_is_asked_to_log_in(started: Machine) -> None:
    said = started.console()

    assert "login:" not in said
    assert "Password" not in said
    assert "# " not in said.splitlines()[-1]


def test_the_agent_answers_the_host(started: Machine) -> None:
    with socket.create_connection(("127.0.0.1", started.hardware.port), timeout=30):
        pass


def test_a_second_start_finds_what_the_first_made(started: Machine) -> None:
    started.cut_power()
    started.switch_on()

    said = started.wait_for_text("coffer       active", START_SECONDS)

    assert shown(said, "/var") == "ext4 on /dev/mapper/var, encrypted"
    assert "Populating" not in said
