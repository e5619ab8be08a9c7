"""The demonstration's two tables: one clinical table, split by columns between two owners.

The data are the Wisconsin breast-cancer table that scikit-learn ships [SWM93]: 569 patients, a
diagnosis and thirty measurements. The hospital holds the diagnosis and the ten means of most
patients; the laboratory holds the other twenty columns of most, and writes ids in its own way.

[SWM93] Street, Wolberg, Mangasarian, "Nuclear feature extraction for breast tumor diagnosis", 1993.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.errors import ConfigError

KEY: Final = "patient_id"
NORMAL_FORM: Final = ("nfc", "trim", "lower")
_MEANS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The two files, and the patients that both hold, in normal form: the answer to be found."""

    hospital: Path
    laboratory: Path
    common: frozenset[str]


def write_tables(folder: Path) -> Tables:
    """Write both tables as CSV files and compute plainly which patients they share."""
    table = _load()
    names = [name.replace(" ", "_") for name in table.feature_names]
    ids = [f"P-{number:06}" for number in _numbers(len(table.data))]
    hospital = {i: ids[i] for i in range(len(ids)) if i % 8 != 3}
    laboratory = {i: _spelled(i, ids[i]) for i in reversed(range(len(ids))) if i % 6 != 1}

    tables = Tables(
        hospital=folder / "hospital.csv",
        laboratory=folder / "laboratory.csv",
        common=frozenset(ids[i].lower() for i in hospital.keys() & laboratory.keys()),
    )
    _write(
        tables.hospital,
        [KEY, "diagnosis", *names[:_MEANS]],
        (
            [key, table.target_names[table.target[i]], *table.data[i, :_MEANS]]
            for i, key in hospital.items()
        ),
    )
    _write(
        tables.laboratory,
        [KEY, *names[_MEANS:]],
        ([key, *table.data[i, _MEANS:]] for i, key in laboratory.items()),
    )
    return tables


def _load() -> Any:
    try:
        from sklearn.datasets import load_breast_cancer
    except ImportError:
        raise ConfigError(
            "scikit-learn, which ships the demonstration's data, is not installed",
            remedy='run "make demo", or: pip install "coffer[demo]"',
        ) from None
    return load_breast_cancer()


def _numbers(count: int) -> Iterable[int]:
    """Return ``count`` different numbers below a million, always the same, in no plain order."""
    return ((123_457 * step + 4_711) % 999_983 for step in range(count))


def _spelled(i: int, key: str) -> str:
    """Write an id as another registry would: some in lower case, some with spaces around."""
    return (key, key.lower(), f" {key}", f"{key.lower()}  ")[i % 4]


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
