"""Typed messages to bytes and back. No I/O.

A message is a class with annotated fields of a closed list of types, all of bounded length:

    @message("psi.ecdh/blinded")
    class Blinded:
        elements: Annotated[NDArray[np.uint8], Column(np.uint8, 32)] = secret()

On the wire it is the MessagePack array ``[tag, version, [field, …]]``, fields in order of
declaration, a column as the little-endian bytes of its rows. If anything here or in a message
changes, raise the message's version.
"""

import dataclasses
import struct
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar, dataclass_transform

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.errors import LocalProtocolError, PeerProtocolError

MOST_BYTES: Final = 16 * 2**20
"""No message is longer, whatever its fields would allow."""

Part = bytes | memoryview
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Column:
    """The type of a column field: rows of ``width`` numbers, or shape (n,) if width is 0."""

    dtype: type[np.integer[Any]] | type[np.bool_]
    width: int = 0

    def parts(self, value: NDArray[Any]) -> list[Part]:
        """Return the bytes of a column, the rows not copied."""
        shape = (len(value), self.width) if self.width else (len(value),)
        _require_ours(
            value.shape == shape and value.dtype == self._wire_dtype, f"column is not {self}"
        )
        rows = np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
        return [b"\xc6" + struct.pack(">I", len(rows)), rows]

    def parse(self, value: memoryview, most_rows: int) -> NDArray[Any]:
        """Return the rows over the received bytes, read-only; ValueError if not whole rows."""
        row_bytes = self.most_bytes(1)
        if len(value) % row_bytes:
            raise ValueError(f"a column of {len(value)} bytes is not made of rows of {row_bytes}")
        if len(value) > most_rows * row_bytes:
            raise ValueError(
                f"a column has {len(value) // row_bytes} rows, at most {most_rows} were due"
            )
        if self.dtype is np.bool_ and np.any(np.frombuffer(value, np.uint8) > 1):
            raise ValueError("a column of truth values holds something else")
        column = np.frombuffer(value.toreadonly(), dtype=self._wire_dtype)
        return column.reshape(-1, self.width) if self.width else column

    def most_bytes(self, rows: int) -> int:
        """Return how long ``rows`` rows are on the wire."""
        return rows * max(self.width, 1) * self._wire_dtype.itemsize

    @property
    def _wire_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype).newbyteorder("<")


@dataclass(frozen=True, slots=True)
class Size:
    """The type of a bytes field: exactly ``count`` bytes."""

    count: int

    def parts(self, value: bytes) -> list[Part]:
        """Return the bytes of the field."""
        _require_ours(isinstance(value, bytes) and len(value) == self.count, f"field is not {self}")
        return [b"\xc6" + struct.pack(">I", self.count), value]

    def parse(self, value: memoryview, most_rows: int) -> bytes:
        """Return the field; ValueError if it has another length."""
        del most_rows
        if len(value) != self.count:
            raise ValueError(f"a field of {self.count} bytes has {len(value)}")
        return bytes(value)

    def most_bytes(self, rows: int) -> int:
        """Return how long the field is on the wire."""
        del rows
        return self.count


@dataclass(frozen=True, slots=True)
class Number:
    """The type of an int field: 0…2^63-1."""

    def parts(self, value: int) -> list[Part]:
        """Return the bytes of the field."""
        _require_ours(type(value) is int and 0 <= value < 2**63, f"field is not {self}")
        return [msgspec.msgpack.encode(value)]

    def parse(self, value: int, most_rows: int) -> int:
        """Return the field; ValueError if it is out of range."""
        del most_rows
        if not 0 <= value < 2**63:
            raise ValueError("a number is out of range")
        return value

    def most_bytes(self, rows: int) -> int:
        """Return how long the field is at most on the wire."""
        del rows
        return 9


Kind = Column | Size | Number


