"""An entry of the ledger: canonical JSON (RFC 8785), whose bytes are what the tree is made of."""

from typing import Annotated, Any, Final, Literal

import rfc8785
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from appliance.identity.fields import Count, JobId, Name, NodeText
from appliance.ledger.errors import EntryMalformed, EntryTooLong
from appliance.ledger.facts import FACTS, Facts, Kind

MOST_ENTRY_BYTES: Final = 8 * 1024
_MOST_PLACE_CHARACTERS: Final = 80


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NodeItself(_Part):
    """The node, of its own accord."""

    who: Literal["node"] = "node"


class LocalUser(_Part):
    """Somebody on the machine, by the user id that the door saw."""

    who: Literal["local"] = "local"
    uid: Count


class OperatorFromAfar(_Part):
    """An operator, by the id of the key."""

    who: Literal["operator"] = "operator"
    id: NodeText


class AccountHolder(_Part):
    """A person with an account, in the role in which he acted."""

    who: Literal["account"] = "account"
    name: Name
    role: Name


class PeerNode(_Part):
    """Another node."""

    who: Literal["peer"] = "peer"
    node: NodeText


Actor = Annotated[
    NodeItself | LocalUser | OperatorFromAfar | AccountHolder | PeerNode,
    Field(discriminator="who"),
]


class Entry(_Part):
    """One entry. ``at`` is milliseconds since 1970-01-01 UTC, by this node's clock."""

    type: Literal["coffer.ledger-entry/1"] = "coffer.ledger-entry/1"
    index: Count
    at: Count
    kind: Kind
    actor: Actor
    job: JobId | None = None
    facts: SerializeAsAny[Facts]

    @field_validator("facts", mode="before")
    @classmethod
    def _are_of_the_kind(cls, value: Any, info: ValidationInfo) -> Facts:
        facts = FACTS.get(info.data.get("kind"))  # type: ignore[arg-type] # None: kind is wrong
        if facts is None:
            raise ValueError("are of no known kind")
        return facts.model_validate(value)


def write_entry(entry: Entry) -> bytes:
    """Return the canonical bytes. Raises: EntryTooLong."""
    data = rfc8785.dumps(entry.model_dump(mode="json", exclude_none=True))
    if len(data) > MOST_ENTRY_BYTES:
        raise EntryTooLong(len(data), MOST_ENTRY_BYTES)
    return data


def parse_entry(data: bytes) -> Entry:
    """Read an entry from its canonical bytes; EntryMalformed if they are anything else."""
    if len(data) > MOST_ENTRY_BYTES:
        raise EntryMalformed(f"the entry has {len(data)} bytes, at most {MOST_ENTRY_BYTES}")
    try:
        entry = Entry.model_validate_json(data)
    except ValidationError as error:
        raise EntryMalformed(f"the entry is malformed{_place(error)}") from None
    if write_entry(entry) != data:
        raise EntryMalformed("the entry is not in canonical form")
    return entry


def _place(error: ValidationError) -> str:
    """Return where the first fault is. Names of keys are as foreign as values, so escaped."""
    where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
    return f" in {ascii(where[:_MOST_PLACE_CHARACTERS])[1:-1]}" if where else ""
