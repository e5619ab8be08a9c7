"""What a contract may ask of psi.sum, what each party learns by it, and with how much noise."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Final

from pydantic import Field

from services.demand import ColumnUse, Demand
from services.errors import ConfigError
from services.psi.counting_terms import (
    CAN_COUNT_ONE,
    HOW_MANY_MATCH,
    LEARNS_COUNT,
    MOST_SCALE,
    rests_on,
)
from services.psi.disclosure import (
    CURVE25519,
    FIXED_KEY_AES,
    RANDOM_ORACLES,
    RISTRETTO255,
    Template,
    size_of,
    statements,
    withheld,
)
from services.psi.keyed import check_keys, columns_used, dataset_of, no_column
from services.service import Parameters, Statement, Terms

MOST_COLUMNS: Final = 32
MOST_DIGITS: Final = 9
BYTES_A_NUMBER: Final = 48
"""Of the sender's memory: three copies of a value, and of whether there is one."""

SUMS_AND_COUNTS: Final = "sums and means, and how many values there are"
IS_ENOUGH: Final = "whether the minimum is reached"

LEARNS_VALUE_COUNTS: Final[Template] = (
    "%(learner)s learns how many of the rows of %(about)s that match have a value, by column: "
    "%(columns)s",
    "you learn how many of the rows of %(about)s that match have a value, by column: %(columns)s",
    "%(learner)s learns how many of your rows that match have a value, by column: %(columns)s",
)
LEARNS_SUMS: Final[Template] = (
    "%(learner)s learns sums and means of columns of %(about)s over the rows that match, if at "
    "least %(minimum)s have a value: %(columns)s",
    "you learn sums and means of columns of %(about)s over the rows that match, if at least "
    "%(minimum)s have a value: %(columns)s",
    "%(learner)s learns sums and means of your columns over the rows that match, if at least "
    "%(minimum)s have a value: %(columns)s",
)
LEARNS_OWN_SUMS: Final[Template] = (
    "%(learner)s learns sums and means of its own columns over the rows that %(about)s has too, "
    "if at least %(minimum)s have a value, and how many these are: %(own_columns)s",
    "you learn sums and means of your own columns over the rows that %(about)s has too, if at "
    "least %(minimum)s have a value, and how many these are: %(own_columns)s",
    "%(learner)s learns sums and means of its own columns over the rows that you have too, if at "
    "least %(minimum)s have a value, and how many these are: %(own_columns)s",
)
LEARNS_IS_ENOUGH: Final[Template] = (
    "%(learner)s learns whether %(minimum)s keys match at least, and of each of its columns "
    "whether as many of these have a value",
    "you learn whether %(minimum)s keys match at least, and of each of your columns whether as "
    "many of these have a value",
    "%(learner)s learns whether %(minimum)s keys match at least, and of each of its columns "
    "whether as many of these have a value",
)
LEARNS_COUNT_IF_ENOUGH: Final[Template] = (
    "%(learner)s learns how many keys match, if at least %(minimum)s do, and of none which it is",
    "you learn how many keys match, if at least %(minimum)s do, and of none which it is",
    "%(learner)s learns how many keys match, if at least %(minimum)s do, and of none which it is",
)
CAN_SUM_ONE: Final[Template] = (
    "if %(learner)s brings %(minimum)s keys that it knows to match, and in another job one more, "
    "the sums of both tell it the numbers of that one row of %(about)s",
    "if you bring %(minimum)s keys that you know to match, and in another job one more, "
    "the sums of both tell you the numbers of that one row of %(about)s",
    "if %(learner)s brings %(minimum)s keys that it knows to match, and in another job one more, "
    "the sums of both tell it the numbers of that one row of yours",
)
CAN_REACH_MINIMUM: Final[Template] = (
    "if %(learner)s brings a key that it guesses and one fewer than %(minimum)s that it knows to "
    "match, it learns whether %(about)s holds the one that it guesses",
    "if you bring a key that you guess and one fewer than %(minimum)s that you know to match, you "
    "learn whether %(about)s holds the one that you guess",
    "if %(learner)s brings a key that it guesses and one fewer than %(minimum)s that it knows to "
    "match, it learns whether you hold the one that it guesses",
)
CAN_MARK_ROWS: Final[Template] = (
    "if %(learner)s chooses the numbers of its columns for it (1, 2, 4, …), "
    "their sum tells it which of its rows match",
    "if you choose the numbers of your columns for it (1, 2, 4, …), "
    "their sum tells you which of your rows match",
    "if %(learner)s chooses the numbers of its columns for it (1, 2, 4, …), "
    "their sum tells it which of its rows match",
)
ALL_HAS_NOISE: Final[Template] = (
    "all that %(learner)s learns of what matches holds noise: ε = %(epsilon)s in all, for a row "
    "of %(about)s that is there, is not, or is another",
    "all that you learn of what matches holds noise: ε = %(epsilon)s in all, for a row of "
    "%(about)s that is there, is not, or is another",
    "all that %(learner)s learns of what matches holds noise: ε = %(epsilon)s in all, for a row "
    "of yours that is there, is not, or is another",
)
HAS_NOISE: Final[Template] = (
    "the counts of values and the sums that %(learner)s learns hold noise: ε = %(epsilon)s in all, "
    "for what a row of %(about)s holds; the number of keys that match has none",
    "the counts of values and the sums that you learn hold noise: ε = %(epsilon)s in all, "
    "for what a row of %(about)s holds; the number of keys that match has none",
    "the counts of values and the sums that %(learner)s learns hold noise: ε = %(epsilon)s in all, "
    "for what a row of yours holds; the number of keys that match has none",
)

