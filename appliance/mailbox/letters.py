"""What nodes write to one another: the kinds of letter, their bodies, and why one may be refused.

A body is canonical JSON (RFC 8785) of its kind's model. A letter is a peer's own text: whoever
handles one believes nothing in it but what the sender may say of itself.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Final, TypeVar

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from appliance.mailbox.faults import explain, harmless
from services.errors import ServiceError

# A proposal carries a contract and a grant of at most 64 KiB each, in base64 and signed once.
MOST_BODY_BYTES: Final = 192 * 1024

Word = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Kind(Enum):
    """What a letter is about."""

    PAIRING_CONFIRMED = "pairing.confirmed"
    PAIRING_REJECTED = "pairing.rejected"
    UNPAIRED = "unpaired"
    DATASET_PUBLISHED = "dataset.published"
    DATASET_WITHDRAWN = "dataset.withdrawn"
    JOB_PROPOSED = "job.proposed"
    JOB_SIGNED = "job.signed"
    JOB_VERDICT = "job.verdict"
    GRANT_ISSUED = "grant.issued"
    GRANT_REVOKED = "grant.revoked"
    LEDGER_SHOWN = "ledger.shown"
    LEDGER_COUNTERSIGNED = "ledger.countersigned"
    LEDGER_HELD = "ledger.held"
    LEDGER_UNWITNESSED = "ledger.unwitnessed"
    # Stands where a letter was dropped that may have been sent, so that numbers have no gap.
    VOID = "void"


class Refusal(Enum):
    """Why a letter had no effect. All that the sender is told."""

    OUT_OF_ORDER = "out-of-order"
    TOO_LARGE = "too-large"
    UNKNOWN_KIND = "unknown-kind"
    MALFORMED = "malformed"
    NOT_ALLOWED = "not-allowed"
    BAD_SIGNATURE = "bad-signature"
    CONFLICT = "conflict"
    TOO_MANY = "too-many"
    # The receiver is of another version and gave a reason that this one does not know.
    OTHER = "other"

    @property
    def is_passing(self) -> bool:
        """Whether the same letter may be accepted later, so that it stays in the outbox."""
        return self is Refusal.OUT_OF_ORDER

    @classmethod
    def parse(cls, word: str) -> "Refusal | None":
        """Read a receipt's word; None if it says that the letter took effect."""
        if not word:
            return None
        return next((refusal for refusal in cls if refusal.value == word), cls.OTHER)


class LetterRefused(ServiceError):
    """A letter from a peer was refused; what it would have changed is undone."""

    def __init__(self, refusal: Refusal, what: str) -> None:
        super().__init__(what)
        self.refusal = refusal


class Undelivered(ServiceError):
    """A letter could not be handed over now; it stays in the outbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One numbered letter as it travels. ``kind`` may be one that this version does not know."""

    number: int
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the receiver says of a letter: None as ``refusal`` means that it took effect."""

    number: int
    refusal: Refusal | None = None


class Body(BaseModel):
    """The text of a letter: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PairingConfirmed(Body):
    """The operator there saw the same short authentication string.

    pairing: which one, for a letter may be older than the pairing that stands now.
    """

    pairing: Word


class PairingRejected(Body):
    """The operator there saw another string, or wants no pairing."""

    pairing: Word


class Unpaired(Body):
    """The node there has forgotten this one."""

    pairing: Word


class ColumnBody(Body):
    """One column of a published dataset."""

    name: Text
    type: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class DatasetPublished(Body):
    """A dataset that may be named in contracts from now on, or its new state.

    is_bound: whether ``row_count`` is a bound that hides how many rows there are.
    payload:  the columns whose values the sender lets the receiver have where rows match.
    """

    name: Text
    columns: tuple[ColumnBody, ...]
    key: tuple[Text, ...]
    normal_form: tuple[Word, ...]
    row_count: int
    is_bound: bool = False
    payload: tuple[Text, ...] = ()
    fingerprint: Word


class DatasetWithdrawn(Body):
    """A dataset that may be named no more."""

    name: Text


class JobProposed(Body):
    """A contract with its proposer's signature: a DSSE envelope, JSON.

    grant: the envelope of what the proposer grants of its own dataset, empty if it brings none.
    """

    envelope: str
    grant: str = ""


