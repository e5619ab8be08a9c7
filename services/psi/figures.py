"""The figures that psi.sum releases: from words that parties have revealed to a small table."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from services.psi.sum_terms import parameters_of
from services.service import Column, Figures, Terms

Words = NDArray[np.uint64]
"""Numbers modulo 2^64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What a party is released. values and totals: of each column, None if it is not released."""

    matches: int
    values: tuple[int | None, ...]
    totals: tuple[int | None, ...]


def signed(words: Words) -> NDArray[np.int64]:
    """Return the numbers from -2^63 on that words stand for."""
    return np.ascontiguousarray(words).view(np.int64)


def spread(is_enough: NDArray[np.bool_], matches: int, released: Words) -> Sums:
    """Return the figures in the columns' order, from the sums and counts of the released ones."""
    places = np.flatnonzero(is_enough).tolist()
    numbers = signed(released).reshape(2, -1).tolist()
    totals, values = (dict(zip(places, one, strict=True)) for one in numbers)
    return Sums(
        matches=matches,
        values=tuple(values.get(place) for place in range(len(is_enough))),
        totals=tuple(totals.get(place) for place in range(len(is_enough))),
    )


def figures_of(terms: Terms, found: Sums | None) -> Figures:
    """Return the output: a row for each column, or none if too few keys match."""
    parameters = parameters_of(terms)
    columns = (
        Column(name="column", type="VARCHAR"),
        Column(name="matches", type="BIGINT"),
        Column(name="values", type="BIGINT"),
        Column(name="sum", type=f"DECIMAL(38,{parameters.digits})"),
        Column(name="mean", type="DOUBLE"),
    )
    if found is None:
        return Figures(columns=columns, rows=())
    rows = [
        (name, found.matches, *summed(values, total, parameters.digits))
        for name, values, total in zip(parameters.columns, found.values, found.totals, strict=True)
    ]
    return Figures(columns=columns, rows=tuple(rows))


def summed(
    values: int | None, total: int | None, digits: int
) -> tuple[int | None, str | None, float | None]:
    """Return a column's count, sum and mean; nothing if it is not released."""
    if values is None or total is None:
        return None, None, None
    exact = Decimal(total).scaleb(-digits)
    return values, f"{exact:f}", float(exact / values) if values > 0 else None
