"""The frames of a relay stream as bytes; nothing here waits or remembers.

Each is a type (1 byte), an offset (8 bytes, big-endian) and a payload:

OPEN    the next offset that the sender expects; version, the sender's window, the attempt (1 byte),
        the job's id
DATA    the place of its first byte; up to 1 MiB of the workers' stream
ACK     all before this offset has reached the receiving worker
FIN     the stream's end, which itself takes one offset; no payload
STATUS  0; the sender's progress as JSON
ABORT   0; one byte, an AbortCode
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated, Final

import msgspec

VERSION: Final = 2
MAX_PAYLOAD_BYTES: Final = 1 << 20
MAX_STATUS_BYTES: Final = 256
MAX_OFFSET: Final = 1 << 62
MIN_WINDOW_BYTES: Final = 1 << 20
MAX_WINDOW_BYTES: Final = 8 << 20
MAX_JOB_ID_BYTES: Final = 64

_HEADER: Final = struct.Struct(">BQ")
_OPENING: Final = struct.Struct(">BIB")

# Raises what the caller sees fit, naming the peer, if the condition does not hold.
Require = Callable[[bool, str], None]


class FrameType(IntEnum):
    """What a frame is."""

    OPEN = 1
    DATA = 2
    ACK = 3
    FIN = 4
    STATUS = 5
    ABORT = 6


class AbortCode(IntEnum):
    """All that a peer hears of why we end a job: more would be an oracle."""

    CANCELLED = 1
    FAILED = 2
    BROKE_RULES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Begins each stream. ``expected`` is the offset that its sender wants next.

    attempt: of the job, at the sender; the streams of two attempts have nothing in common.
    """

    job_id: str
    attempt: int
    expected: int
    window_bytes: int


@dataclass(frozen=True, slots=True)
class Data:
    """A piece of the workers' stream, from ``offset`` on."""

    offset: int
    payload: memoryview = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ack:
    """All before ``offset`` has reached the worker there."""

    offset: int


@dataclass(frozen=True, slots=True)
class Fin:
    """The stream has ended; it was ``offset`` bytes long."""

    offset: int


class Status(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How far the sender's worker is: the stage's name, and the part done of the whole run."""

    stage: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    fraction: Annotated[float, msgspec.Meta(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Abort:
    """The sender has ended the job."""

    code: AbortCode


Frame = Open | Data | Ack | Fin | Status | Abort


def encode_data(offset: int, payload: memoryview) -> bytes:
    """Make a DATA frame; the one copy of the payload on this side."""
    return b"".join((_HEADER.pack(FrameType.DATA, offset), payload))


def encode(value: Open | Ack | Fin | Status | Abort) -> bytes:
    """Make any other frame."""
    match value:
        case Open():
            opening = _OPENING.pack(VERSION, value.window_bytes, value.attempt)
            head = _HEADER.pack(FrameType.OPEN, value.expected)
            return head + opening + value.job_id.encode()
        case Ack(offset):
            return _HEADER.pack(FrameType.ACK, offset)
        case Fin(offset):
            return _HEADER.pack(FrameType.FIN, offset)
        case Status():
            return _HEADER.pack(FrameType.STATUS, 0) + msgspec.json.encode(value)
        case Abort(code):
            return _HEADER.pack(FrameType.ABORT, 0) + bytes((code,))


def parse_frame(raw: bytes, require: Require) -> Frame:
    """Read a frame that a peer sent; ``require`` blames the peer for what is wrong with it."""
    require(len(raw) >= _HEADER.size, f"a frame of {len(raw)} bytes is cut short")
    kind, offset = _HEADER.unpack_from(raw)
    payload = memoryview(raw)[_HEADER.size :]
    require(offset <= MAX_OFFSET, "a frame's offset is out of range")
    match kind:
        case FrameType.DATA:
            require(0 < len(payload) <= MAX_PAYLOAD_BYTES, f"a data frame of {len(payload)} bytes")
            return Data(offset, payload)
        case FrameType.ACK:
            require(not payload, "an acknowledgement carries bytes")
            return Ack(offset)
        case FrameType.FIN:
            require(not payload, "an end carries bytes")
            return Fin(offset)
        case FrameType.STATUS:
            return _parse_status(offset, payload, require)
        case FrameType.ABORT:
            known = len(payload) == 1 and payload[0] in AbortCode.__members__.values()
            require(offset == 0 and known, "an abort with an unknown code")
            return Abort(AbortCode(payload[0]))
        case FrameType.OPEN:
            return _parse_open(offset, payload, require)
    require(False, f"a frame of the unknown type {kind}")
    raise AssertionError("require let an unknown frame pass")


def _parse_open(expected: int, payload: memoryview, require: Require) -> Open:
    job_id_bytes = len(payload) - _OPENING.size
    require(0 < job_id_bytes <= MAX_JOB_ID_BYTES, "an opening of a wrong length")
    version, window_bytes, attempt = _OPENING.unpack_from(payload)
    require(version == VERSION, f"relay version {version}, we speak {VERSION}")
    in_range = MIN_WINDOW_BYTES <= window_bytes <= MAX_WINDOW_BYTES
    require(in_range, f"a window of {window_bytes} bytes")
    job_id = bytes(payload[_OPENING.size :])
    require(job_id.isascii() and job_id.isalnum(), "a malformed job id")
    return Open(
        job_id=job_id.decode("ascii"),
        attempt=attempt,
        expected=expected,
        window_bytes=window_bytes,
    )


def _parse_status(offset: int, payload: memoryview, require: Require) -> Status:
    require(offset == 0 and len(payload) <= MAX_STATUS_BYTES, "a malformed status")
    try:
        return msgspec.json.decode(payload, type=Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        require(False, "a malformed status")
        raise
