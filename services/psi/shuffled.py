"""How many keys two parties share, and which places of a list that the sender has shuffled.

As by :mod:`services.psi.ecdh`, but the sender sends back the receiver's set in another order too.
So the receiver sees how many elements of one list are in the other, not which keys they are of.
"""

import asyncio
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel, together
from services.kernels.shuffle import permutation
from services.primitives.group import Elements, Group, Scalar
from services.progress import Progress
from services.psi.ecdh import (
    blind,
    chunks,
    empty,
    match,
    receive_blinded,
    require_no_repeat,
    send_blinded,
)
from services.psi.messages import Blinded, Reblinded
from services.randomness import Rng
from services.service import Keys


async def sender(
    channel: Channel, keys: Keys, their_count: int, group: Group, rng: Rng, progress: Progress
) -> NDArray[np.int64]:
    """Return the order in which we have shown our keys to the receiver.

    Paper:  [IKN20] figure 2, rounds 1 and 2, without its encrypted values; the receiver sends its
            set in its own order, of which pseudorandom elements tell nothing.
    Model:  two parties, semi-honest; DDH in ``group``, H a random oracle.
    Leaks:  the count of the receiver's keys to the sender.
    Cost:   as :func:`receiver`.
    Raises: PeerProtocolError if the receiver's set has another size, holds a repeat or an unfit
            element.
    """
    b = group.random_scalar(rng)
    order, back = permutation(rng, len(keys)), permutation(rng, their_count)
    theirs = empty(their_count)  # H(x)^ab
    for y, x in zip_longest(chunks(len(keys)), chunks(their_count)):
        if y:
            await channel.send(Blinded(await blind(keys, order[y], b, group)))  # H(y)^b
            progress.advance(y.stop - y.start)
        if x:
            theirs[x] = await receive_blinded(channel, x, b, group)
            progress.advance(x.stop - x.start)
    await asyncio.to_thread(require_no_repeat, channel, theirs)
    for x in chunks(their_count):
        await channel.send(Reblinded(theirs[back[x]]))
    return order


async def receiver(
    channel: Channel, keys: Keys, their_count: int, group: Group, rng: Rng, progress: Progress
) -> NDArray[np.bool_]:
    """Return which of the sender's keys, in the order that it has shown them, we hold too.

    Paper:  [IKN20] figure 2, rounds 1 to 3, without its encrypted values.
    Model:  two parties, semi-honest; DDH in ``group``, H a random oracle.
    Leaks:  how many keys both hold, and the count of the sender's, to the receiver.
    Cost:   2 rounds; 32|X| bytes up, 32(|X| + |Y|) down; |X| hashes and |X| + |Y| exponentiations
            here. X are the receiver's keys, Y the sender's.
    Raises: PeerProtocolError if either set that comes has another size, holds a repeat or an
            unfit element.
    """
    a = group.random_scalar(rng)
    ours, theirs = empty(len(keys)), empty(their_count)  # H(x)^ab and H(y)^ab, both shuffled
    await together(
        send_blinded(channel, keys, a, group, progress),
        receive_both(channel, ours, theirs, a, group, progress),
    )
    places: NDArray[np.int64] = await asyncio.to_thread(match, channel, ours, theirs)
    return places >= 0


async def receive_both(
    channel: Channel, ours: Elements, theirs: Elements, a: Scalar, group: Group, progress: Progress
) -> None:
    """Fill in the sender's set, blinded twice, and then ours."""
    for y in chunks(len(theirs)):
        theirs[y] = await receive_blinded(channel, y, a, group)  # H(y)^ab
        progress.advance(y.stop - y.start)
    for x in chunks(len(ours)):
        count = x.stop - x.start
        came = await channel.receive(Reblinded, rows=count)  # H(x)^ab
        channel.require(len(came.elements) == count, "a reblinded set changed size")
        ours[x] = came.elements
