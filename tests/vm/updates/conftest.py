"""One machine for all updates: those that it came back from do not spoil it for a good one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from image.toolchain import Toolchain
from tests.vm.conftest import FirstStart
from tests.vm.operators.operator import Box, administered


@pytest.fixture(scope="package")
def box(
    first_start: FirstStart, tools: Toolchain, image: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Box]:
    """A machine and its operator; it keeps what the tests before did."""
    with administered(first_start, tools, image, tmp_path_factory.mktemp("box")) as found:
        yield found
