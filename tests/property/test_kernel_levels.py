"""The code paths of the kernels: those that the processor offers, and no other."""

import pytest

from services.kernels import cpu


def test_every_processor_offers_the_portable_path_first() -> None:
    assert cpu.levels()[0] == "portable"


def test_every_path_that_is_offered_can_be_taken() -> None:
    for level in cpu.levels():
        cpu.use_level(level)


@pytest.mark.parametrize("name", ["", "sse9", "AVX2"])
def test_a_path_that_is_not_offered_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="does not offer"):
        cpu.use_level(name)
