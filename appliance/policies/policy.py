"""The policy: what the owner of a dataset allows, as one document. What it leaves out is refused.

Two texts that say the same are one :class:`Policy`, with one canonical form and one digest: lists
are sets and sorted, times are UTC, decimals have no zeros at their end.
"""

import hashlib
from collections.abc import Collection
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Final, Self

import rfc8785
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from appliance.policies.errors import nearest, quoted
from appliance.policies.values import (
    POLICY_TYPE,
    Amount,
    Count,
    Label,
    Moment,
    Peers,
    Services,
    Uses,
    Version,
    as_word,
    fault,
    require_type,
)
from services.demand import ColumnUse
from services.service import Adversary

NEVER: Final = "never"
SHOWN: Final = frozenset({ColumnUse.JOIN_PAYLOAD, ColumnUse.PLAIN})
"""The uses that show values row by row, so that a policy says to whom."""

_MOST_APPROVALS: Final = 16

_WORD: Final = {"enum": [*(use.value for use in ColumnUse), NEVER]}
_WORDS: Final = {
    "anyOf": [_WORD, {"type": "array", "items": _WORD, "minItems": 1, "uniqueItems": True}]
}
_RECEIVERS: Final = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
_COLUMN: Final = {
    "anyOf": [
        *_WORDS["anyOf"],
        {
            "type": "object",
            "properties": {"uses": _WORDS, "receivers": _RECEIVERS},
            "required": ["uses"],
            "additionalProperties": False,
        },
    ]
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ColumnRule(_Part):
    """What may be made of one column; without uses, nothing.

    receivers: who may get its values row by row, for uses that show them.
    """

    uses: Uses
    receivers: Peers = ()

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, said: Any) -> Any:
        """Take a word or a list of words for a table that has nothing but uses."""
        table = dict(said) if isinstance(said, dict) else {"uses": said}
        uses = table.get("uses")
        words = [uses] if isinstance(uses, str) else uses
        if words == []:
            raise fault("names no use", f'write "{NEVER}" if there is to be none')
        if isinstance(words, list) and NEVER in words:
            if len(words) > 1:
                raise fault(f'says "{NEVER}", and uses beside it', "leave one of them out")
            words = []
        return table | ({} if uses is None else {"uses": words})

    @model_validator(mode="after")
    def _says_to_whom(self) -> Self:
        shown = [use.value for use in self.uses if use in SHOWN]
        if shown and not self.receivers:
            raise fault(
                f"{shown[0]} shows rows, and no receiver is named",
                f'write {{ uses = ["{shown[0]}"], receivers = ["PEER"] }}',
            )
        if self.receivers and not shown:
            raise fault(
                "names receivers, and no use that shows rows to them",
                "leave the receivers out, or add join-payload or plain",
            )
        return self

    def uses_among(self, peers: Collection[str]) -> frozenset[ColumnUse]:
        """Return the uses that a contract with these peers, by node id, may make of the column.

        A use implies those that show no more. One that shows rows to receivers does so only if all
        the peers are among these, for others may get what comes of the implied use.
        """
        if SHOWN.isdisjoint(self.uses):
            return self._among_receivers
        is_for_all = set(peers) <= set(self.receivers)
        return self._among_receivers if is_for_all else self._among_others

    @cached_property
    def _among_receivers(self) -> frozenset[ColumnUse]:
        return _with_implied(self.uses, self.uses)

    @cached_property
    def _among_others(self) -> frozenset[ColumnUse]:
        return _with_implied(self.uses, [use for use in self.uses if use not in SHOWN])


def _with_implied(
    uses: Collection[ColumnUse], implying: Collection[ColumnUse]
) -> frozenset[ColumnUse]:
    return frozenset(uses).union(*(use.implied for use in implying))


