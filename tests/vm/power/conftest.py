"""How the power cuts of a run are shared out: each file has its turn, and a seed for each cut."""

from typing import Final

import pytest

TURNS: Final = 3


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test of this folder the seeds of its file's turn."""
    if "seed" in metafunc.fixturenames:
        cuts: int = metafunc.config.getoption("--cuts")
        metafunc.parametrize("seed", range(metafunc.module.TURN, cuts, TURNS))
