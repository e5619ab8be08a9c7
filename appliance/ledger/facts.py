"""What entries of the ledger say: for each kind one closed set of facts, none of them data.

There is no field that rows or keys fit into: names, ids, digests, counts, words of closed lists,
and sentences of a few hundred characters that the node itself composes.
"""

from enum import Enum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from appliance.identity.fields import PRINTABLE, Count, Label, Name, NodeText

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=512), PRINTABLE]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# Of privacy budgets: exact, as binary fractions are not.
Decimal = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,20})(\.[0-9]{1,40})?(e-[1-9][0-9]{0,2})?$")
]
# Read from lists of JSON; the items stay strict.
Nodes = Annotated[tuple[NodeText, ...], Field(strict=False, min_length=1, max_length=64)]
Sentences = Annotated[tuple[Sentence, ...], Field(strict=False, max_length=256)]


class Kind(Enum):
    """What an entry is about."""

    LEDGER_BEGUN = "ledger.begun"
    NODE_STARTED = "node.started"
    PEER_PAIRED = "peer.paired"
    PEER_UNPAIRED = "peer.unpaired"
    DATASET_REGISTERED = "dataset.registered"
    DATASET_REMOVED = "dataset.removed"
    DATASET_PUBLISHED = "dataset.published"
    DATASET_WITHDRAWN = "dataset.withdrawn"
    POLICY_CHANGED = "policy.changed"
    GRANT_ISSUED = "grant.issued"
    GRANT_REVOKED = "grant.revoked"
    GRANT_USED = "grant.used"
    JOB_PROPOSED = "job.proposed"
    JOB_DECIDED = "job.decided"
    JOB_APPROVED = "job.approved"
    JOB_REJECTED = "job.rejected"
    JOB_SIGNED = "job.signed"
    JOB_STARTED = "job.started"
    JOB_ENDED = "job.ended"
    JOB_DISCLOSED = "job.disclosed"
    JOB_METERED = "job.metered"
    BUDGET_SPENT = "budget.spent"
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    ACCOUNT_CHANGED = "account.changed"
    OPERATOR_CHANGED = "operator.changed"
    CALL_ADMITTED = "call.admitted"
    LEDGER_EXCHANGED = "ledger.exchanged"
    LEDGER_REFUSED = "ledger.refused"
    LEDGER_PRUNED = "ledger.pruned"
    LEDGER_DIRECTED = "ledger.directed"


class Facts(BaseModel):
    """What one kind of entry says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LedgerBegun(Facts):
    """Whose ledger this is, and the form of its entries."""

    node: NodeText
    format: Literal["coffer.ledger/1"] = "coffer.ledger/1"


class NodeStarted(Facts):
    """The version of the agent that has started."""

    version: Label


class PeerChanged(Facts):
    """A node that is our peer from now on, or no longer, and our name for it."""

    peer: NodeText
    name: Label


class DatasetRegistered(Facts):
    """A table that may be named in contracts, and what commits to its content."""

    dataset: Label
    fingerprint: Label


class DatasetRemoved(Facts):
    """A table that may be named no longer."""

    dataset: Label


class DatasetShown(Facts):
    """A table whose description a peer may see from now on, or no longer."""

    dataset: Label
    peer: NodeText


class PolicyChanged(Facts):
    """The version of a dataset's policy that is in force from now on; none if it was taken away."""

    dataset: Label
    version: Count
    digest: Digest | None = None


class GrantIssued(Facts):
    """What a peer may do with a dataset; without ``uses`` as often as the policy says."""

    grant: Label
    peer: NodeText
    dataset: Label
    service: Name
    uses: Count | None = None
    expires: Count | None = None


class GrantRevoked(Facts):
    """A grant that holds no longer, and why."""

    grant: Label
    reason: Sentence


class GrantUsed(Facts):
    """The how manieth use of a grant this was, and how many are left."""

    grant: Label
    use: Count
    left: Count | None = None


class JobProposed(Facts):
    """The contract that was proposed."""

    digest: Digest
    service: Name
    parties: Nodes


class JobDecided(Facts):
    """How a node's policies judged a contract, by which rule, and what it said."""

    digest: Digest
    node: NodeText
    decision: Literal["allowed", "refused"]
    rule: Label
    sentence: Sentence | None = None


class JobApproved(Facts):
    """Who has approved which contract; more than one person where a policy asks for it."""

    digest: Digest
    approver: Label


class JobRejected(Facts):
    """Why a contract will not be signed here."""

    digest: Digest
    reason: Name


class JobSigned(Facts):
    """The node whose signature on the contract verified.

    policy_version: of our own dataset's policy, under which we sign it.
    """

    digest: Digest
    node: NodeText
    policy_version: Count | None = None


class JobStarted(Facts):
    """The attempt that began."""

    attempt: Count


