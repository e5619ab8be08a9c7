"""What fields of signed documents may hold: contracts, grants and entries of the ledger alike."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from appliance.identity.errors import NodeIdMistyped
from appliance.identity.node_id import NodeId


def _is_printable(text: str) -> str:
    """Refuse what could move the cursor of whoever reads it."""
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


def _is_node_id(text: str) -> str:
    try:
        NodeId(text)
    except NodeIdMistyped as error:
        raise ValueError(error.what) from None
    return text


PRINTABLE: Final = AfterValidator(_is_printable)

Label = Annotated[str, StringConstraints(min_length=1, max_length=256), PRINTABLE]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{0,63}$")]
NodeText = Annotated[str, AfterValidator(_is_node_id)]
JobId = Annotated[str, StringConstraints(pattern=r"^[a-z2-7]{26}$")]
# RFC 8785 has no greater integers.
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
