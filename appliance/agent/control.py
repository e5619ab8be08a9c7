"""What an agent and its worker say to each other over the worker's descriptor 0.

Each message is four bytes of length and JSON. Both sides are bounded: the agent does not trust a
worker, which may have been taken over by what it read.
"""

import array
import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from appliance.datasets.source import Inspected, Source, Wanted
from services.errors import ServiceError

MAX_MESSAGE_BYTES: Final = 1 << 20
MAX_DESCRIPTORS: Final = 63
_LENGTH: Final = struct.Struct(">I")

Text = Annotated[str, msgspec.Meta(max_length=4096)]
Word = Annotated[str, msgspec.Meta(max_length=64)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class WorkerSpokeNonsense(ServiceError):
    """What a worker said is not a message, or not one that was due."""


class Message(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="is"
):
    """The common form of all messages: closed, and marked with its kind."""


class Limits(Message, frozen=True, tag="limits"):
    """What a worker may use."""

    memory_bytes: Count
    file_bytes: Count
    seconds: Count
    threads: Count


class RunJob(Message, frozen=True, tag="run"):
    """Run one party's part. The descriptors that come along are its channels, as in ``ranks``.

    kept: where the service's own files lie, which an earlier worker of this job may have left.
    """

    contract: bytes
    rank: int
    ranks: tuple[int, ...]
    source: Source | None
    results: str
    scratch: str
    kept: str
    limits: Limits


class InspectTable(Message, frozen=True, tag="inspect"):
    """Read a table through and say what is in it."""

    wanted: Wanted
    scratch: str
    limits: Limits


class Ready(Message, frozen=True, tag="ready"):
    """The worker has started and given up what no worker needs."""

    pid: Count
    applied: tuple[Text, ...]


class Confined(Message, frozen=True, tag="confined"):
    """The worker has taken its assignment and kept only what this calls for."""

    applied: tuple[Text, ...]


class Progressed(Message, frozen=True, tag="progressed"):
    """How far the worker is in a stage, and what has passed its channels."""

    stage: Word
    done: Count
    total: Count
    bytes_sent: Count
    bytes_received: Count
    rounds: Count
    cpu_milliseconds: Count


class ResultFile(Message, frozen=True, tag="file"):
    """A result that lies in the results folder under this name."""

    name: Word
    row_count: Count


class Finished(Message, frozen=True, tag="finished"):
    """The worker's part is done and its results are on disk."""

    summary: dict[Word, int]
    files: dict[Word, ResultFile]


class Found(Message, frozen=True, tag="found"):
    """The outcome of an inspection."""

    inspected: Inspected


class Failed(Message, frozen=True, tag="failed"):
    """The worker could not go on. ``error`` is the class, ``reason`` a word of jobs' reasons.

    rank: of the peer that is to blame, None if none is.
    """

    error: Word
    reason: Word
    what: Text
    remedy: Text
    rank: int | None = None


class Stopped(Message, frozen=True, tag="stopped"):
    """The worker's unit has ended, with this exit code, or this signal if it is negative.

    Said by ``appliance.agent.worker_end``, for a worker in a unit of its own.
    """

    code: Annotated[int, msgspec.Meta(ge=-64, le=255)]
    by_memory: bool


Order = RunJob | InspectTable
Report = Ready | Confined | Progressed | Finished | Found | Failed | Stopped

_ORDERS: Final = msgspec.json.Decoder(Order)
_REPORTS: Final = msgspec.json.Decoder(Report)


def encode(message: Order | Report) -> bytes:
    """Return the message behind its length."""
    body = msgspec.json.encode(message)
    return _LENGTH.pack(len(body)) + body


def receive_order(control: socket.socket) -> tuple[Order, tuple[int, ...]] | None:
    """Wait in the worker for its assignment and its descriptors; None if the agent has gone."""
    descriptors = array.array("i")
    room = socket.CMSG_SPACE(MAX_DESCRIPTORS * descriptors.itemsize)
    head, ancillary, _, _ = control.recvmsg(_LENGTH.size, room, socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    if not head:
        return None
    head += control.recv(_LENGTH.size - len(head), socket.MSG_WAITALL)
    (length,) = _LENGTH.unpack(head)
    body = control.recv(length, socket.MSG_WAITALL)
    return _ORDERS.decode(body), tuple(descriptors)


async def send_order(
    control: socket.socket, order: Order, channels: Sequence[socket.socket] = ()
) -> None:
    """Give a worker its assignment, with its ends of the channels."""
    data = encode(order)
    descriptors = [channel.fileno() for channel in channels]
    sent = socket.send_fds(control, [data[: _LENGTH.size]], descriptors)
    await asyncio.get_running_loop().sock_sendall(control, data[sent:])


async def receive_report(control: socket.socket) -> Report | None:
    """Return the worker's next report, None once it has hung up.

    Raises: WorkerSpokeNonsense.
    """
    head = await _receive(control, _LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MAX_MESSAGE_BYTES:
        raise WorkerSpokeNonsense("the worker announced a report of an impossible length")
    body = await _receive(control, length)
    if len(body) < length:
        return None
    try:
        report: Report = _REPORTS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise WorkerSpokeNonsense("the worker sent what is not a report") from None
    return report


async def _receive(control: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < count:
        try:
            piece = await loop.sock_recv(control, count - len(data))
        except ConnectionError:
            break
        if not piece:
            break
        data += piece
    return data
