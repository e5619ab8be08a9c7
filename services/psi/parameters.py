"""What a contract may ask of psi.intersect, and how it is read."""

from typing import Final, Literal

from pydantic import Field

from services.service import Parameters, Terms

MOST_PARTITIONS: Final = 4096
LEAST_MEMORY_MIB: Final = 768
MOST_PAYLOAD_BYTES: Final = 4096

Join = Literal["inner", "left", "right", "full", "difference"]


class IntersectParameters(Parameters):
    """How the intersection is computed, and what comes of it."""

    protocol: Literal["auto", "ecdh", "rr22"] = Field(
        default="auto",
        description="how keys are compared blindly; ecdh: Diffie-Hellman over Curve25519; rr22: "
        "vector OLE and a key-value store, many times faster for large tables; auto: the faster "
        "one for tables of these sizes",
    )
    security: Literal["semi-honest", "malicious"] = Field(
        default="semi-honest",
        description="what a party may do without learning more than stated: read along, or do "
        "anything; the latter by rr22 alone",
    )
    network: Literal["lan", "wan"] = Field(
        default="lan", description="between the parties, by which auto chooses"
    )
    join: Join = Field(
        default="inner",
        description="which rows come out; left is the proposer; difference: a party's own rows "
        "that do not match",
    )
    left_columns: tuple[str, ...] = Field(
        default=(), description="columns of the proposer that the other party gets"
    )
    right_columns: tuple[str, ...] = Field(
        default=(), description="columns of the other party that the proposer gets"
    )
    duplicates: Literal["refuse", "first", "all"] = Field(
        default="refuse",
        description="what a key is that several of a party's rows have: an error, or joined with "
        "the other's rows by the first of them or by all",
    )
    memory_mib: int = Field(
        default=2048,
        ge=LEAST_MEMORY_MIB,
        description="memory that a party's worker keeps to, whatever the tables' sizes",
    )
    partitions: int = Field(
        default=1,
        ge=1,
        le=MOST_PARTITIONS,
        description="parts to work on one after another, at the least",
    )
    payload_bytes: int = Field(
        default=64,
        ge=16,
        le=MOST_PAYLOAD_BYTES,
        multiple_of=16,
        description="room for one row's columns if their owner is not to learn which rows match",
    )


def parameters_of(terms: Terms) -> IntersectParameters:
    """Return the contract's parameters; another service's are a bug."""
    if not isinstance(terms.parameters, IntersectParameters):
        raise TypeError(f"{type(terms.parameters).__name__} are not for psi.intersect")
    return terms.parameters
