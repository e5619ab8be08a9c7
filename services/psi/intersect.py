"""The service psi.intersect: its terms, and what it discloses; its run is in :mod:`.matching`.

Model:  two parties, semi-honest or malicious as the contract says; see :mod:`services.psi.rr22` and
        :mod:`services.psi.ecdh`.
Leaks:  to each party how many rows the other brings, as its publication says; to one that receives
        nothing also, by the time that the other takes to write its result, an estimate of how many
        match; and what the join gives, in :mod:`services.psi.disclosure`.
"""

from typing import Final

from services.demand import ColumnUse, Demand
from services.errors import ConfigError
from services.psi.disclosure import disclose
from services.psi.gifts import check_gifts, gift_of, takes_labels
from services.psi.keyed import check_keys, columns_used, dataset_of
from services.psi.parameters import IntersectParameters, parameters_of
from services.psi.plan import PROCESS_BYTES, bytes_of_partition, plan_of, result_bytes
from services.service import Adversary, Run, Service, Stage, Terms

NAME: Final = "psi.intersect"
VERSION: Final = 3
INTERSECTION: Final = "intersection"
WHICH_MATCH: Final = "which keys match"


def assign(receivers: tuple[int, ...], party_count: int) -> tuple[str, ...]:
    """Return the role of each rank: the only one to receive is receiver, else the proposer is."""
    chosen = receivers[0] if len(receivers) == 1 else 0
    return tuple("receiver" if rank == chosen else "sender" for rank in range(party_count))


def check(terms: Terms) -> None:
    """Raise ConfigError unless both parties bring comparable keys and the receiver receives."""
    receiver = terms.parties[terms.rank_of("receiver")]
    parameters = parameters_of(terms)
    check_keys(terms)
    if INTERSECTION not in receiver.receives:
        raise ConfigError(
            f"{receiver.name} has the role receiver but receives nothing",
            remedy="let it receive the intersection, or let the parties change roles",
        )
    if parameters.security == "malicious" and parameters.protocol == "ecdh":
        raise ConfigError(
            "ecdh is for parties that keep to the protocol", remedy="set protocol to rr22"
        )
    check_gifts(terms)
    plan_of(terms, gives_labels=takes_labels(terms))


def demand(terms: Terms, rank: int) -> Demand:
    """Return what is asked of a party's dataset: who receives learns of single rows."""
    if not terms.parties[1 - rank].receives:
        return Demand(columns=columns_used(terms, rank))
    gift = gift_of(terms, rank)
    use = ColumnUse.PLAIN if gift.gives_unmatched else ColumnUse.JOIN_PAYLOAD
    ours, theirs = (dataset_of(terms.parties[one]).row_count for one in (rank, 1 - rank))
    comes_whole = gift.gives_unmatched or gift.is_by_all
    return Demand(
        columns=columns_used(terms, rank, gift.columns, use, shown_to=frozenset({1 - rank})),
        smallest_group=1,
        largest_result=ours if comes_whole else min(ours, theirs),
        told_exactly=(WHICH_MATCH,),
    )


def memory(terms: Terms, rank: int) -> int:
    """Return how many bytes a partition and the result take, and the process itself."""
    plan = plan_of(terms, gives_labels=takes_labels(terms))
    del rank  # both hold as much, within what this counts with
    counts = [dataset_of(party).row_count for party in terms.parties]
    return PROCESS_BYTES + bytes_of_partition(plan) + result_bytes(max(counts))


def load() -> Run:
    """Return one party's run: with it come the kernels, and they take long."""
    from services.psi.matching import intersect

    return intersect


def bears_duplicates(terms: Terms) -> bool:
    """Return whether datasets may hold a key in several rows."""
    return parameters_of(terms).duplicates != "refuse"


def is_hardened(terms: Terms) -> bool:
    """Return whether parties may do anything without learning more than stated."""
    return parameters_of(terms).security == "malicious"


SERVICE: Final = Service(
    name=NAME,
    version=VERSION,
    title="Private set intersection",
    adversary=Adversary.SEMI_HONEST,
    party_counts=range(2, 3),
    roles=("sender", "receiver"),
    parameters=IntersectParameters,
    outputs=(INTERSECTION,),
    stages=(
        Stage(name="keys", title="Read the keys", weight=0.2),
        Stage(name="match", title="Match blindly", weight=0.7, knows_result=True),
        Stage(name="join", title="Join", weight=0.1, knows_result=True),
    ),
    assign=assign,
    check=check,
    disclose=disclose,
    demand=demand,
    uses=frozenset({ColumnUse.JOIN_KEY, ColumnUse.JOIN_PAYLOAD, ColumnUse.PLAIN}),
    load=load,
    memory=memory,
    bears_duplicates=bears_duplicates,
    # A party that lies could bring another set each time that a run is started again.
    resumes=lambda terms: not is_hardened(terms),
    hardened=is_hardened,
)
