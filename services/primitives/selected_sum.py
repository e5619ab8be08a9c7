"""Sums over the rows that one party selects of values that the other has: as shares modulo 2^64.

Of each row the holder of the values makes two keys, of which the selector knows one, by oblivious
transfer: its own share is less the first key, the selector's is that key or, by a correction, that
key and the value.
"""

import asyncio
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.kernels import blocks, correlation
from services.kernels.blocks import Blocks
from services.primitives import ot_extension
from services.progress import Progress
from services.randomness import Rng
from services.wire import Column, message, secret

CHUNK_ROWS: Final = 1 << 18
"""Rows of one extension at the most: its message has 0.5 MB."""

CHUNK_BYTES: Final = 8 << 20
"""Of the corrections of one extension, which are one message."""

MOST_COLUMNS: Final = 64

Shares = NDArray[np.uint64]
"""Shape (columns,), one party's shares of sums; both parties' add up modulo 2^64."""


@message("selected_sum/flips")
class Flips:
    """How the selector's bits differ from the random bits that it got."""

    flips: Annotated[Blocks, Column(np.uint64, 2)] = secret()


@message("selected_sum/corrections")
class Corrections:
    """What makes the selector's key of a row that it selects the first key and the value."""

    corrections: Annotated[NDArray[np.uint64], Column(np.uint64)] = secret()


async def holder(
    channel: Channel, values: NDArray[np.uint64], domain: bytes, rng: Rng, progress: Progress
) -> Shares:
    """Return our shares of the sums of those rows of our values that the selector selects.

    Paper:  correlated OT with chosen correlation [ALSZ13] §5.1, over [Roy22]'s extension.
    Model:  two parties, semi-honest; those of the OT extension. (A malicious holder can make sums
            wrong by rows of its choice; a malicious selector gets sums of any rows, which it may
            select anyway.)
    Shapes: values (n, columns), modulo 2^64.
    Leaks:  nothing.
    Cost:   2 rounds a chunk; 2 bytes a row from the selector, 8 bytes a value to it.
    Raises: as the OT extension; PeerProtocolError if flips are not as many as agreed.
    """
    total = np.zeros(values.shape[1], np.uint64)
    for number, piece in enumerate(chunks(*values.shape)):
        rows = values[piece]
        length = -(-len(rows) // 128)
        ours = await ot_extension.sender(channel, length, numbered(domain, number), rng)
        flips = (await channel.receive(Flips, rows=length)).flips
        channel.require(len(flips) == length, "its flips are not as many as agreed")
        first, second = await asyncio.to_thread(both_keys, ours, flips, rows.shape)
        await channel.send(Corrections((first + rows - second).reshape(-1)))
        total -= first.sum(axis=0, dtype=np.uint64)
        progress.advance(len(rows))
    return total


async def selector(
    channel: Channel,
    selected: NDArray[np.bool_],
    columns: int,
    domain: bytes,
    rng: Rng,
    progress: Progress,
) -> Shares:
    """Return our shares of the sums of the holder's values in the rows that we select.

    Paper:  as :func:`holder`.
    Model:  as :func:`holder`.
    Shapes: selected (n,).
    Leaks:  nothing.
    Cost:   as :func:`holder`.
    Raises: as the OT extension; PeerProtocolError if corrections are not as many as agreed.
    """
    total = np.zeros(columns, np.uint64)
    for number, piece in enumerate(chunks(len(selected), columns)):
        bits = selected[piece]
        length = -(-len(bits) // 128)
        ours = await ot_extension.receiver(channel, length, numbered(domain, number), rng)
        await channel.send(Flips(packed(bits, length) ^ ours.choices))
        keys = await asyncio.to_thread(keys_of, ours.rows, (len(bits), columns))
        came = (await channel.receive(Corrections, rows=keys.size)).corrections
        channel.require(len(came) == keys.size, "its corrections are not as many as agreed")
        mask = np.uint64(0) - bits.astype(np.uint64)[:, None]  # so that no bit decides a branch
        total += (keys + (came.reshape(keys.shape) & mask)).sum(axis=0, dtype=np.uint64)
        progress.advance(len(bits))
    return total


def chunks(count: int, columns: int) -> list[slice]:
    """Cut 0…count-1 into pieces whose corrections fit into a message; each of whole blocks."""
    rows = min(CHUNK_ROWS, CHUNK_BYTES // (8 * columns) // 128 * 128)
    return [slice(start, min(start + rows, count)) for start in range(0, count, rows)]


def numbered(domain: bytes, number: int) -> bytes:
    """Return the domain of one chunk."""
    return domain + b" sum %d" % number


def packed(bits: NDArray[np.bool_], length: int) -> Blocks:
    """Return bits as blocks, filled up with zeros."""
    filled = np.zeros(128 * length, np.uint8)
    filled[: len(bits)] = bits
    return blocks.from_bytes(np.packbits(filled, bitorder="little").tobytes())


def both_keys(
    ours: ot_extension.SenderRows, flips: Blocks, shape: tuple[int, ...]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return for each row the keys of not selecting it and of selecting it."""
    flipped = np.unpackbits(flips.astype("<u8").view(np.uint8), bitorder="little")
    masks = (np.uint64(0) - flipped.astype(np.uint64))[:, None] & ours.delta
    first = correlation.transpose(ours.rows) ^ masks
    return stretched(first, shape), stretched(first ^ ours.delta, shape)


def keys_of(rows: Blocks, shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """Return for each row the key that the selector knows."""
    return stretched(correlation.transpose(rows), shape)


def stretched(correlated: Blocks, shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """Return keys of as many words as there are columns, of the first rows.

    All are stretched under one public key: who knows D blocks of keys and tries T seeds meets one
    with a chance of D·T / 2^128, as with trees.
    """
    count, columns = shape
    hashed = correlation.tweaked_hash(correlated)[:count]
    words = correlation.stream(np.ascontiguousarray(hashed), -(-columns // 2), domain=0)
    return np.ascontiguousarray(words.reshape(count, -1)[:, :columns])