@dataclass(frozen=True, slots=True)
class Layout:
    """How one message type looks on the wire."""

    tag: str
    version: int
    kinds: tuple[tuple[str, Kind], ...]
    decoder: "msgspec.msgpack.Decoder[tuple[Any, ...]]"


def secret() -> Any:
    """Declare a field that must not be shown: it is left out of ``repr``."""
    return dataclasses.field(repr=False)


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(secret,))
def message(tag: str, *, version: int = 1) -> Callable[[type[M]], type[M]]:
    """Make a frozen message type of a class with annotated fields; ``tag`` is its name on the wire.

    Messages have no ``==``: a comparison of secrets would not take constant time.
    """

    def declare(cls: type[M]) -> type[M]:
        made = dataclass(frozen=True, slots=True, eq=False)(cls)
        hints = typing.get_type_hints(made, include_extras=True)
        kinds = tuple((name, _kind_of(hint)) for name, hint in hints.items())
        carried = tuple(int if isinstance(kind, Number) else memoryview for _, kind in kinds)
        decoder = msgspec.msgpack.Decoder(tuple[carried])  # type: ignore[valid-type]
        setattr(made, _LAYOUT, Layout(tag, version, kinds, decoder))
        return made

    return declare


def _kind_of(hint: Any) -> Kind:
    if hint is int:
        return Number()
    if typing.get_origin(hint) is Annotated and isinstance(hint.__metadata__[0], Column | Size):
        kind: Kind = hint.__metadata__[0]
        return kind
    raise TypeError(f"{hint} is not among the types of message fields")


_LAYOUT: Final = "_coffer_layout"
_ENVELOPE: Final = msgspec.msgpack.Decoder(tuple[str, int, msgspec.Raw])


def layout_of(message_type: type[Any]) -> Layout:
    """Return how messages of this type look on the wire."""
    layout: Layout = getattr(message_type, _LAYOUT)
    return layout


def most_bytes(message_type: type[Any], rows: int) -> int:
    """Return the length that no message of this type with at most ``rows`` rows exceeds."""
    layout = layout_of(message_type)
    fields = sum(5 + kind.most_bytes(rows) for _, kind in layout.kinds)
    return min(MOST_BYTES, 32 + len(layout.tag) + fields)


def encode(value: object) -> list[Part]:
    """Return the bytes of a message, in parts so that columns need not be copied."""
    layout = layout_of(type(value))
    envelope = b"\x93" + msgspec.msgpack.encode(layout.tag) + msgspec.msgpack.encode(layout.version)
    parts: list[Part] = [envelope + bytes([0x90 | len(layout.kinds)])]
    for name, kind in layout.kinds:
        parts.extend(kind.parts(getattr(value, name)))
    _require_ours(sum(map(len, parts)) <= MOST_BYTES, f"message {layout.tag} is too long")
    return parts


def decode(message_type: type[M], data: Part, *, sender: int, rows: int = 0) -> M:
    """Return the message in ``data``, its columns lying over it.

    Raises: PeerProtocolError naming ``sender`` unless data is exactly one such message, with at
            most ``rows`` rows in each column.
    """
    layout = layout_of(message_type)
    try:
        tag, version, raw = _ENVELOPE.decode(data)
        if tag != layout.tag:
            raise ValueError("another message came in its place")
        if version != layout.version:
            raise ValueError(f"version {version} came, ours is {layout.version}")
        carried = layout.decoder.decode(raw)
        pairs = zip(layout.kinds, carried, strict=True)
        fields = {name: kind.parse(value, rows) for (name, kind), value in pairs}
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise PeerProtocolError(sender, f"message {layout.tag} is malformed") from error
    except ValueError as error:
        raise PeerProtocolError(sender, f"message {layout.tag}: {error}") from error
    return message_type(**fields)


def join(parts: Sequence[Part]) -> bytes:
    """Return the parts of a message in one piece."""
    return b"".join(parts)


def _require_ours(condition: bool, what: str) -> None:
    if not condition:
        raise LocalProtocolError(what)
