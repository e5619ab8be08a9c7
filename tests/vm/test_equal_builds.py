"""A build elsewhere, at another time and on one core, is equal before keys touch it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from image import compare, places
from image.toolchain import Toolchain
from tests.vm.builds import build_copy


@pytest.fixture
def one_core() -> Iterator[None]:
    """Have all that is started meanwhile run on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_core")
def test_a_build_elsewhere_on_one_core_is_equal(
    image: Path, tools: Toolchain, tmp_path: Path
) -> None:
    ours = compare.read_output(places.UNSIGNED)
    made = build_copy(ours.version, tmp_path / "another path", words=["--unsigned"])

    theirs = compare.read_output(made / "unsigned")

    assert ours.version == image.stem.removeprefix("coffer_")
    assert [str(one) for one in compare.compare(ours, theirs, tools)] == []
