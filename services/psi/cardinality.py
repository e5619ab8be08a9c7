"""The service psi.cardinality: how many keys two parties share, and nothing of which.

Model:  two parties, semi-honest; see :mod:`services.psi.shuffled`.
Leaks:  to each party how many rows the other brings; to the receiver how many keys match, and to
        the sender if it receives.
"""

from decimal import Decimal
from typing import Final

from pydantic import Field

from services.demand import ColumnUse, Demand
from services.errors import ConfigError
from services.psi.counting_terms import (
    CAN_COUNT_ONE,
    HOW_MANY_MATCH,
    KEYS,
    LEARNS_COUNT,
    MATCH,
    MOST_SCALE,
    assign,
    memory,
    rests_on,
)
from services.psi.disclosure import (
    ASSUMPTIONS,
    WITHHOLDS_NOTHING,
    Template,
    size_of,
    statements,
    withheld,
)
from services.psi.keyed import check_keys, columns_used
from services.service import (
    Adversary,
    Parameters,
    Run,
    Service,
    Stage,
    Statement,
    Terms,
)

NAME: Final = "psi.cardinality"
VERSION: Final = 1
CARDINALITY: Final = "cardinality"

LEARNS_NOISY_COUNT: Final[Template] = (
    "%(learner)s learns how many keys match, with noise (ε = %(epsilon)s)",
    "you learn how many keys match, with noise (ε = %(epsilon)s)",
    "%(learner)s learns how many keys match, with noise (ε = %(epsilon)s)",
)
LEARNS_NO_COUNT: Final[Template] = (
    "%(learner)s learns neither which keys match nor how many",
    "you learn neither which keys match nor how many",
    "%(learner)s learns neither which keys match nor how many",
)


class CardinalityParameters(Parameters):
    """How the count is told."""

    epsilon: Decimal | None = Field(
        default=None,
        gt=0,
        le=100,
        decimal_places=18,  # as budgets are counted
        description="of the differentially private noise on what the other party is told; the "
        "party that counts learns the exact number",
    )


def check(terms: Terms) -> None:
    """Raise ConfigError unless both bring comparable keys and somebody receives."""
    check_keys(terms)
    if not any(party.receives for party in terms.parties):
        raise ConfigError(
            "nobody receives the number", remedy="name who receives it when you propose"
        )
    scale = scale_of(terms)
    if scale and scale > MOST_SCALE:
        raise ConfigError("so much noise would leave nothing of the number", remedy="raise epsilon")


def disclose(terms: Terms) -> tuple[Statement, ...]:
    """Return what each party learns of the other's data, and what that rests on."""
    epsilon = _epsilon(terms)
    told = LEARNS_NOISY_COUNT if epsilon else LEARNS_COUNT

    def templates(learner: int) -> tuple[Template, ...]:
        party = terms.parties[learner]
        size = size_of(terms, 1 - learner)
        if party.role == "receiver":
            return size, LEARNS_COUNT, CAN_COUNT_ONE
        if not party.receives:
            return size, LEARNS_NO_COUNT
        return size, told, *(() if epsilon else (CAN_COUNT_ONE,))

    def withholds(learner: int) -> tuple[Template, ...]:
        party = terms.parties[learner]
        return (WITHHOLDS_NOTHING,) if party.role == "receiver" or party.receives else ()

    return (
        *statements(terms, templates, ({"epsilon": str(epsilon)},) * 2),
        *withheld(terms, withholds),
        *rests_on(terms, *ASSUMPTIONS["ecdh"]),
    )


def demand(terms: Terms, rank: int) -> Demand:
    """Return what is asked of a party's dataset: a number, which who counts learns exactly."""
    columns, other = columns_used(terms, rank), terms.parties[1 - rank]
    if other.role == "receiver":
        return Demand(columns=columns, told_exactly=(HOW_MANY_MATCH,))
    if not other.receives:
        return Demand(columns=columns)
    epsilon = _epsilon(terms)
    told = () if epsilon else (HOW_MANY_MATCH,)
    return Demand(columns=columns, epsilon=epsilon, told_exactly=told)


def load() -> Run:
    """Return one party's run: with it come the kernels, and they take long."""
    from services.psi.telling import tell

    return tell


def _epsilon(terms: Terms) -> Decimal | None:
    if not isinstance(terms.parameters, CardinalityParameters):
        raise TypeError(f"{type(terms.parameters).__name__} are not for {NAME}")
    return terms.parameters.epsilon


def scale_of(terms: Terms) -> float | None:
    """Return the noise's scale: a row more, less or changed changes the count by 1 at most."""
    epsilon = _epsilon(terms)
    return float(1 / epsilon) if epsilon else None


SERVICE: Final = Service(
    name=NAME,
    version=VERSION,
    title="How many keys two parties share",
    adversary=Adversary.SEMI_HONEST,
    party_counts=range(2, 3),
    roles=("sender", "receiver"),
    parameters=CardinalityParameters,
    outputs=(CARDINALITY,),
    stages=(
        KEYS,
        MATCH,
        Stage(name="tell", title="Tell the number", weight=0.05, knows_result=True),
    ),
    assign=assign,
    check=check,
    disclose=disclose,
    demand=demand,
    uses=frozenset({ColumnUse.JOIN_KEY}),
    can_have_noise=True,
    load=load,
    memory=memory,
)
