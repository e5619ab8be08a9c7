"""Private set intersection by Diffie-Hellman: what both parties have blinded is compared."""

import asyncio
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel, together
from services.kernels import rows
from services.kernels.blocks import Blocks
from services.kernels.shuffle import permutation
from services.primitives.group import Elements, Group, Scalar
from services.progress import Progress
from services.psi.messages import Blinded, Matches, Reblinded
from services.randomness import Rng
from services.service import Keys

CHUNK_ROWS: Final = 8192
"""Elements in one message: 256 KiB, a third of a second's work for a core."""


async def sender(
    channel: Channel,
    keys: Keys,
    their_count: int,
    group: Group,
    rng: Rng,
    progress: Progress,
    *,
    is_shared: bool,
) -> NDArray[np.int64]:
    """Help the receiver intersect; return our rows that match if that is shared, else none.

    Paper:  [Mea86], as [HFH99] §3.2; in chunks, both directions at once.
    Model:  two parties, semi-honest; DDH in ``group``, H a random oracle.
    Leaks:  |X| to the sender; |Y| to the receiver. X are the receiver's keys, Y the sender's.
    Cost:   as :func:`receiver`, but |Y| hashes and |X| + |Y| exponentiations here.
    Raises: PeerProtocolError if the receiver's set has another size, holds a repeat or an unfit
            element, or if more matches come than it has keys.
    """
    b = group.random_scalar(rng)
    order = permutation(rng, len(keys))
    theirs = empty(their_count)  # H(x)^ab
    for y, x in zip_longest(chunks(len(keys)), chunks(their_count)):
        if y:
            await channel.send(Blinded(await blind(keys, order[y], b, group)))  # H(y)^b
            progress.advance(y.stop - y.start)
        if x:
            theirs[x] = await receive_blinded(channel, x, b, group)
            await channel.send(Reblinded(theirs[x]))
            progress.advance(x.stop - x.start)

    await asyncio.to_thread(require_no_repeat, channel, theirs)
    if not is_shared:
        return np.empty(0, np.int64)
    found = await receive_matches(channel, len(keys))
    channel.require(int(np.count_nonzero(found)) <= their_count, "more matches than it has keys")
    return np.sort(order[found])


async def receiver(
    channel: Channel,
    keys: Keys,
    their_count: int,
    group: Group,
    rng: Rng,
    progress: Progress,
    *,
    is_shared: bool,
) -> NDArray[np.int64]:
    """Return those of our rows, ascending, whose keys the sender holds too.

    Paper:  [Mea86], as [HFH99] §3.2; in chunks, both directions at once.
    Model:  two parties, semi-honest; DDH in ``group``, H a random oracle.
    Leaks:  |X| to the sender; |Y| to the receiver. X are the receiver's keys, Y the sender's.
    Cost:   2 rounds, or 3 with the matches; 32|X| bytes up (and |Y| if the matches are shared),
            32(|X| + |Y|) down; |X| hashes and |X| + |Y| exponentiations here.
    Raises: PeerProtocolError if either set that comes has another size, holds a repeat or an
            unfit element.
    """
    a = group.random_scalar(rng)
    ours = empty(len(keys))  # H(x)^ab, in our order
    theirs = empty(their_count)  # H(y)^ab, in an order that only the sender knows
    await together(
        send_blinded(channel, keys, a, group, progress),
        receive_both(channel, ours, theirs, a, group, progress),
    )

    places = await asyncio.to_thread(match, channel, ours, theirs)  # of each y, its row or -1
    if is_shared:
        await send_matches(channel, places >= 0)
    return np.sort(places[places >= 0])


def empty(count: int) -> Elements:
    """Return room for ``count`` elements."""
    return np.empty((count, 32), np.uint8)


def chunks(count: int) -> Iterator[slice]:
    """Cut 0…count-1 into pieces of CHUNK_ROWS."""
    for start in range(0, count, CHUNK_ROWS):
        yield slice(start, min(start + CHUNK_ROWS, count))


async def blind(keys: Keys, order: NDArray[np.int64], exponent: Scalar, group: Group) -> Elements:
    """Return H(v)^exponent for the keys v in the rows ``order``."""
    return await group.exp(await group.hash(keys, order), exponent)


async def send_blinded(
    channel: Channel, keys: Keys, a: Scalar, group: Group, progress: Progress
) -> None:
    """Send all of the receiver's keys, blinded, in their own order."""
    for x in chunks(len(keys)):
        order = np.arange(x.start, x.stop, dtype=np.int64)
        await channel.send(Blinded(await blind(keys, order, a, group)))  # H(x)^a
        progress.advance(x.stop - x.start)


async def receive_both(
    channel: Channel, ours: Elements, theirs: Elements, a: Scalar, group: Group, progress: Progress
) -> None:
    """Fill in both sets, blinded twice, from chunks that come by turns."""
    for y, x in zip_longest(chunks(len(theirs)), chunks(len(ours))):
        if y:
            theirs[y] = await receive_blinded(channel, y, a, group)  # H(y)^ab
            progress.advance(y.stop - y.start)
        if x:
            count = x.stop - x.start
            came = await channel.receive(Reblinded, rows=count)  # H(x)^ab
            channel.require(len(came.elements) == count, "a reblinded set changed size")
            ours[x] = came.elements


async def receive_blinded(
    channel: Channel, chunk: slice, exponent: Scalar, group: Group
) -> Elements:
    """Return the peer's next chunk of blinded elements, raised to our exponent too."""
    count = chunk.stop - chunk.start
    came = await channel.receive(Blinded, rows=count)
    channel.require(len(came.elements) == count, "its blinded set is not as large as agreed")
    return await group.exp_received(channel, came.elements, exponent)


def match(channel: Channel, ours: Elements, theirs: Elements) -> NDArray[np.int64]:
    """Return for each element of ``theirs`` its place in ``ours``, or -1."""
    our_order = require_no_repeat(channel, ours)
    their_order = require_no_repeat(channel, theirs)
    return rows.match_rows(ours, our_order, theirs, their_order)


def require_no_repeat(channel: Channel, elements: Elements) -> NDArray[np.int64]:
    """Return the sorted order of a set that the peer sent; blame it if an element stands twice.

    This must wait for the last chunk. Exponentiation keeps equal what is equal, and unequal what
    is not, so the set may be looked at before or after.
    """
    order = rows.sort_rows(elements)
    channel.require(not rows.has_repeat(elements, order), "its set holds an element twice")
    return order


async def send_matches(channel: Channel, found: NDArray[np.bool_]) -> None:
    """Tell the sender which of its elements match, in the order in which it sent them."""
    for y in chunks(len(found)):
        await channel.send(Matches(found[y]))


async def receive_matches(channel: Channel, count: int) -> NDArray[np.bool_]:
    """Return which of the elements that we sent match."""
    found = np.empty(count, np.bool_)
    for y in chunks(count):
        came = await channel.receive(Matches, rows=y.stop - y.start)
        channel.require(len(came.found) == y.stop - y.start, "its matches are not of our elements")
        found[y] = came.found
    return found


def keys_of(items: Blocks) -> Keys:
    """Return hashes as keys of 16 bytes."""
    offsets = np.arange(0, 16 * len(items) + 1, 16, dtype=np.int64)
    return Keys(offsets, np.ascontiguousarray(items).reshape(-1).view(np.uint8))
