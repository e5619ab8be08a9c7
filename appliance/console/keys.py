"""What is typed: bytes of a terminal become the few keys that the console knows, or nothing.

Whatever else a terminal may send (function keys, pasted control characters, answers to questions
that nobody asked, bytes that are not ASCII) is taken off the line and dropped here.
"""

from enum import Enum
from typing import Final, TypeAlias


class Key(Enum):
    """A key that is no character."""

    ENTER = "enter"
    BACKSPACE = "backspace"
    CLEAR = "clear the line"
    BACK = "back"
    REDRAW = "draw the screen anew"


# A printable ASCII character stands for itself.
Stroke: TypeAlias = Key | str

_ESCAPE: Final = 0x1B
_KEYS: Final = {
    0x0D: Key.ENTER,
    0x0A: Key.ENTER,
    0x08: Key.BACKSPACE,
    0x7F: Key.BACKSPACE,
    0x15: Key.CLEAR,
    0x0C: Key.REDRAW,
}
_PRINTABLE: Final = range(0x20, 0x7F)
_FINAL: Final = range(0x40, 0x7F)
# What begins a sequence: with parameters up to a final byte, one byte more, or text up to its end.
_CONTROL: Final = ord("[")
_SHIFTS: Final = b"ON"
_TEXTS: Final = b"]PX^_"
_TEXT_ENDS: Final = (0x07, 0x18, 0x1A, 0x9C)
_MOST_SEQUENCE_BYTES: Final = 64


class KeyReader:
    """Takes a terminal's bytes in any pieces and gives the keys in them.

    A sequence that does not end is given up after 64 bytes; what follows is text again.
    """

    def __init__(self) -> None:
        self._begun = b""
        self._seen_bytes = 0

    @property
    def is_inside(self) -> bool:
        """Whether a sequence has begun that more bytes, or a pause, will end."""
        return bool(self._begun)

    def read(self, data: bytes) -> list[Stroke]:
        """Return the keys that these bytes complete."""
        found = (self._next(byte) for byte in data)
        return [stroke for stroke in found if stroke is not None]

    def pause(self) -> list[Stroke]:
        """Say that nothing came for a while: an escape alone is the key of that name."""
        is_key = self._begun == bytes((_ESCAPE,))
        self._begun = b""
        return [Key.BACK] if is_key else []

    def _next(self, byte: int) -> Stroke | None:
        if self._begun:
            self._continue(byte)
            return None
        if byte == _ESCAPE:
            self._begun, self._seen_bytes = bytes((byte,)), 0
            return None
        if byte in _PRINTABLE:
            return chr(byte)
        return _KEYS.get(byte)

    def _continue(self, byte: int) -> None:
        """Take one byte of a sequence off the line."""
        self._seen_bytes += 1
        kind = self._begun[1:2]
        if self._seen_bytes > _MOST_SEQUENCE_BYTES:
            self._begun = b""
        elif byte == _ESCAPE:
            self._begun, self._seen_bytes = bytes((byte,)), 0
        elif not kind:
            begins = byte == _CONTROL or byte in _SHIFTS or byte in _TEXTS
            self._begun = self._begun + bytes((byte,)) if begins else b""
        elif kind[0] == _CONTROL:
            self._begun = _after_parameter(self._begun, self._seen_bytes, byte)
        elif kind[0] in _TEXTS:
            self._begun = b"" if byte in _TEXT_ENDS else self._begun
        else:
            self._begun = b""


def _after_parameter(begun: bytes, seen_bytes: int, byte: int) -> bytes:
    """Return what a control sequence is after one more byte; F1 on a screen is ESC [ [ A."""
    is_double = seen_bytes == 2 and byte == _CONTROL
    if is_double:
        return bytes((_ESCAPE, _SHIFTS[0]))
    return b"" if byte in _FINAL else begun
