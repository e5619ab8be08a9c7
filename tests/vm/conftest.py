"""What the tests of the image share: one machine that has made its first start, kept by a snapshot.

A start takes minutes, a snapshot seconds; so most tests go on from where the first start ended.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from image import vm
from image.hardware import Hardware, Router
from image.toolchain import Toolchain
from image.vm import Machine
from tests.vm.builds import build_later
from tests.vm.screen import is_settled
from tests.vm.updates.manifests import manifest_of

FIRST_START_SECONDS = 1500.0
START_SECONDS = 900.0
READY = "ready"
PORTS = Router(forwards={17443: 7443, 17444: 7444, 17445: 7445, 17446: 7446})

# Where a card can be plugged in while the machine runs.
SLOTS = tuple(
    f"pcie-root-port,id=slot-{number},chassis={number},slot={number}" for number in (1, 2)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStart:
    """A machine after its first start, switched off; it can go on from the snapshot ``ready``.

    console: what it said in that start
    """

    machine: Machine
    console: str

    def copy(self, folder: Path, *, with_tpm: bool) -> None:
        """Make another machine's folder with what this one had stored when it was ready."""
        self.machine.storage.copy(folder, with_tpm=with_tpm)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let whoever writes tests spare himself the first start of each run."""
    parser.addoption(
        "--machine",
        type=Path,
        help="keep the machine of the first start in this folder, and take it from there",
    )
    parser.addoption(
        "--bundle",
        type=Path,
        help="the update bundle of a younger build; without it the tests of updates make one",
    )

    parser.addoption(
        "--cuts",
        type=int,
        default=5,
        help="how often the power is cut, at moments of first starts, updates and pairings in turn",
    )


@pytest.fixture(scope="session")
def newer(
    pytestconfig: pytest.Config, image: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The bundle of a build that is younger than the image's: the one named, or one made now."""
    version = image.stem.removeprefix("coffer_")
    named: Path | None = pytestconfig.getoption("--bundle")
    bundle = named or build_later(version, tmp_path_factory.mktemp("later"))
    assert manifest_of(bundle).version > version
    return bundle.resolve()


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    """The toolchain, with QEMU."""
    return vm.find_tools()


@pytest.fixture(scope="session")
def image() -> Path:
    """The disk image that is tested: the one built last."""
    return vm.find_disk()


@pytest.fixture(scope="session")
def first_start(
    tools: Toolchain,
    image: Path,
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> FirstStart:
    """A machine that has made its first start, by the shared way: until all in it runs."""
    kept: Path | None = pytestconfig.getoption("--machine")
    folder = kept or tmp_path_factory.mktemp("machine")
    machine = Machine(tools, image, folder.resolve(), Hardware(networks=(PORTS,), devices=SLOTS))
    said = folder / "first-start.txt"
    if not said.exists():
        begun = time.monotonic()
        with machine:
            text = machine.wait_for(is_settled, "running agent", FIRST_START_SECONDS)
            machine.save(READY)
        said.write_text(text)
        print(f"first start: {time.monotonic() - begun:.0f} s")
    return FirstStart(machine=machine, console=said.read_text())


@pytest.fixture
def ready(first_start: FirstStart) -> Iterator[Machine]:
    """That machine, on, as it was when its first start had ended."""
    first_start.machine.switch_on(READY)
    yield first_start.machine
    first_start.machine.cut_power()


@pytest.fixture
def started(
    first_start: FirstStart, tools: Toolchain, image: Path, tmp_path: Path
) -> Iterator[Machine]:
    """What the first start left, started anew."""
    with start_anew(first_start, tools, image, tmp_path / "machine") as machine:
        yield machine


@contextmanager
def start_anew(
    first_start: FirstStart, tools: Toolchain, image: Path, folder: Path
) -> Iterator[Machine]:
    """Start what the first start left: operators refuse a clock as late as a snapshot's."""
    first_start.copy(folder, with_tpm=True)
    with Machine(tools, image, folder, Hardware(networks=(PORTS,), devices=SLOTS)) as machine:
        machine.wait_for(is_settled, "running agent", START_SECONDS)
        yield machine
