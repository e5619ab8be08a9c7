"""What of the machine answers on its network: the listed ports, and no other."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from image import places
from image.hardware import Router, Segment
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.conftest import READY, FirstStart
from tests.vm.network.neighbour import RST, SYN_ACK, Neighbour

# From the router of the first start; what goes on from the snapshot still has it.
ADDRESS = IPv4Address("10.0.2.15")
SEEN_SECONDS = 120.0
ATTEMPTS_A_SECOND = 1500
LISTED = tomllib.loads((places.DEFINITION / "network.toml").read_text())["listens"]


@pytest.fixture(scope="module")
def answered(
    first_start: FirstStart, image: Path, tools: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[int, int]]:
    """The flags with which each TCP port answered that did."""
    folder = tmp_path_factory.mktemp("segment")
    here, there = folder / "neighbour", folder / "machine"
    segment = Segment(here=there, there=here)
    first_start.copy(folder / "copy", with_tpm=True)
    networks = (segment, Router(has_card=False))
    hardware = replace(first_start.machine.hardware, networks=networks)
    machine = Machine(tools, image, folder / "copy", hardware)
    with Neighbour(here, there) as neighbour:
        machine.switch_on(READY)
        mac = neighbour.find(ADDRESS, SEEN_SECONDS)
        yield neighbour.answers(ADDRESS, mac, range(1, 65536), rate=ATTEMPTS_A_SECOND)
    machine.cut_power()


def test_what_listens_is_listed(answered: dict[int, int]) -> None:
    listening = {port for port, flags in answered.items() if flags == SYN_ACK}
    listed = {one["port"] for one in LISTED if "set-up" in one["states"]}

    assert 7443 in listening
    assert listening <= listed


def test_all_else_does_not_answer_at_all(answered: dict[int, int]) -> None:
    refused = {port for port, flags in answered.items() if flags & RST}

    assert refused <= {one["port"] for one in LISTED if one["protocol"] == "tcp"}
