"""The console as a unit: on its terminal alone, under a user of its own, and always there."""

import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client
from tests.console_terminal import Terminal
from tests.fleet.nodes import eventually
from tests.systemd.machine import BoxedNode, Machine

# Requests to the outer end of a pseudo-terminal, of asm-generic/ioctls.h.
UNLOCK_INNER = 0x40045431
NUMBER_OF_INNER = 0x80045430


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The unit on a pseudo-terminal of the machine's."""

    machine: Machine
    terminal: Terminal
    unit: str

    def pid(self) -> int:
        return int(self.machine.property(self.unit, "MainPID"))

    def status(self) -> dict[str, str]:
        """Return what the kernel says of the program."""
        text = self.machine.run("cat", f"/proc/{self.pid()}/status")
        return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


@pytest.fixture(scope="module")
def console(booted: Machine, box: BoxedNode) -> Iterator[Console]:
    """A console whose agent runs."""
    outer = os.open(booted.files / "dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(outer, UNLOCK_INNER, struct.pack("i", 0))
    (number,) = struct.unpack("i", fcntl.ioctl(outer, NUMBER_OF_INNER, bytes(4)))
    unit = f"coffer-console@pts-{number}.service"
    booted.run("systemctl", "start", unit)
    yield Console(machine=booted, terminal=Terminal(outer), unit=unit)
    booted.run("systemctl", "stop", unit)
    os.close(outer)


def test_it_shows_what_systemd_says_of_the_units(console: Console) -> None:
    lines = console.terminal.wait_for("coffer       active")

    assert "nftables     unknown" in lines


def test_it_shows_who_the_node_is_and_how_it_is_set_up(console: Console, box: BoxedNode) -> None:
    console.terminal.wait_for(box.node.ShowNode(pb.ShowNodeRequest()).node_id)
    console.terminal.type(b"2show\r")

    told = console.terminal.wait_for("coffer remote add")

    with Client(box.state) as client:
        code = client.show_set_up_code().words
    assert f"    {code}" in told
    assert code not in console.machine.journal()
    console.terminal.type(b"\r")


def test_no_key_ends_it(console: Console) -> None:
    before = console.pid()
    console.terminal.type(b"\x03\x1a\x1c\x04\x13\x11\x1b[c3")
    console.terminal.wait_for('type "restart" to restart:')
    console.terminal.type(b"\x1b")

    console.terminal.wait_for("secure boot")
    assert console.pid() == before


def test_it_has_a_terminal_and_next_to_nothing_else(console: Console) -> None:
    status = console.status()

    assert status["Uid"].split()[0] != "0"
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    inside = ("nsenter", f"--target={console.pid()}", "--mount", "--")
    assert "tty1" not in console.machine.run(*inside, "ls", "/dev")
    groups = console.machine.run("id", "-nG", "coffer-console").split()
    assert sorted(groups) == ["coffer", "coffer-console", "coffer-machine"]


def test_it_comes_back_when_it_is_killed(console: Console) -> None:
    before = console.pid()
    console.machine.send_signal(console.unit, "KILL")

    eventually(lambda: console.pid() not in (0, before))
    console.terminal.type(b"\x0c")
    console.terminal.wait_for("secure boot")


def test_where_there_is_no_such_terminal_it_does_not_start(booted: Machine) -> None:
    booted.run("systemctl", "start", "coffer-console@ttyS99.service")

    assert booted.property("coffer-console@ttyS99.service", "ConditionResult") == "no"
