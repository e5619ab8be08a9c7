"""The contract: a proposed job as one canonical document (RFC 8785 JSON), the same for all parties.

A contract's bytes are what is signed, stored and hashed; the model is only a view of them. Bytes
that are not exactly what :func:`write_contract` gives for the model are refused.
"""

import base64
import hashlib
import secrets
from typing import Annotated, Any, Final, Literal, Self

import rfc8785
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from appliance.contracts.envelope import DocumentType
from appliance.contracts.errors import ContractMalformed
from appliance.identity.fields import PRINTABLE, Count, JobId, Label, Name, NodeText
from appliance.identity.node_id import NodeId
from appliance.mailbox.faults import explain, harmless

MOST_CONTRACT_BYTES: Final = 64 * 1024
CONTRACT: Final = DocumentType(
    name="contract",
    media_type="application/vnd.coffer.contract+json",
    most_bytes=MOST_CONTRACT_BYTES,
)
MOST_PARTIES: Final = 64
LIFE_MILLISECONDS: Final = 24 * 3600 * 1000
MOST_LIFE_MILLISECONDS: Final = 7 * LIFE_MILLISECONDS
GRACE_SECONDS: Final = 60
MOST_SECONDS: Final = 6 * 3600


# Types can be nested, such as STRUCT(a BIGINT, b VARCHAR[]).
TypeName = Annotated[str, StringConstraints(min_length=1, max_length=4096), PRINTABLE]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ServiceRef(_Part):
    """Which service, and the version of its messages."""

    name: Name
    version: Count


class ContractColumn(_Part):
    """One column of a party's dataset."""

    name: Label
    type: TypeName


class ContractDataset(_Part):
    """One party's dataset as the peers know it; the fingerprint commits to its content.

    is_bound: whether ``row_count`` is a bound that hides how many rows there are.
    payload:  the columns whose values its owner lets the others have where rows match.
    """

    name: Label
    columns: tuple[ContractColumn, ...]
    key: tuple[Label, ...]
    normal_form: tuple[Name, ...]
    row_count: Count
    is_bound: bool = False
    payload: tuple[Label, ...] = ()
    fingerprint: Label


class ContractParty(_Part):
    """One party. Its rank is its place in the list; ``name`` is the proposer's name for it."""

    node: NodeText
    name: Label
    role: Name
    dataset: ContractDataset | None
    receives: tuple[Name, ...]

    @property
    def node_id(self) -> NodeId:
        """The party's node."""
        return NodeId(self.node)


class Limits(_Part):
    """What bounds the run: how long a lost link is bridged, and how long the job may take."""

    grace_seconds: Annotated[int, Field(ge=1, le=3600)] = GRACE_SECONDS
    most_seconds: Annotated[int, Field(ge=1, le=7 * 24 * 3600)] = MOST_SECONDS


class Contract(_Part):
    """A proposed job. Times are milliseconds since 1970-01-01 UTC, by the proposer's clock."""

    type: Literal["coffer.contract/1"] = "coffer.contract/1"
    id: JobId
    service: ServiceRef
    parameters: dict[str, Any]
    parties: Annotated[tuple[ContractParty, ...], Field(min_length=2, max_length=MOST_PARTIES)]
    proposer: Count
    created: Count
    expires: Count
    limits: Limits

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len({party.node for party in self.parties}) != len(self.parties):
            raise ValueError("a node is a party twice")
        if any(len(set(party.receives)) != len(party.receives) for party in self.parties):
            raise ValueError("a party is to receive an output twice")
        if self.proposer >= len(self.parties):
            raise ValueError("the proposer is not a party")
        if not 0 < self.expires - self.created <= MOST_LIFE_MILLISECONDS:
            raise ValueError("the time to expiry is not between 0 and 7 days")
        return self

    def rank_of(self, node_id: NodeId) -> int | None:
        """Return the rank of a node, None if it is not a party."""
        nodes = [party.node for party in self.parties]
        return nodes.index(node_id.text) if node_id.text in nodes else None


def make_job_id() -> str:
    """Return a new random id: 130 bits in 26 letters and digits."""
    return base64.b32encode(secrets.token_bytes(17)).decode("ascii")[:26].lower()


def write_contract(contract: Contract) -> bytes:
    """Return the canonical bytes, which are what parties sign.

    Raises: ContractMalformed if they are too many, or a parameter has no canonical form.
    """
    try:
        data = rfc8785.dumps(contract.model_dump(mode="json"))
    except (rfc8785.CanonicalizationError, ValueError) as error:  # also for what str() refuses
        raise ContractMalformed(
            f"a parameter has no canonical form: {harmless(str(error))}"
        ) from None
    if len(data) > MOST_CONTRACT_BYTES:
        raise ContractMalformed(
            f"the contract has {len(data)} bytes, at most {MOST_CONTRACT_BYTES}",
            remedy="use datasets with fewer or shorter column names",
        )
    return data


def parse_contract(data: bytes) -> Contract:
    """Read a contract from its canonical bytes; ContractMalformed if they are anything else."""
    if len(data) > MOST_CONTRACT_BYTES:
        raise ContractMalformed(f"the contract has {len(data)} bytes")
    try:
        contract = Contract.model_validate_json(data)
    except ValidationError as error:
        raise ContractMalformed(f"the contract is malformed: {explain(error)}") from None
    if write_contract(contract) != data:
        raise ContractMalformed("the contract is not in canonical form")
    return contract


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of a contract's bytes, hexadecimal: what approvers and sessions name."""
    return hashlib.sha256(data).hexdigest()
