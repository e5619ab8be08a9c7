"""What of the machine answers on its network, by both families: the listed ports, and no other."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from image.hardware import Router, Segment
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.conftest import READY, FirstStart
from tests.vm.network.neighbour import Neighbour, Target
from tests.vm.network.packets import Answer, link_address
from tests.vm.network.scans import SCANS, TCP_OVER_IPV4, TCP_OVER_IPV6, Scan

# From the router of the first start; what goes on from the snapshot still has it.
ADDRESS = IPv4Address("10.0.2.15")
SEEN_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What one scan found. was_there: whether the machine answered pings before and after."""

    scan: Scan
    answers: dict[int, Answer]
    was_there: tuple[bool, bool]

    @property
    def listening(self) -> set[int]:
        """The ports where somebody listens."""
        return {port for port, answer in self.answers.items() if answer is Answer.LISTENS}


@pytest.fixture(scope="module")
def street(
    first_start: FirstStart, image: Path, tools: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Neighbour, dict[int, Target]]]:
    """A neighbour of the machine as its first start left it, and its address of each family."""
    folder = tmp_path_factory.mktemp("segment")
    here, there = folder / "neighbour", folder / "machine"
    segment = Segment(here=there, there=here)
    first_start.copy(folder / "copy", with_tpm=True)
    networks = (segment, Router(has_card=False))
    hardware = replace(first_start.machine.hardware, networks=networks)
    machine = Machine(tools, image, folder / "copy", hardware)
    with Neighbour(here, there) as neighbour:
        machine.switch_on(READY)
        found = neighbour.find(ADDRESS, SEEN_SECONDS)
        near = neighbour.find(link_address(found.mac), SEEN_SECONDS)
        yield neighbour, {4: found, 6: near}
    machine.cut_power()


@pytest.fixture(scope="module", params=SCANS, ids=str)
def scanned(request: pytest.FixtureRequest, street: tuple[Neighbour, dict[int, Target]]) -> Scanned:
    """What a scan of all ports found."""
    scan: Scan = request.param
    neighbour, addresses = street
    target = addresses[scan.version]
    before = neighbour.is_there(target, SEEN_SECONDS)
    answers = scan.run(neighbour, target)
    after = neighbour.is_there(target, SEEN_SECONDS)
    return Scanned(scan=scan, answers=answers, was_there=(before, after))


def test_what_listens_is_listed(scanned: Scanned) -> None:
    assert scanned.listening <= scanned.scan.listed("set-up")
    if scanned.scan is TCP_OVER_IPV4:
        assert 7443 in scanned.listening


def test_all_else_does_not_answer_at_all(scanned: Scanned) -> None:
    assert set(scanned.answers) <= scanned.scan.let_through()


def test_the_machine_could_have_answered(scanned: Scanned) -> None:
    assert scanned.was_there == (True, True)
    if scanned.scan is TCP_OVER_IPV6:
        assert 7443 in scanned.answers  # let through, though the agent listens by IPv4 alone
