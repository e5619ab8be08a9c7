"""The rules by which a contract is refused, and what is said of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple


class Rule(Enum):
    """Which rule refuses a contract. They are judged in this order, all of them; words stay.

    NO_POLICY:    the dataset has none.
    PEER:         a party is not among the policy's peers.
    SERVICE:      the service is not among its services.
    NOT_BEGUN:    it is before valid_from.
    NO_END:       no valid_until is said.
    ENDED:        it is valid_until, or later.
    EXPIRY:       the contract may begin after valid_until.
    ADVERSARY:    the run is for parties that keep to the protocol, more is asked.
    ATTESTATION:  a peer has not proven which software it runs.
    VERSION:      a peer's version is too old, or cannot be told.
    NO_COLUMN:    the dataset does not have a column that the contract uses.
    COLUMN:       a column is not named, or never to be used.
    USE:          a column is used otherwise than allowed.
    RECEIVER:     a peer would get a column's values row by row, and is not a receiver of it.
    GROUP:        a figure may be of fewer rows than smallest_group.
    INTERSECTION: something may be told of fewer matching rows than smallest_intersection.
    RESULT:       others may get something of more rows than largest_result.
    NOISE:        there is a budget, and what is told has no noise.
    EXACT:        there is a budget, and exact figures stand beside those with noise.
    EPSILON:      the budget's epsilon would be overspent.
    DELTA:        its delta would be.
    USES:         all uses are spent.
    USES_PER_DAY: those of the day are.
    """

    NO_POLICY = "no-policy"
    PEER = "peer"
    SERVICE = "service"
    NOT_BEGUN = "not-begun"
    NO_END = "no-end"
    ENDED = "ended"
    EXPIRY = "expiry"
    ADVERSARY = "adversary"
    ATTESTATION = "attestation"
    VERSION = "version"
    NO_COLUMN = "no-column"
    COLUMN = "column"
    USE = "use"
    RECEIVER = "receiver"
    GROUP = "smallest-group"
    INTERSECTION = "smallest-intersection"
    RESULT = "largest-result"
    NOISE = "noise"
    EXACT = "exact-figures"
    EPSILON = "epsilon"
    DELTA = "delta"
    USES = "uses"
    USES_PER_DAY = "uses-per-day"


COUNTING: Final = frozenset({Rule.EPSILON, Rule.DELTA, Rule.USES, Rule.USES_PER_DAY})
"""The rules that refuse for what other jobs have taken."""
TIMED: Final = frozenset({Rule.ENDED, Rule.EXPIRY})
"""The rules that refuse because the time of a policy ends."""


class Sentence(NamedTuple):
    """What is said, and the remedy: templates to be filled with values, so that they translate."""

    template: str
    remedy: str


Values = Mapping[str, str | int]

NONE: Final = "none"
"""Said in a list of what is allowed if nothing is."""

ROWS: Final = "rows"
"""Said in place of what is told exactly if the service does not name it."""

SENTENCES: Final[Mapping[Rule, Sentence]] = {
    Rule.NO_POLICY: Sentence(
        "the dataset %(dataset)s has no policy, so nothing may be done with it",
        'let its owner have one drafted: "coffer policies draft %(dataset)s"',
    ),
    Rule.PEER: Sentence(
        "%(peer)s is not among the peers that the policy of %(dataset)s allows",
        "let the owner add it to peers",
    ),
    Rule.SERVICE: Sentence(
        "the policy of %(dataset)s does not allow the service %(service)s",
        "use one of these: %(allowed)s; or let the owner add it to services",
    ),
    Rule.NOT_BEGUN: Sentence(
        "the policy of %(dataset)s allows nothing before %(from)s",
        "wait until then, or let the owner change valid_from",
    ),
    Rule.NO_END: Sentence(
        "the policy of %(dataset)s does not say until when it holds, so nothing is allowed",
        "let the owner name its end as valid_until",
    ),
    Rule.ENDED: Sentence(
        "the policy of %(dataset)s has ended at %(until)s",
        "let the owner change valid_until",
    ),
    Rule.EXPIRY: Sentence(
        "the contract may begin until %(expires)s, after the policy of %(dataset)s ends",
        "propose one that expires by %(until)s, or let the owner change valid_until",
    ),
    Rule.ADVERSARY: Sentence(
        "%(service)s is safe here only if all parties keep to the protocol, and the policy of"
        " %(dataset)s asks for safety from malicious ones",
        "use a service or parameters that are, or let the owner allow semi-honest",
    ),
    Rule.ATTESTATION: Sentence(
        "%(peer)s has not proven which software it runs, and the policy of %(dataset)s asks for it",
        "let it be attested, or let the owner change attested_peers",
    ),
    Rule.VERSION: Sentence(
        "%(peer)s runs version %(version)s, the policy of %(dataset)s asks for %(smallest)s",
        "let it be updated, or let the owner change smallest_version",
    ),
    Rule.NO_COLUMN: Sentence(
        "the dataset %(dataset)s has no column %(column)s",
        "propose a contract with its present columns",
    ),
    Rule.COLUMN: Sentence(
        "the policy of %(dataset)s does not let column %(column)s be used",
        "leave the column out, or let the owner name a use of it",
    ),
    Rule.USE: Sentence(
        "the policy of %(dataset)s does not let column %(column)s be used as %(use)s",
        "use it as allowed (%(allowed)s), or let the owner add the use",
    ),
    Rule.RECEIVER: Sentence(
        "%(peer)s would get the values of column %(column)s, and the policy of %(dataset)s does"
        " not name it as a receiver of them",
        "leave the column out, or let the owner add the receiver",
    ),
    Rule.GROUP: Sentence(
        "a figure may be of %(asked)d rows, the policy of %(dataset)s asks for %(smallest)d",
        "raise the minimum in the contract, or let the owner lower smallest_group",
    ),
    Rule.INTERSECTION: Sentence(
        "others would be told something if %(asked)d rows match, the policy of %(dataset)s asks"
        " for %(smallest)d",
        "raise the minimum in the contract, or let the owner lower smallest_intersection",
    ),
    Rule.RESULT: Sentence(
        "others may get something of %(asked)d rows, the policy of %(dataset)s allows %(most)d",
        "ask for less, or let the owner raise largest_result",
    ),
    Rule.NOISE: Sentence(
        "the dataset %(dataset)s has a privacy budget, and what the contract tells has no noise",
        "ask for noise (epsilon), or let the owner take the budget away",
    ),
    Rule.EXACT: Sentence(
        "beside the noise something is told exactly (%(told)s), which the policy of %(dataset)s"
        " does not allow",
        "use a service that does not, or let the owner allow exact_figures",
    ),
    Rule.EPSILON: Sentence(
        "an epsilon of %(after)s would be spent, the budget of %(dataset)s is %(most)s; it is"
        " %(spent)s now",
        "ask for a smaller epsilon, or let the owner raise the budget",
    ),
    Rule.DELTA: Sentence(
        "a delta of %(after)s would be spent, the budget of %(dataset)s is %(most)s; it is"
        " %(spent)s now",
        "ask for a smaller delta, or let the owner raise the budget",
    ),
    Rule.USES: Sentence(
        "%(count)d uses are counted, the policy of %(dataset)s allows %(most)d",
        "let the owner raise uses",
    ),
    Rule.USES_PER_DAY: Sentence(
        "%(count)d uses are counted today, the policy of %(dataset)s allows %(most)d a day",
        "wait until the next day in UTC, or let the owner raise uses_per_day",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """That a rule refuses a contract, with the facts that the rule's sentence names."""

    rule: Rule
    values: Values

    def __str__(self) -> str:
        return SENTENCES[self.rule].template % self.values

    @property
    def remedy(self) -> str:
        """What may be done about it."""
        return SENTENCES[self.rule].remedy % self.values