class Security(_Part):
    """What is asked of the other parties and of the protocol."""

    adversary: Annotated[Adversary, as_word(Adversary, "adversary")] = Field(
        default=Adversary.MALICIOUS,
        description="What a corrupt peer may do without breaking the privacy of a run: with"
        ' "malicious" anything; "semi-honest" also allows runs in which it must keep to the'
        " protocol.",
    )
    attested_peers: bool = Field(
        default=False,
        description="Whether each peer must have proven by its hardware which software it runs.",
    )
    smallest_version: Version | None = Field(
        default=None, description="The oldest version of coffer that a peer may run; as 0.1.0."
    )


class Budget(_Part):
    """How much all runs together may tell of one row (differential privacy)."""

    epsilon: Amount = Field(description="The most that all runs together may spend.")
    delta: Amount = Field(
        default=Decimal(0),
        description="As epsilon; the chance that the bound does not hold.",
        json_schema_extra={"default": 0},
    )
    exact_figures: bool = Field(
        default=False,
        description="Whether exact figures may stand beside those with noise. A result that has"
        " no noise at all is refused in any case.",
    )


class Policy(_Part):
    """What the owner of a dataset allows. An empty one allows nothing."""

    type: Annotated[str, BeforeValidator(require_type), WithJsonSchema({"const": POLICY_TYPE})]
    peers: Peers = Field(
        default=(), description="Who may be party to a contract: names of peers, or node ids."
    )
    services: Services = Field(
        default=(), description="The services that may run, such as psi.intersect."
    )
    valid_from: Moment | None = Field(
        default=None, description="From when on contracts are allowed; at once if not said."
    )
    valid_until: Moment | None = Field(
        default=None,
        description="Until when contracts are allowed; none is before an end is named.",
    )
    uses: Count = Field(default=0, description="How many jobs may use the dataset, in all.")
    uses_per_day: Count | None = Field(
        default=None,
        description="How many of them on one day of the calendar in UTC; no other limit if not"
        " said.",
    )
    approvals: Annotated[int, Field(ge=0, le=_MOST_APPROVALS)] = Field(
        default=1,
        description="How many different people must approve a contract that is allowed; 0 signs"
        " it at once.",
    )
    smallest_group: Count = Field(
        default=10, description="How many rows must stand behind each figure that others get."
    )
    smallest_intersection: Count = Field(
        default=10,
        description="How many rows must match before others get anything; 0 allows services that"
        " tell however few match.",
    )
    largest_result: Count = Field(
        default=0, description="Of how many rows others may get something row by row."
    )
    security: Security = Field(default=Security(), description="What is asked of the peers.")
    budget: Budget | None = Field(
        default=None,
        description="The privacy budget: with one, results without noise are refused.",
    )
    columns: Annotated[
        dict[Label, Annotated[ColumnRule, WithJsonSchema(_COLUMN)]],
        Field(description="What may be made of each column; never of those that are not named."),
    ] = Field(default={})

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise fault("valid_until is not after valid_from", "mend one of them")
        if self.uses_per_day is not None and self.uses_per_day > self.uses:
            raise fault(
                f"uses_per_day is {self.uses_per_day}, more than uses, which is {self.uses}",
                "raise uses, or lower uses_per_day",
            )
        for name, column in self.columns.items():
            for peer in column.receivers:
                if peer not in self.peers:
                    raise fault(
                        f"{quoted(peer)} is to receive column {quoted(name)}, and is not among"
                        " the peers",
                        nearest(peer, self.peers, "add it to peers, written in the same way"),
                    )
        return self


def canonical_form(policy: Policy) -> bytes:
    """Return the one way to write a policy (RFC 8785 JSON), by which versions are compared."""
    return rfc8785.dumps(policy.model_dump(mode="json"))


def digest_of(policy: Policy) -> str:
    """Return the SHA-256 of the canonical form, hexadecimal: what the ledger names."""
    return hashlib.sha256(canonical_form(policy)).hexdigest()


def policy_schema() -> dict[str, Any]:
    """Return the JSON schema of the document, by which editors help who writes one."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **Policy.model_json_schema()}
