"""Why a party ended a job as it did: a closed list of words, all that other parties are told.

Before our operator has acted, and once a run depends on its result, some words would say too much;
UNFIT and UNFINISHED then go in their place, and the true reason stays here.
"""

from enum import Enum
from typing import Final


class Reason(Enum):
    """A word for the wire, the sentence that people read after "because", and what to do."""

    def __init__(self, word: str, sentence: str, remedy: str) -> None:
        self.word = word
        self.sentence = sentence
        self.remedy = remedy

    COMPLETED = ("completed", "its part is done", "")
    FOLLOWED = ("followed", "another party ended the job", "")

    OPERATOR_REJECTED = (
        "operator-rejected",
        "its operator does not want it",
        "ask that operator what would be acceptable, then submit another job",
    )
    OPERATOR_CANCELLED = (
        "operator-cancelled",
        "its operator stopped it",
        "submit the job again if it is still wanted",
    )
    EXPIRED = (
        "expired",
        "not all parties signed before the contract expired",
        "submit it again when all parties can approve it",
    )
    UNPAIRED = ("unpaired", "two parties are no longer paired", "pair the nodes again first")
    PROPOSAL_REFUSED = (
        "proposal-refused",
        "the node of another party refused to read the proposal",
        "run the same version of coffer on all nodes, then submit the job again",
    )

    SERVICE_UNKNOWN = (
        "service-unknown",
        "it does not have the service",
        "run the same version of coffer on all nodes",
    )
    SERVICE_VERSION = (
        "service-version",
        "it has another version of the service",
        "run the same version of coffer on all nodes",
    )
    TERMS = (
        "terms",
        "the service cannot run on such terms",
        'see "coffer services show" for the roles and parameters that the service takes',
    )
    NORMAL_FORMS = (
        "normal-forms",
        "the normal forms of the datasets' keys differ",
        "register one of the datasets again with the other's normal form",
    )
    LIMITS = (
        "limits",
        "it does not let a job run, or wait for a lost connection, for so long",
        "submit it again with shorter limits",
    )
    # Stands before approval for all that concerns our own peers, data and machine.
    UNFIT = (
        "unfit",
        "it cannot take part in this job as things stand there",
        "ask the other party's data owner",
    )
    NOT_PAIRED = (
        "not-paired",
        "not all parties are paired with one another",
        "pair each two of the parties first",
    )
    DATASET_UNKNOWN = (
        "dataset-unknown",
        "it has published no such dataset to the proposer",
        "ask its operator to publish the dataset",
    )
    DATASET_DIFFERS = (
        "dataset-differs",
        "its dataset is published otherwise than the contract says",
        "submit another job, with the dataset as it is published now",
    )
    DATASET_CHANGED = (
        "dataset-changed",
        "its dataset is not as the contract says",
        "register the dataset again where it lies, then submit another job",
    )
    DATASET_KEYS = (
        "dataset-keys",
        "its dataset has null or repeated keys",
        "mend the table and register it again where it lies",
    )
    # The note beside it is the rule's word.
    POLICY = (
        "policy",
        "the policy of its dataset does not allow it",
        "ask that dataset's owner what is allowed, then submit another job",
    )
    GRANT = (
        "grant",
        "what the job uses of a dataset is no longer granted",
        "ask that dataset's owner for another grant",
    )
    CROSSED = (
        "crossed",
        "another job between the same nodes takes the last use of its dataset",
        "wait for that job's end, then submit it again if it is still wanted",
    )
    CLOCK = (
        "clock",
        "the clocks of the nodes differ too much",
        "set the clocks of all nodes, by NTP if possible",
    )

    INTERRUPTED = (
        "interrupted",
        "its agent stopped while the job ran",
        "submit the job again",
    )
    UNSTARTABLE = ("unstartable", "its worker could not be started", "see that node's journal")
    WORKER_CRASHED = ("worker-crashed", "its worker crashed", "see that node's journal")
    MEMORY = (
        "memory",
        "its worker needed more memory than that node grants",
        "raise worker_memory_bytes there, or use a smaller dataset",
    )
    TIME = (
        "time",
        "the job ran longer than the contract allows",
        "submit it again with a longer limit",
    )
    STALLED = (
        "stalled",
        "the job made no progress for longer than that node waits",
        "see how the other parties' nodes fare, then submit the job again",
    )
    # Stands for any failure once the run depends on the result.
    UNFINISHED = (
        "unfinished",
        "it could not finish its part",
        "ask that node's operator, who sees the cause",
    )
    DISK_FULL = ("disk-full", "its disk is full", "free space on that node, then submit it again")
    DATA = (
        "data",
        "its dataset could not be read to the end",
        "mend the table and register it again where it lies",
    )
    ROOM = (
        "room",
        "the rows of its table take more room than the contract has",
        "submit it again with a larger payload_bytes, or fewer columns",
    )
    DIGITS = (
        "digits",
        "its numbers have more digits than the contract counts with, or are too large for them",
        "submit it again with more digits if they are too fine, with fewer if they are too large",
    )
    PEER_LOST = (
        "peer-lost",
        "the connection to another party was lost for longer than the contract allows",
        "check the network between the nodes, then submit the job again",
    )
    PEER_BROKE_RULES = (
        "peer-broke-rules",
        "another party's messages broke the rules of the protocol",
        "run the same version of coffer on all nodes; if they do, distrust that party",
    )
    CHEATING = (
        "cheating",
        "a check against cheating failed",
        "distrust the other parties until the cause is known",
    )
    INTERNAL = ("internal", "it met an error of its own", "see that node's journal")
    # Never sent: stands for a verdict to which no honest party can have come.
    BAD_VERDICT = (
        "bad-verdict",
        "its verdict breaks the rules",
        "run the same version of coffer on all nodes; if they do, distrust that party",
    )
    # Never sent: stands for a word of another version of Coffer.
    UNKNOWN = ("unknown", "it gave a reason that this version of coffer does not know", "")

    @classmethod
    def parse(cls, word: str) -> "Reason":
        """Return the reason that a word means; UNKNOWN for one of another version."""
        return next((reason for reason in cls if reason.word == word), cls.UNKNOWN)

    @property
    def remedy_here(self) -> str:
        """What to do about it at the very node that gave it as its reason."""
        if self is Reason.OPERATOR_REJECTED:  # whoever could be asked is the one who reads
            return ""
        return self.remedy.replace("that node", "this node").replace(" there,", " here,")

    @property
    def before_approval(self) -> "Reason":
        """What the proposer is told if this node refuses before its operator has acted."""
        return Reason.UNFIT if self in _OURS else self

    @property
    def beside_result(self) -> "Reason":
        """What the others are told if this ends a run that depends on its result."""
        return self if self in _OF_CONVERSATION else Reason.UNFINISHED


_OURS: Final = (
    Reason.NOT_PAIRED,
    Reason.DATASET_UNKNOWN,
    Reason.DATASET_CHANGED,
    Reason.DATASET_KEYS,
    Reason.MEMORY,
)
_OF_CONVERSATION: Final = (
    Reason.PEER_LOST,
    Reason.PEER_BROKE_RULES,
    Reason.CHEATING,
    Reason.INTERRUPTED,
    Reason.STALLED,
    Reason.ROOM,  # all rows are packed, so it tells nothing of which match
    Reason.POLICY,
    Reason.GRANT,
)


def sentence_of(word: str, note: str, *, is_here: bool = False) -> str:
    """Return what people read of a reason and of the operator's words beside it.

    is_here: whether they read it at the node that gave the reason.
    """
    sentence = Reason.parse(word).sentence
    if is_here and sentence.startswith("its "):
        sentence = f"this node's {sentence.removeprefix('its ')}"
    return f'{sentence}: "{note}"' if note else sentence