class JobEnded(Facts):
    """How a job ended, and the word for why; the rule, if it was by a policy."""

    outcome: Literal["succeeded", "failed", "rejected", "cancelled"]
    reason: Name
    rule: Label | None = None


class JobDisclosed(Facts):
    """What each party learns by the job, and what that rests on, as whoever approved it saw it."""

    digest: Digest
    statements: Sentences


class JobMetered(Facts):
    """What a job took at this node, as its own agent counted; of a party without a dataset no rows.

    Bytes are those that the agent carried for the worker, in all attempts; of one that was broken
    off, what had gone out or come in by then, which the peer's agent may count otherwise. Processor
    time is the kernel's figure, rounds are the worker's word. Wall time ends with our verdict.
    """

    dataset: Label | None = None
    rows_offered: Count
    rows_used: Count
    uses: Count | None = None
    bytes_sent: Count
    bytes_received: Count
    rounds: Count
    cpu_milliseconds: Count
    accelerator_milliseconds: Count
    wall_milliseconds: Count


class BudgetSpent(Facts):
    """The privacy budget that went, and all that is spent of the dataset at this peer."""

    dataset: Label
    peer: NodeText
    epsilon: Decimal
    delta: Decimal
    total_epsilon: Decimal
    total_delta: Decimal


class LoginSucceeded(Facts):
    """Who came in, how and from where."""

    account: Name
    method: Name
    address: Label | None = None


class LoginFailed(Facts):
    """Who could not come in and why. No account: what was typed may have been a password."""

    account: Name | None = None
    reason: Name
    address: Label | None = None


class AccountChanged(Facts):
    """What was changed of an account, and the role that it has since.

    before:    the role that it had, where that changed; address: where an enrolment came from.
    principal: the user or key that was bound or released.
    token:     the name of a token that was issued or revoked; scope: what it may.
    """

    account: Name
    change: Name
    role: Name | None = None
    before: Name | None = None
    address: Label | None = None
    principal: Label | None = None
    token: Label | None = None
    scope: Label | None = None


class OperatorChanged(Facts):
    """Who may administer the node from afar since, or no longer, by which key."""

    operator: NodeText
    name: Label
    change: Literal["enrolled", "removed"]


class CallAdmitted(Facts):
    """What one of the node's people asked to be done, by the name of the call alone."""

    call: Label


class LedgerExchanged(Facts):
    """What a peer's ledger was, as it signed it."""

    peer: NodeText
    size: Count
    root: Digest


class LedgerRefused(Facts):
    """A checkpoint that a peer or we would not sign, and why."""

    peer: NodeText
    reason: Sentence


class LedgerPruned(Facts):
    """The first entry whose content is still kept."""

    up_to: Count


class LedgerDirected(Facts):
    """Whom the ledger is sent to from here on, and by which CA it is known; nobody, if none."""

    address: Label | None = None
    authority: Digest | None = None


FACTS: Final[dict[Kind, type[Facts]]] = {
    Kind.LEDGER_BEGUN: LedgerBegun,
    Kind.NODE_STARTED: NodeStarted,
    Kind.PEER_PAIRED: PeerChanged,
    Kind.PEER_UNPAIRED: PeerChanged,
    Kind.DATASET_REGISTERED: DatasetRegistered,
    Kind.DATASET_REMOVED: DatasetRemoved,
    Kind.DATASET_PUBLISHED: DatasetShown,
    Kind.DATASET_WITHDRAWN: DatasetShown,
    Kind.POLICY_CHANGED: PolicyChanged,
    Kind.GRANT_ISSUED: GrantIssued,
    Kind.GRANT_REVOKED: GrantRevoked,
    Kind.GRANT_USED: GrantUsed,
    Kind.JOB_PROPOSED: JobProposed,
    Kind.JOB_DECIDED: JobDecided,
    Kind.JOB_APPROVED: JobApproved,
    Kind.JOB_REJECTED: JobRejected,
    Kind.JOB_SIGNED: JobSigned,
    Kind.JOB_STARTED: JobStarted,
    Kind.JOB_ENDED: JobEnded,
    Kind.JOB_DISCLOSED: JobDisclosed,
    Kind.JOB_METERED: JobMetered,
    Kind.BUDGET_SPENT: BudgetSpent,
    Kind.LOGIN_SUCCEEDED: LoginSucceeded,
    Kind.LOGIN_FAILED: LoginFailed,
    Kind.ACCOUNT_CHANGED: AccountChanged,
    Kind.OPERATOR_CHANGED: OperatorChanged,
    Kind.CALL_ADMITTED: CallAdmitted,
    Kind.LEDGER_EXCHANGED: LedgerExchanged,
    Kind.LEDGER_REFUSED: LedgerRefused,
    Kind.LEDGER_PRUNED: LedgerPruned,
    Kind.LEDGER_DIRECTED: LedgerDirected,
}
"""The one table of which facts a kind has."""