WITHHOLDS_VALUES: Final[Template] = (
    "if fewer than %(minimum)s keys match, %(learner)s is told nothing of values; how many match "
    "it learns however few do",
    "if fewer than %(minimum)s keys match, you are told nothing of values; how many match you "
    "learn however few do",
    "",
)
WITHHOLDS_ALL: Final[Template] = (
    "if fewer than %(minimum)s keys match, %(learner)s is told that, and nothing else of what "
    "matches",
    "if fewer than %(minimum)s keys match, you are told that, and nothing else of what matches",
    "",
)
WITHHOLDS_SUMS: Final[Template] = (
    "%(learner)s is told neither sum nor mean of a column in which fewer than %(minimum)s of the "
    "rows that match have a value",
    "you are told neither sum nor mean of a column in which fewer than %(minimum)s of the rows "
    "that match have a value",
    "",
)
WITHHOLDS_BY_NOISE: Final[Template] = (
    "what is withheld from %(learner)s is decided by numbers with noise: of somewhat fewer than "
    "%(minimum)s it may be told, of somewhat more it may not",
    "what is withheld from you is decided by numbers with noise: of somewhat fewer than "
    "%(minimum)s you may be told, of somewhat more you may not",
    "",
)


class SumParameters(Parameters):
    """What is added up, and what may be released."""

    columns: tuple[str, ...] = Field(
        min_length=1,
        max_length=MOST_COLUMNS,
        description="the sender's columns of numbers to be added up",
    )
    digits: int = Field(
        default=2,
        ge=0,
        le=MOST_DIGITS,
        description="after the decimal point; values with more are refused",
    )
    minimum: int = Field(
        default=10,
        ge=1,
        description="rows that must match and have a value, or nothing is released of a column; "
        "with epsilon, by their number with noise",
    )
    epsilon: Decimal | None = Field(
        default=None,
        gt=0,
        le=100,
        decimal_places=18,  # as budgets are counted
        description="of the differentially private noise in all that one party is released of "
        "the other's rows, but for the number of matches, which the party that counts learns",
    )
    bounds: tuple[Annotated[Decimal, Field(gt=0, le=10**15)], ...] = Field(
        default=(),
        description="with epsilon, of each column the number beyond which values are cut off, "
        "also below zero",
    )


def parameters_of(terms: Terms) -> SumParameters:
    """Return the contract's parameters; another service's are a bug."""
    if not isinstance(terms.parameters, SumParameters):
        raise TypeError(f"{type(terms.parameters).__name__} are not for psi.sum")
    return terms.parameters


def check(terms: Terms) -> None:
    """Raise ConfigError unless the keys are comparable and the columns are numbers."""
    check_keys(terms)
    parameters = parameters_of(terms)
    holder = terms.parties[terms.rank_of("sender")]
    if not any(party.receives for party in terms.parties):
        raise ConfigError("nobody receives the sums", remedy="name who does when you propose")
    held = {column.name: column for column in dataset_of(holder).columns}
    for name in parameters.columns:
        if name not in held:
            raise no_column(holder, name)
        if not held[name].is_number:
            raise ConfigError(
                f"the column {name} of {holder.name} is {held[name].type}: only numbers add up"
            )
        if name not in dataset_of(holder).payload:
            raise ConfigError(
                f"{holder.name} does not allow the column {name} to be added up",
                remedy=f"its owner may allow it, by publishing {dataset_of(holder).name} with this"
                " column",
            )
    for one, other in pairwise(sorted(parameters.columns)):
        if one == other:
            raise ConfigError(f"the column {one} is named twice")
    needed = len(parameters.columns) if parameters.epsilon else 0
    if len(parameters.bounds) != needed:
        raise ConfigError(
            f"{len(parameters.bounds)} bounds are given where {needed} are needed",
            remedy="give epsilon and a bound for each column, or neither",
        )
    scales = scales_of(parameters)
    if scales and max(scales[1]) > MOST_SCALE:
        raise ConfigError(
            "noise for so large a bound would not fit beside the sums",
            remedy="raise epsilon, or lower the bounds or digits",
        )


