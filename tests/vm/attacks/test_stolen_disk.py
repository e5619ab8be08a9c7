"""The disk in another machine: the image starts there, but /var stays locked and nothing runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from image.hardware import Hardware, Segment, card_address
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.conftest import FirstStart
from tests.vm.network.neighbour import Neighbour
from tests.vm.network.packets import Answer, link_address
from tests.vm.network.scans import SCANS, Scan
from tests.vm.screen import STOPPED, plain

START_SECONDS = 900.0
SEEN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A machine whose /var did not open. answers: of each port that did answer, by scan."""

    console: str
    answers: dict[Scan, dict[int, Answer]]


@pytest.fixture(scope="module")
def locked(
    first_start: FirstStart, image: Path, tools: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Locked]:
    """The thief's machine, where the start has stopped; a neighbour has tried all its ports."""
    folder = tmp_path_factory.mktemp("thief")
    here, there = folder / "neighbour", folder / "card"
    first_start.copy(folder / "machine", with_tpm=False)
    hardware = Hardware(networks=(Segment(here=there, there=here),))
    with Machine(tools, image, folder / "machine", hardware) as machine:
        said = plain(machine.wait_for_text(STOPPED, START_SECONDS))
        mac = card_address(machine.storage.number, 0)
        with Neighbour(here, there) as neighbour:
            yield Locked(console=said, answers=scan_all(neighbour, mac))


def scan_all(neighbour: Neighbour, mac: bytes) -> dict[Scan, dict[int, Answer]]:
    """Return what the machine answers: by IPv6, as there is nobody to give it an IPv4 address."""
    try:
        target = neighbour.find(link_address(mac), SEEN_SECONDS)
    except TimeoutError:  # its card is not even up
        return {}
    return {scan: scan.run(neighbour, target) for scan in SCANS if scan.version == 6}


def test_what_is_stored_is_readable_with_its_own_tpm_alone(locked: Locked) -> None:
    assert "Failed to start coffer-unlock-var.service" in locked.console
    assert "Mounted var.mount" not in locked.console
    assert "Starting coffer.service" not in locked.console


def test_nothing_listens_on_its_network_but_what_is_listed(locked: Locked) -> None:
    for scan, answers in locked.answers.items():
        listening = {port for port, answer in answers.items() if answer is Answer.LISTENS}

        assert listening <= scan.listed("locked"), scan
        assert set(answers) <= scan.let_through(), scan
