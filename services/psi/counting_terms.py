"""What a contract says of the services that count matches, and what such a count discloses."""

from typing import Final

from services.guarantees import guarantees
from services.psi.disclosure import Template
from services.psi.keyed import counts_of
from services.psi.plan import STATISTICAL_BITS
from services.service import Adversary, Stage, Statement, Terms

KEYS = Stage(name="keys", title="Read the keys", weight=0.05)
MATCH = Stage(name="match", title="Match blindly", weight=0.9, knows_result=True)

_BYTES_A_ROW = 160
_PROCESS_BYTES = 512 << 20

MOST_SCALE: Final = 2.0**54
"""Then noise reaches 2^62 with a chance of e^-256."""

HOW_MANY_MATCH: Final = "how many keys match"

LEARNS_COUNT: Final[Template] = (
    "%(learner)s learns how many keys match, and of none which it is",
    "you learn how many keys match, and of none which it is",
    "%(learner)s learns how many keys match, and of none which it is",
)

CAN_COUNT_ONE: Final[Template] = (
    "if %(learner)s brings a key that it guesses beside others that cannot match, "
    "the number tells it whether %(about)s holds that key",
    "if you bring a key that you guess beside others that cannot match, "
    "the number tells you whether %(about)s holds that key",
    "if %(learner)s brings a key that it guesses beside others that cannot match, "
    "the number tells it whether you hold that key",
)


def rests_on(terms: Terms, *assumptions: str) -> tuple[Statement, ...]:
    """Return what a run that counts rests on."""
    return guarantees(
        terms,
        Adversary.SEMI_HONEST,
        assumptions=assumptions,
        statistical_bits=STATISTICAL_BITS,
    )


def assign(receivers: tuple[int, ...], party_count: int) -> tuple[str, ...]:
    """Return the role of each rank: the proposer counts, the other is the sender."""
    del receivers
    return tuple("receiver" if rank == 0 else "sender" for rank in range(party_count))


def memory(terms: Terms, rank: int) -> int:
    """Return how many bytes both parties' elements take, and the process itself."""
    del rank
    return _PROCESS_BYTES + _BYTES_A_ROW * sum(counts_of(terms))
