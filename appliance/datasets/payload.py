"""Which columns' values a party can give another: those that are the same again in its hands."""

import re
from collections.abc import Sequence
from typing import Final

from appliance.datasets.errors import PayloadUnsuitable
from services.service import Column

# Types whose values are the same again when they are read from their texts.
_TYPES: Final = re.compile(
    r"BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT)|HUGEINT|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR"
    "|BLOB|BIT|UUID|DATE|TIME|TIMESTAMP|TIMESTAMP_(S|MS|NS)|TIMESTAMP WITH TIME ZONE"
)


def is_returned(kind: str) -> bool:
    """Tell whether a value of this type is the same again when it is read from its text."""
    return _TYPES.fullmatch(kind) is not None


def require_payload(columns: Sequence[Column], payload: Sequence[str]) -> None:
    """Return if these columns' values can be given away; else raise PayloadUnsuitable."""
    types = {column.name: column.type for column in columns}
    for place, name in enumerate(payload):
        if name not in types:
            raise PayloadUnsuitable(f"there is no column {name} to be given")
        if name in payload[:place]:
            raise PayloadUnsuitable(f"the column {name} to be given is named twice")
        if not is_returned(types[name]):
            raise PayloadUnsuitable(
                f"column {name} is of type {types[name]}, whose values cannot be given"
            )
