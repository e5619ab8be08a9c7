"""The grant: what an owner's node lets peers make of its dataset, how often and until when.

Its bytes are canonical JSON (RFC 8785), signed by the grantor's identity key (DSSE). A grant for
one job comes with the owner's signature on the contract; one for several jobs comes before.
"""

import base64
import secrets
from functools import lru_cache
from typing import Annotated, Final, Literal, Self

import rfc8785
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from appliance.contracts.contract import MOST_PARTIES
from appliance.contracts.envelope import DocumentType
from appliance.grants.errors import GrantMalformed
from appliance.identity.fields import Count, JobId, Label, Name, NodeText
from appliance.identity.node_id import NodeId
from appliance.mailbox.faults import explain
from services.demand import ColumnUse

MOST_GRANT_BYTES: Final = 64 * 1024
MOST_USES: Final = 1_000_000
# A peer's grant may take a megabyte of memory.
_KEPT_PARSED: Final = 64
GRANT: Final = DocumentType(
    name="grant", media_type="application/vnd.coffer.grant+json", most_bytes=MOST_GRANT_BYTES
)

GrantId = Annotated[str, StringConstraints(pattern=r"^[a-z2-7]{26}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class GrantedColumn(_Part):
    """One column, what may be made of it, and which nodes may be shown its values row by row."""

    name: Label
    uses: Annotated[tuple[ColumnUse, ...], Field(min_length=1, max_length=len(ColumnUse))]
    shown_to: Annotated[tuple[NodeText, ...], Field(max_length=MOST_PARTIES)] = ()


class Grant(_Part):
    """A grant. Times are milliseconds since 1970-01-01 UTC, by the grantor's clock.

    fingerprint: of the dataset as it was when this was granted: another content needs another.
    uses:        how many jobs may use it in all.
    job:         the one job that it is for, None if it is for any that it covers.
    policy:      digest of the policy that it was granted under.
    """

    type: Literal["coffer.grant/1"] = "coffer.grant/1"
    id: GrantId
    grantor: NodeText
    grantees: Annotated[tuple[NodeText, ...], Field(min_length=1, max_length=MOST_PARTIES)]
    dataset: Label
    fingerprint: Label
    service: Name
    columns: tuple[GrantedColumn, ...]
    uses: Annotated[int, Field(ge=1, le=MOST_USES)]
    job: JobId | None
    issued: Count
    expires: Count
    policy: Label

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.grantor in self.grantees:
            raise ValueError("it is granted to its grantor")
        if len(set(self.grantees)) != len(self.grantees):
            raise ValueError("it is granted to a node twice")
        if len({column.name for column in self.columns}) != len(self.columns):
            raise ValueError("it names a column twice")
        if any(set(column.shown_to) - set(self.grantees) for column in self.columns):
            raise ValueError("a column is shown to a node that it is not granted to")
        if self.expires <= self.issued:
            raise ValueError("it expires before it is issued")
        if self.job is not None and self.uses != 1:
            raise ValueError("it is for one job, but for several uses")
        return self

    @property
    def grantor_id(self) -> NodeId:
        """The owner's node."""
        return NodeId(self.grantor)


def make_grant_id() -> str:
    """Return a new random id: 130 bits in 26 letters and digits."""
    return base64.b32encode(secrets.token_bytes(17)).decode("ascii")[:26].lower()


def write_grant(grant: Grant) -> bytes:
    """Return the canonical bytes, which the grantor signs. Raises: GrantMalformed if too many."""
    data = rfc8785.dumps(grant.model_dump(mode="json"))
    if len(data) > MOST_GRANT_BYTES:
        raise GrantMalformed(
            f"the grant has {len(data)} bytes, at most {MOST_GRANT_BYTES}",
            remedy="grant fewer columns at once",
        )
    return data


@lru_cache(maxsize=_KEPT_PARSED)
def grant_of(data: bytes) -> Grant:
    """Return a grant that this node keeps, and so has parsed before; each is read once."""
    return Grant.model_validate_json(data)


def parse_grant(data: bytes) -> Grant:
    """Read a grant from its canonical bytes; GrantMalformed if they are anything else."""
    if len(data) > MOST_GRANT_BYTES:
        raise GrantMalformed(f"the grant has {len(data)} bytes")
    try:
        grant = Grant.model_validate_json(data)
    except ValidationError as error:
        raise GrantMalformed(f"the grant is malformed: {explain(error)}") from None
    if write_grant(grant) != data:
        raise GrantMalformed("the grant is not in canonical form")
    return grant
