"""The service psi.sum: sums and means of the sender's columns over the rows whose keys match.

Model:  two parties, semi-honest; see :mod:`services.psi.shuffled` and
        :mod:`services.primitives.selected_sum`. ([MPRSY20] bears malicious parties, at several
        times the cost; it is not offered.)
Leaks:  to each party how many rows the other brings; to the receiver how many keys match, and how
        many of the sender's rows that match have a value in each column; to the sender whether
        these are as many as the contract asks for, and if so and it receives, how many keys match;
        to those who receive them, the figures. What stands between a party and another's rows is
        the minimum alone: see what is said of guesses in :mod:`services.psi.sum_terms`.
"""

from typing import Final

from services.demand import ColumnUse
from services.psi.counting_terms import KEYS, MATCH, assign
from services.psi.counting_terms import memory as memory_of_counting
from services.psi.keyed import counts_of
from services.psi.sum_terms import (
    BYTES_A_NUMBER,
    SumParameters,
    check,
    demand,
    disclose,
    parameters_of,
)
from services.service import Adversary, Run, Service, Stage, Terms

NAME: Final = "psi.sum"
VERSION: Final = 2
SUMS: Final = "sums"


def memory(terms: Terms, rank: int) -> int:
    """Return how many bytes counting takes, and the sender's numbers."""
    held = BYTES_A_NUMBER * len(parameters_of(terms).columns) * counts_of(terms)[rank]
    is_sender = terms.parties[rank].role == "sender"
    return memory_of_counting(terms, rank) + (held if is_sender else 0)


def load() -> Run:
    """Return one party's run: with it come the kernels, and they take long."""
    from services.psi.summing import add_up

    return add_up


SERVICE: Final = Service(
    name=NAME,
    version=VERSION,
    title="Sums over the keys that two parties share",
    adversary=Adversary.SEMI_HONEST,
    party_counts=range(2, 3),
    roles=("sender", "receiver"),
    parameters=SumParameters,
    outputs=(SUMS,),
    stages=(
        KEYS,
        MATCH,
        Stage(name="sum", title="Add up blindly", weight=0.1, knows_result=True),
    ),
    assign=assign,
    check=check,
    disclose=disclose,
    demand=demand,
    uses=frozenset({ColumnUse.JOIN_KEY, ColumnUse.AGGREGATED}),
    can_have_noise=True,
    load=load,
    memory=memory,
)
