"""What the first start of a new machine shows, and the starts that follow."""

import socket
from base64 import b64decode

import pytest

from firmware.boot.accepted import parse_accepted
from image import vm
from image.vm import Machine
from tests.vm.conftest import FirstStart
from tests.vm.disks import read_bindings
from tests.vm.screen import is_settled, shown

START_SECONDS = 900.0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("secure boot", "enabled; lockdown integrity"),
        ("/usr", "verity, read-only"),
        ("/var", "encrypted"),
        ("coffer", "active"),
        ("orders", "active"),
        ("prometheus", "active"),
        ("exporter", "active"),
        ("nftables", "active"),
        ("chrony", "active"),
        ("problems", "none"),
    ],
)
def test_the_status_screen_says(first_start: FirstStart, name: str, says: str) -> None:
    assert shown(first_start.console, name) == says


def test_the_tpm_holds_what_the_build_predicted(first_start: FirstStart) -> None:
    accepted = parse_accepted(vm.find_disk().with_suffix(".pcrs.json").read_bytes())

    seen = {pcr: shown(first_start.console, f"PCR {pcr}") for pcr in accepted.pcrs}

    assert seen == accepted.pcrs


def test_var_opens_with_signed_values_of_pcr_11_alone(first_start: FirstStart) -> None:
    bindings = read_bindings(first_start.machine.folder / "disk.qcow2")

    assert bindings
    for binding in bindings:
        assert binding["tpm2-pcrs"] == [7, 12]
        assert binding["tpm2_pubkey_pcrs"] == [11]
        assert b64decode(binding["tpm2_pubkey"]).startswith(b"-----BEGIN PUBLIC KEY-----")


def test_nobody_is_asked_to_log_in(first_start: FirstStart) -> None:
    said = first_start.console

    assert "login:" not in said
    assert "Password" not in said
    assert "# " not in said.splitlines()[-1]


def test_the_agent_answers_the_host(ready: Machine) -> None:
    with socket.create_connection(("127.0.0.1", 17443), timeout=30) as wire:
        wire.sendall(b"no TLS\r\n\r\n")

        assert wire.recv(1024)[:1] in (b"", b"\x15")  # it ends, or a TLS alert: somebody is there


def test_it_uses_little_memory(ready: Machine) -> None:
    assert ready.read_used_bytes() <= 400 * 2**20


def test_a_second_start_finds_what_the_first_made(first_start: FirstStart) -> None:
    with first_start.machine as machine:
        said = machine.wait_for(is_settled, "running agent", START_SECONDS)

    assert shown(said, "/var") == "encrypted"
    assert shown(said, "problems") == "none"
    for pcr in (4, 7, 11):
        assert shown(said, f"PCR {pcr}") == shown(first_start.console, f"PCR {pcr}")
