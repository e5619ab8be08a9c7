"""Turns replies of the API into plain values, as ``--json`` prints them.

Every field is present, under its name in the ``.proto``; integers are numbers; a message that is
not set is null. Fields that carry a JSON document (parameters, schemas) become that document;
``contract`` stays the canonical text, so that its digest can be checked.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from google.protobuf.message import Message

Plain: TypeAlias = "bool | int | float | str | Sequence[Plain] | Mapping[str, Plain] | None"

_DOCUMENTS: Final = frozenset({"parameters", "parameters_schema"})


def to_plain(message: Message) -> Mapping[str, Plain]:
    """Return all fields of ``message``, ready for ``json.dumps``."""
    return {field.name: _field(message, field.name) for field in message.DESCRIPTOR.fields}


def _field(message: Message, name: str) -> Plain:
    value: Plain | Message = getattr(message, name)
    if isinstance(value, Message):
        return to_plain(value) if message.HasField(name) else None
    if isinstance(value, str):
        document: Plain = json.loads(value or "{}") if name in _DOCUMENTS else value
        return document
    if isinstance(value, Mapping):
        return {str(key): value[key] for key in sorted(value)}
    if isinstance(value, Sequence):
        return [to_plain(one) if isinstance(one, Message) else one for one in value]
    return value
