"""What a contract may ask of psi.sum, what each party learns by it, and with how much noise."""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Final

from pydantic import Field

from services.errors import ConfigError
from services.primitives.selected_sum import MOST_COLUMNS
from services.psi.counting import LEARNS_COUNT
from services.psi.disclosure import Template, size_of, statements
from services.psi.keyed import check_keys, dataset_of
from services.service import Parameters, Statement, Terms

MOST_DIGITS: Final = 9
MOST_SCALE: Final = 2.0**54
"""Then noise reaches 2^62 with a chance of e^-256."""

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
HAS_NOISE: Final[Template] = (
    "the counts of values and the sums that %(learner)s learns hold noise: ε = %(epsilon)s in all",
    "the counts of values and the sums that you learn hold noise: ε = %(epsilon)s in all",
    "the counts of values and the sums that %(learner)s learns hold noise: ε = %(epsilon)s in all",
)


class SumParameters(Parameters):
    """What is added up, and what may be released."""

    columns: tuple[str, ...] = Field(
        min_length=1,
        max_length=MOST_COLUMNS // 2,
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
        description="rows that must match and have a value, or nothing is released of a column",
    )
    epsilon: Decimal | None = Field(
        default=None,
        gt=0,
        le=100,
        description="of the differentially private noise in all that one party is released",
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
            raise ConfigError(
                f"{dataset_of(holder).name} of {holder.name} has no column {name}",
                remedy="columns are the sender's: it may be that the roles are to be changed",
            )
        if not held[name].is_number:
            raise ConfigError(
                f"the column {name} of {holder.name} is {held[name].type}: only numbers add up"
            )
    for one, other in pairwise(sorted(parameters.columns)):
        if one == other:
            raise ConfigError(f"the column {one} is named twice")
    needed = len(parameters.columns) if parameters.epsilon else 0
    if len(parameters.bounds) != needed:
        raise ConfigError(
            f"{len(parameters.bounds)} bounds where there must be {needed}",
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

    One row more or less changes each figure by at most its limit, a count by 1. All that a party
    is released shares in ε alike: two figures a column, and the number of matches.
    """
    if parameters.epsilon is None:
        return None
    one = float((2 * len(parameters.columns) + 1) / parameters.epsilon)
    return one, tuple(one * limit for limit in limits_of(parameters))


def disclose(terms: Terms) -> tuple[Statement, ...]:
    """Return what each party learns of the other's data."""
    parameters = parameters_of(terms)
    columns = ", ".join(parameters.columns)
    noise = (HAS_NOISE,) if parameters.epsilon else ()

    def templates(learner: int) -> tuple[Template, ...]:
        party = terms.parties[learner]
        size = size_of(terms, 1 - learner)
        if party.role == "receiver":
            sums = (LEARNS_SUMS,) if party.receives else ()
            return size, LEARNS_COUNT, LEARNS_VALUE_COUNTS, *sums, *noise
        if party.receives:
            return size, LEARNS_IS_ENOUGH, LEARNS_OWN_SUMS, *noise
        return size, LEARNS_IS_ENOUGH

    return statements(
        terms,
        templates,
        lambda about: {
            "columns": columns,
            "own_columns": columns,
            "minimum": parameters.minimum,
            "epsilon": str(parameters.epsilon),
        },
    )
