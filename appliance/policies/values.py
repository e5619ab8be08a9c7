"""The kinds of values in a policy, and what is said of one that is wrong."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Final, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from appliance.identity.errors import NodeIdMistyped
from appliance.identity.node_id import NodeId
from appliance.policies.errors import nearest, quoted
from services.demand import ColumnUse

POLICY_TYPE: Final = "coffer.policy/1"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FAULT: Final = "policy"
"""The type of the errors whose text and remedy are ours."""
VERSION: Final = r"[0-9]{1,9}(\.[0-9]{1,9}){0,7}"
"""The form of our versions; a peer may say anything of itself."""

_SERVICE: Final = r"[a-z][a-z0-9._-]{0,63}"
_DIGITS_AFTER_POINT: Final = 18
_DIGITS_BEFORE_POINT: Final = 6
# So that any offset from UTC may be taken off.
_YEARS: Final = range(1970, 9999)
_LIKE_A_NODE_ID: Final = re.compile(r"[A-Z0-9]{7}([-–—_ ]+[A-Z0-9]{7}){7}")


def fault(what: str, remedy: str) -> PydanticCustomError:
    """Return the error of a value, to be raised by who validates it."""
    return PydanticCustomError(FAULT, "{what}", {"what": what, "remedy": remedy})


def require_type(value: object) -> object:
    """Return what stands for the document's type; a fault unless it is the one that we read."""
    if value != POLICY_TYPE:
        raise fault(f"there is no type {quoted(value)}", f'write type = "{POLICY_TYPE}"')
    return value


def _is_printable(text: str) -> str:
    if not text.isprintable():
        raise fault("has characters that cannot be printed", "write it without them")
    return text


def _as_peer(text: str) -> str:
    """Return a peer's name as it is, its node id in its one spelling."""
    if not _LIKE_A_NODE_ID.fullmatch(text.upper()):
        return text
    try:
        return NodeId.parse(text).text
    except NodeIdMistyped as error:
        raise fault(error.what, error.remedy) from None


def as_word(kind: type[Enum], what: str) -> BeforeValidator:
    """Return what reads one of the words of a closed set; ``what`` is what a word is called."""

    def known(value: object) -> object:
        words = [one.value for one in kind]
        if value in words:
            return kind(value)
        if isinstance(value, kind):
            return value
        remedy = nearest(str(value), words, f"it is one of {', '.join(words)}")
        raise fault(f"there is no {what} {quoted(value)}", remedy)

    return BeforeValidator(known)


def _in_form(pattern: str, what: str, example: str) -> AfterValidator:
    form = re.compile(pattern)

    def formed(text: str) -> str:
        if not form.fullmatch(text):
            raise fault(f"{quoted(text)} cannot name {what}", f"write it as {example}")
        return text

    return AfterValidator(formed)


def _as_decimal(value: object) -> Decimal:
    """Return a number as an exact decimal, written in one way."""
    number = Decimal(value) if type(value) is int else value
    if not isinstance(number, Decimal) or not number.is_finite() or number.is_signed():
        raise fault("should be a number that is not negative", "write it as 0.5, without quotes")
    exponent = number.as_tuple().exponent
    if number.adjusted() >= _DIGITS_BEFORE_POINT or int(exponent) < -_DIGITS_AFTER_POINT:
        limits = f"{_DIGITS_BEFORE_POINT} digits before the point and {_DIGITS_AFTER_POINT} after"
        raise fault("has too many digits", f"a number has at most {limits} it")
    return Decimal(plain_text(number))


def plain_text(number: Decimal) -> str:
    """Return all digits of a number, without an exponent or zeros at the end."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _as_moment(value: object) -> datetime:
    """Return a time as one of UTC."""
    remedy = "write it as 2027-01-31T18:00:00+08:00, without quotes"
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise fault("should be a date, a time of day and its offset from UTC", remedy)
    if value.year not in _YEARS:
        raise fault("is not a time from 1970 on", remedy)
    return value.astimezone(UTC)


def microseconds_of(moment: datetime) -> int:
    """Return a time as a whole number, to be compared with what no calendar may hold."""
    return (moment - EPOCH) // timedelta(microseconds=1)


_Item = TypeVar("_Item", bound=str | Enum)


def _as_set(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """Return the items in order; each may be there but once."""
    texts = {str(one.value if isinstance(one, Enum) else one): one for one in items}
    if len(texts) < len(items):
        raise fault("names something twice", "name each but once")
    return tuple(texts[text] for text in sorted(texts))


Label = Annotated[
    str, StringConstraints(min_length=1, max_length=256), AfterValidator(_is_printable)
]
PeerName = Annotated[Label, AfterValidator(_as_peer)]
ServiceName = Annotated[
    str,
    _in_form(_SERVICE, "a service", "psi.intersect"),
    WithJsonSchema({"type": "string", "pattern": f"^{_SERVICE}$"}),
]
Version = Annotated[
    str,
    _in_form(VERSION, "a version", "0.1.0"),
    WithJsonSchema({"type": "string", "pattern": f"^{VERSION}$"}),
]
# RFC 8785 has no greater integers.
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Moment = Annotated[
    datetime,
    BeforeValidator(_as_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(_as_decimal),
    PlainSerializer(plain_text, when_used="json"),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
Peers = Annotated[tuple[PeerName, ...], Field(strict=False), AfterValidator(_as_set)]
Services = Annotated[tuple[ServiceName, ...], Field(strict=False), AfterValidator(_as_set)]
Uses = Annotated[
    tuple[Annotated[ColumnUse, as_word(ColumnUse, "use")], ...],
    Field(strict=False),
    AfterValidator(_as_set),
]
