"""Two machines, started once for all tests of a file; their ports are taken as long as they run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from image.toolchain import Toolchain
from tests.vm.conftest import FirstStart
from tests.vm.pairs.sites import Site, two_sites


@pytest.fixture(scope="module")
def sites(
    first_start: FirstStart, tools: Toolchain, image: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Site]]:
    """Two machines on one wire, with their names and addresses, not paired yet."""
    with two_sites(first_start, tools, image, tmp_path_factory.mktemp("sites")) as both:
        yield both