class JobSigned(Body):
    """The sender's own signature on a contract, base64. ``digest`` is the contract's.

    grant: the envelope of what the sender grants of its own dataset, empty if it brings none.
    """

    job_id: Word
    digest: Word
    signature: Text
    grant: str = ""


class JobVerdict(Body):
    """The sender's one and last word on a job. ``note`` is what its operator wrote, if anything."""

    job_id: Word
    verdict: Word
    reason: Word
    note: Annotated[str, StringConstraints(max_length=200)] = ""


class GrantIssued(Body):
    """What the sender lets the receiver do by several jobs: a grant in its envelope."""

    envelope: str


class GrantRevoked(Body):
    """The sender takes a grant back. Jobs that depend on it end."""

    id: Word


Size = Annotated[int, Field(ge=0, le=2**53 - 1)]


class LedgerShown(Body):
    """The sender's ledger as it is: a signed checkpoint (C2SP).

    since: the size of what was shown before, from which ``proof`` shows that it goes on (RFC 9162,
           hashes in base64); 0 if nothing was.
    """

    note: Annotated[str, StringConstraints(max_length=4096)]
    since: Size
    proof: Annotated[tuple[Text, ...], Field(max_length=64)]


class LedgerCountersigned(Body):
    """The sender's signature line on the receiver's checkpoint of a size."""

    size: Size
    line: Annotated[str, StringConstraints(max_length=1024)]


class LedgerHeld(Body):
    """How large the receiver's ledger was when the sender saw it last; 0 if it never did."""

    size: Size


class LedgerUnwitnessed(Body):
    """The sender does not sign what was shown, for it does not go on from what it holds."""

    size: Size


class Void(Body):
    """Nothing."""


BODIES: Final[dict[Kind, type[Body]]] = {
    Kind.PAIRING_CONFIRMED: PairingConfirmed,
    Kind.PAIRING_REJECTED: PairingRejected,
    Kind.UNPAIRED: Unpaired,
    Kind.DATASET_PUBLISHED: DatasetPublished,
    Kind.DATASET_WITHDRAWN: DatasetWithdrawn,
    Kind.JOB_PROPOSED: JobProposed,
    Kind.JOB_SIGNED: JobSigned,
    Kind.JOB_VERDICT: JobVerdict,
    Kind.GRANT_ISSUED: GrantIssued,
    Kind.GRANT_REVOKED: GrantRevoked,
    Kind.LEDGER_SHOWN: LedgerShown,
    Kind.LEDGER_COUNTERSIGNED: LedgerCountersigned,
    Kind.LEDGER_HELD: LedgerHeld,
    Kind.LEDGER_UNWITNESSED: LedgerUnwitnessed,
    Kind.VOID: Void,
}

B = TypeVar("B", bound=Body)


def write_body(kind: Kind, body: Body) -> bytes:
    """Return the canonical bytes of a body; ValueError if it is not of this kind or too large."""
    if type(body) is not BODIES[kind]:
        raise ValueError(f"a {type(body).__name__} is no body for {kind.value}")
    data = rfc8785.dumps(body.model_dump(mode="json"))
    if len(data) > MOST_BODY_BYTES:
        raise ValueError(f"a {kind.value} letter has {len(data)} bytes, at most {MOST_BODY_BYTES}")
    return data


def parse_letter(letter: Letter) -> tuple[Kind, Body]:
    """Read a peer's letter.

    Raises: LetterRefused, if it is too large, of unknown kind or malformed.
    """
    if len(letter.body) > MOST_BODY_BYTES:
        raise LetterRefused(Refusal.TOO_LARGE, f"a letter has {len(letter.body)} bytes")
    kind = next((kind for kind in Kind if kind.value == letter.kind), None)
    if kind is None:
        raise LetterRefused(
            Refusal.UNKNOWN_KIND, f"a letter is of the kind {harmless(letter.kind)}"
        )
    try:
        return kind, BODIES[kind].model_validate_json(letter.body)
    except ValidationError as error:
        raise LetterRefused(
            Refusal.MALFORMED, f"a {kind.value} letter is malformed: {explain(error)}"
        ) from None
