"""Terms of two parties that bring a table with a key each."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from services.demand import ColumnDemand, ColumnUse
from services.errors import ConfigError
from services.service import DatasetTerms, PartyTerms, Terms

MOST_ROWS: Final = 2**31
"""More would not fit into the memory of any machine that we know."""


def dataset_of(party: PartyTerms) -> DatasetTerms:
    """Return the dataset that a party brings; ConfigError if it brings none."""
    if party.dataset is None:
        raise ConfigError(f"{party.name} brings no dataset: one of each party is needed")
    return party.dataset


def no_column(party: PartyTerms, name: str) -> ConfigError:
    """Return the error of naming a column that a party's dataset does not have."""
    dataset = dataset_of(party)
    names = [column.name for column in dataset.columns]
    near = get_close_matches(name, names, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"its columns: {', '.join(names)}"
    return ConfigError(f"{dataset.name} of {party.name} has no column {name}", remedy=remedy)


def counts_of(terms: Terms) -> list[int]:
    """Return how many rows each party brings at most, by rank."""
    return [dataset_of(party).row_count for party in terms.parties]


def columns_used(
    terms: Terms,
    rank: int,
    besides: Iterable[str] = (),
    use: ColumnUse = ColumnUse.JOIN_KEY,
    *,
    shown_to: frozenset[int] = frozenset(),
) -> dict[str, ColumnDemand]:
    """Return a party's key columns, compared blindly, and those ``besides`` that serve a use."""
    found = {
        name: ColumnDemand(uses=frozenset({ColumnUse.JOIN_KEY}))
        for name in dataset_of(terms.parties[rank]).key
    }
    for name in besides:
        uses = found[name].uses if name in found else frozenset()
        found[name] = ColumnDemand(uses=uses | {use}, shown_to=shown_to)
    return found


def check_keys(terms: Terms) -> None:
    """Raise ConfigError unless both parties bring rows with comparable keys."""
    for party in terms.parties:
        _check_party(party)
    receiver = terms.parties[terms.rank_of("receiver")]
    sender = terms.parties[terms.rank_of("sender")]
    ours, theirs = dataset_of(receiver), dataset_of(sender)
    if len(ours.key) != len(theirs.key):
        raise ConfigError(
            f"the keys do not match: {receiver.name} has {_listed(ours.key)}, "
            f"{sender.name} has {_listed(theirs.key)}",
            remedy="use datasets whose keys have as many columns",
        )


def _check_party(party: PartyTerms) -> None:
    row_count = dataset_of(party).row_count
    if not 0 < row_count <= MOST_ROWS:
        raise ConfigError(
            f"the dataset of {party.name} has {row_count} rows, 1 to {MOST_ROWS} are needed"
        )
    if not dataset_of(party).key:
        raise ConfigError(
            f"the dataset of {party.name} has no key", remedy="register it again with --key"
        )


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "none"
