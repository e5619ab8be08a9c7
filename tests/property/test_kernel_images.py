"""Equality of short strings, against a dictionary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.kernels.images import match
from tests.doubles import Seeded

rows = st.lists(st.binary(min_size=10, max_size=10), max_size=40)


@given(left=rows, right=rows, shared=rows)
def test_places_are_those_that_a_dictionary_tells(
    left: list[bytes], right: list[bytes], shared: list[bytes]
) -> None:
    ours = list(dict.fromkeys(left + shared))
    theirs = right + shared
    place = {row: number for number, row in enumerate(ours)}

    found = match(_column(ours), _column(theirs))

    assert found.tolist() == [place.get(row, -1) for row in theirs]


def test_rows_that_share_their_first_bytes_are_told_apart() -> None:
    ours = [bytes(8) + bytes([number, 0]) for number in range(50)]

    assert match(_column(ours), _column(ours[::-1])).tolist() == list(range(50))[::-1]


@pytest.mark.parametrize("widths", [(10, 9), (7, 7)])
def test_columns_that_do_not_fit_are_refused(widths: tuple[int, int]) -> None:
    left, right = (np.zeros((1, width), np.uint8) for width in widths)
    with pytest.raises(ValueError, match=r"bytes|columns"):
        match(left, right)


def test_a_hundred_thousand_images_are_found_again() -> None:
    ours = np.frombuffer(Seeded(1).draw(1_000_000), np.uint8).reshape(-1, 10)
    theirs = np.frombuffer(Seeded(2).draw(500_000), np.uint8).reshape(-1, 10)

    found = match(ours, np.concatenate((ours[::-1], theirs)))

    assert np.array_equal(found[:100_000], np.arange(100_000)[::-1])
    assert np.all(found[100_000:] == -1)


def _column(words: list[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(words), np.uint8).reshape(-1, 10)
