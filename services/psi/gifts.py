"""What each party gives the other of its columns and rows, as the contract has it."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.errors import ConfigError
from services.psi.keyed import dataset_of, no_column
from services.psi.parameters import parameters_of
from services.service import Column, Terms

_KEEPS_LEFT = ("left", "full")
_KEEPS_RIGHT = ("right", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gift:
    """What one party gives another of a join, as both know from the contract.

    columns:         of the giver.
    is_by_all:       whether all its rows of a key come, else the first.
    gives_unmatched: whether its rows that match none come too, in random order.
    """

    columns: tuple[str, ...]
    is_by_all: bool
    gives_unmatched: bool

    @property
    def is_nothing(self) -> bool:
        """Whether nothing has to be sent."""
        return not self.columns and not self.gives_unmatched


def gift_of(terms: Terms, giver: int) -> Gift:
    """Return what the party of this rank gives the other."""
    parameters = parameters_of(terms)
    columns = (parameters.left_columns, parameters.right_columns)[giver]
    return Gift(
        columns=columns,
        is_by_all=parameters.duplicates == "all",
        gives_unmatched=keeps(terms, giver) and bool(terms.parties[1 - giver].receives),
    )


def keeps(terms: Terms, rank: int) -> bool:
    """Return whether rows of this party that match none are in the join too."""
    return parameters_of(terms).join in (_KEEPS_LEFT, _KEEPS_RIGHT)[rank]


def takes_labels(terms: Terms) -> bool:
    """Return whether the receiver gets columns of a sender who does not learn which rows match."""
    sender = terms.rank_of("sender")
    return not terms.parties[sender].receives and bool(gift_of(terms, sender).columns)


def columns_of(terms: Terms, giver: int) -> tuple[Column, ...]:
    """Return the giver's columns as the other's output has them, under names of their own there."""
    taken = [column.name for column in dataset_of(terms.parties[1 - giver]).columns]
    types = {column.name: column.type for column in dataset_of(terms.parties[giver]).columns}
    found = []
    for name in gift_of(terms, giver).columns:
        named = f"{terms.parties[giver].name}.{name}"
        shown = untaken(name if untaken(name, taken) == name else named, taken)
        found.append(Column(name=shown, type=types[name]))
        taken.append(shown)
    return tuple(found)


def untaken(name: str, taken: Iterable[str]) -> str:
    """Return a name that none of these is, in whichever case: as tables tell names apart."""
    folded = {one.casefold() for one in taken}
    while name.casefold() in folded:
        name += "_"
    return name


def check_gifts(terms: Terms) -> None:
    """Raise ConfigError unless each party may give what the contract asks of it."""
    parameters = parameters_of(terms)
    for giver in (0, 1):
        _check_columns(terms, giver)
        _check_receiver(terms, giver)
    if parameters.join == "difference" and (parameters.left_columns or parameters.right_columns):
        raise ConfigError(
            "rows that match none have no columns of the other party",
            remedy="leave left_columns and right_columns out, or ask for another join",
        )
    if takes_labels(terms) and parameters.duplicates == "all":
        raise ConfigError(
            f"{terms.parties[terms.rank_of('sender')].name} cannot give all rows of a key"
            " without learning which match",
            remedy="let it receive too, or set duplicates to first",
        )
    if takes_labels(terms) and parameters.protocol == "ecdh":
        raise ConfigError(
            "by ecdh a party cannot give columns without learning which rows match",
            remedy="let it receive too, or set protocol to rr22",
        )


def _check_columns(terms: Terms, giver: int) -> None:
    party, columns = terms.parties[giver], gift_of(terms, giver).columns
    dataset = dataset_of(party)
    known = {column.name for column in dataset.columns}
    for place, name in enumerate(columns):
        if name not in known:
            raise no_column(party, name)
        if name in columns[:place]:
            raise ConfigError(f"the column {name} of {party.name} is named twice")
        if name not in dataset.payload:
            raise ConfigError(
                f"{party.name} does not allow the column {name} of {dataset.name} to be given",
                remedy=f"its owner may allow it, by publishing {dataset.name} with this column",
            )


def _check_receiver(terms: Terms, giver: int) -> None:
    gift, other = gift_of(terms, giver), terms.parties[1 - giver]
    if gift.columns and not other.receives:
        raise ConfigError(
            f"{other.name} receives nothing, so there is nobody to give columns to",
            remedy="let it receive the intersection, or leave the columns out",
        )
    if gift.gives_unmatched and not terms.parties[giver].receives:
        raise ConfigError(
            f"{terms.parties[giver].name} cannot give its rows that match none"
            " without learning which these are",
            remedy="let it receive the intersection too, or ask for another join",
        )
    # Columns of the receiver are no better: it would see how many of the sender's it is to send.
    is_malicious = parameters_of(terms).security == "malicious"
    sender, receiver = (terms.parties[terms.rank_of(role)] for role in ("sender", "receiver"))
    if is_malicious and sender.receives and not gift.is_nothing:
        raise ConfigError(
            f"{sender.name} would join by what {receiver.name} says of matches, which may be a lie",
            remedy=f"let {receiver.name} alone receive, or set security to semi-honest",
        )