def limits_of(parameters: SumParameters) -> tuple[int, ...]:
    """Return the number at which each column's values are cut off, in units of the last digit."""
    limits = []
    for bound in parameters.bounds:
        limit = bound * 10**parameters.digits
        if limit != int(limit):
            raise ConfigError(f"the bound {bound} has more than {parameters.digits} digits")
        limits.append(int(limit))
    return tuple(limits)


def scales_of(parameters: SumParameters) -> tuple[float, tuple[float, ...]] | None:
    """Return the noise's scale for each count and for each column's sum; None without noise.

    Since row counts are known, neighbours are tables in which one row is another: that changes a
    sum by at most twice its limit, a count by 1. All that a party is released shares in ε alike:
    two figures a column, and the number of matches.
    """
    if parameters.epsilon is None:
        return None
    one = float((2 * len(parameters.columns) + 1) / parameters.epsilon)
    return one, tuple(one * 2 * limit for limit in limits_of(parameters))


def disclose(terms: Terms) -> tuple[Statement, ...]:
    """Return what each party learns of the other's data, and what that rests on."""
    parameters = parameters_of(terms)
    columns = ", ".join(parameters.columns)
    values: Mapping[str, str | int] = {
        "columns": columns,
        "own_columns": columns,
        "minimum": parameters.minimum,
        "epsilon": str(parameters.epsilon),
    }
    return (
        *statements(
            terms,
            lambda learner: (size_of(terms, 1 - learner), *_templates(terms, learner)),
            (values,) * 2,
        ),
        *withheld(terms, lambda learner: _withholds(terms, learner), values),
        *rests_on(terms, CURVE25519, RISTRETTO255, FIXED_KEY_AES, RANDOM_ORACLES),
    )


def demand(terms: Terms, rank: int) -> Demand:
    """Return what is asked of a party's dataset.

    The receiver counts what matches, however little that is; the sender learns nothing of it below
    the minimum.
    """
    parameters = parameters_of(terms)
    epsilon, minimum = parameters.epsilon, parameters.minimum
    if terms.parties[rank].role == "sender":
        told = (HOW_MANY_MATCH, *(() if epsilon else (SUMS_AND_COUNTS,)))
        return Demand(
            columns=columns_used(terms, rank, parameters.columns, ColumnUse.AGGREGATED),
            smallest_group=minimum,
            epsilon=epsilon,
            told_exactly=told,
        )
    told = (IS_ENOUGH, *((SUMS_AND_COUNTS,) if terms.parties[1 - rank].receives else ()))
    return Demand(
        columns=columns_used(terms, rank),
        smallest_group=minimum,
        smallest_intersection=minimum,
        epsilon=epsilon,
        told_exactly=() if epsilon else told,
    )


def _templates(terms: Terms, learner: int) -> tuple[Template, ...]:
    """Return what a party learns, and what it can learn if it brings a table for that."""
    has_noise, party = parameters_of(terms).epsilon is not None, terms.parties[learner]
    if party.role == "receiver":
        learns = (LEARNS_COUNT, LEARNS_VALUE_COUNTS, *((LEARNS_SUMS,) if party.receives else ()))
        if has_noise:
            return *learns, HAS_NOISE, CAN_COUNT_ONE
        return *learns, CAN_COUNT_ONE, *((CAN_SUM_ONE,) if party.receives else ())
    learns = (LEARNS_IS_ENOUGH,)
    if party.receives:
        learns += (LEARNS_COUNT_IF_ENOUGH, LEARNS_OWN_SUMS)
    if has_noise:
        return *learns, ALL_HAS_NOISE
    return *learns, CAN_REACH_MINIMUM, *((CAN_MARK_ROWS,) if party.receives else ())


def _withholds(terms: Terms, learner: int) -> tuple[Template, ...]:
    """Return what a party is not told if the minimum is not reached."""
    party = terms.parties[learner]
    return (
        WITHHOLDS_VALUES if party.role == "receiver" else WITHHOLDS_ALL,
        *((WITHHOLDS_SUMS,) if party.receives else ()),
        *((WITHHOLDS_BY_NOISE,) if parameters_of(terms).epsilon is not None else ()),
    )
