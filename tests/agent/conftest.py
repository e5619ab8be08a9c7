from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles import FakeAgent


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[FakeAgent]:
    made = FakeAgent(tmp_path)
    yield made
    made.stop()
