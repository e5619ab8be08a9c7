"""Private set intersection by an oblivious pseudorandom function: its values are compared.

The sender evaluates the function on its items and sends the images, which are hashes of the values;
the receiver, which has got the values of its own items and no others, compares.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.kernels import blocks, keyhash
from services.kernels.blocks import Blocks
from services.kernels.images import match
from services.kernels.shuffle import permutation, take
from services.primitives import oprf
from services.progress import Progress
from services.psi.messages import Images, Labels, Matches
from services.randomness import Rng
from services.service import Adversary

CHUNK_BYTES: Final = 1 << 20
"""In one message."""

_IMAGE_DOMAIN: Final = b"coffer rr22 Ho/1"
_LABEL_DOMAIN: Final = b"coffer rr22 Hl"  # and two bytes, the number of a block


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What both parties have agreed on.

    image_bytes: of an image: two unlike items have equal ones with a chance of 2^(-8 image_bytes).
    is_shared:   whether the receiver tells the sender which of its items match.
    label_bytes: of what the sender gives the receiver with each of its items that matches, a
                 multiple of 16; 0 for nothing.
    """

    adversary: Adversary = Adversary.SEMI_HONEST
    image_bytes: int
    is_shared: bool
    label_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What the receiver learns. Shapes: places (k,), of its items; labels (k, label_bytes)."""

    places: NDArray[np.int64] = field(repr=False)
    labels: NDArray[np.uint8] = field(repr=False)


async def sender(
    channel: Channel,
    items: Blocks,
    their_count: int,
    labels: NDArray[np.uint8],
    domain: bytes,
    rng: Rng,
    progress: Progress,
    *,
    variant: Variant,
) -> NDArray[np.int64]:
    """Help the receiver intersect; return the places of our items that match if that is shared.

    Paper:  [RR22] figure 11, over :mod:`services.primitives.oprf`. Labels, which the paper has not,
            are masked by a second hash of what the image is a hash of.
    Model:  two parties, semi-honest or malicious as the variant says; those of the function,
            hashes are random oracles. If matches are shared, a malicious receiver may tell any.
            Differs from [RS21] in that items are 128 bits of a key's salted hash: who finds two
            keys with one hash, 2^64 steps once the salt is known, brings two for one item; so does
            a sender who finds two items with one image, as many steps while the job runs.
    Shapes: items (n, 2), all unlike; labels (n, label_bytes) uint8.
    Leaks:  |X| to the sender; |Y| to the receiver. X are the receiver's items, Y the sender's. A
            malicious receiver may bring as many items as the function's table has rows.
    Cost:   the function; image and label bytes times |Y| to the receiver, and |Y| bytes from it if
            matches are shared.
    Raises: PeerProtocolError if what comes has another size, or more matches than it has items;
            CheatingDetected as the function.
    """
    order = permutation(rng, len(items))
    y = take(items, order)
    function = await oprf.sender(
        channel, their_count, domain, rng, progress, adversary=variant.adversary
    )
    values = await asyncio.to_thread(function.evaluate, y)
    sent = await asyncio.to_thread(images, values, y, variant)
    for piece in chunks(len(sent), variant.image_bytes):
        await channel.send(Images(sent[piece].reshape(-1)))
        progress.advance(len(sent[piece]))
    for piece in chunks(len(y), variant.label_bytes):
        given = labels[order[piece]] ^ label_masks(values[piece], y[piece], variant)
        await channel.send(Labels(given.view(np.uint64).reshape(-1, 2)))

    if not variant.is_shared:
        return np.empty(0, np.int64)
    found = await receive_matches(channel, len(items))
    channel.require(int(np.count_nonzero(found)) <= their_count, "more matches than it has items")
    return order[found]


async def receiver(
    channel: Channel,
    items: Blocks,
    their_count: int,
    domain: bytes,
    rng: Rng,
    progress: Progress,
    *,
    variant: Variant,
) -> Found:
    """Return which of our items the sender holds too, and the labels that it gave to these.

    Paper:  as :func:`sender`.
    Model:  as :func:`sender`.
    Shapes: items (n, 2), all unlike.
    Leaks:  |X| to the sender; |Y| to the receiver. X are the receiver's items, Y the sender's. A
            malicious receiver may bring as many items as the function's table has rows.
    Cost:   as :func:`sender`.
    Raises: PeerProtocolError if images or labels are too few or many, or if semi-honest parties'
            hold one of ours twice; CheatingDetected as the function.
    """
    values = await oprf.receiver(channel, items, domain, rng, progress, adversary=variant.adversary)
    ours = await asyncio.to_thread(images, values, items, variant)
    theirs = np.empty((their_count, variant.image_bytes), np.uint8)
    for piece in chunks(their_count, variant.image_bytes):
        theirs[piece] = await receive_images(channel, piece, variant)
        progress.advance(piece.stop - piece.start)
    given = np.empty((their_count, variant.label_bytes), np.uint8)
    for piece in chunks(their_count, variant.label_bytes):
        given[piece] = await receive_labels(channel, piece, variant)

    places = await asyncio.to_thread(match, ours, theirs)
    found = np.flatnonzero(places >= 0)
    if variant.adversary is Adversary.MALICIOUS:
        # Blame would tell a liar whether an item that it sent twice is one of ours.
        found = found[first_of_each(places[found])]
    mine = places[found]
    channel.require(not has_repeat(mine, len(items)), "its set holds an item twice")
    if variant.is_shared:
        for piece in chunks(their_count, 1):
            await channel.send(Matches(places[piece] >= 0))
    return Found(mine, given[found] ^ label_masks(values[mine], items[mine], variant))


def images(values: Blocks, items: Blocks, variant: Variant) -> NDArray[np.uint8]:
    """Return the images of items: a random oracle of their values and of them."""
    return keyhash.hash_pairs(values, items, salt=_IMAGE_DOMAIN, width=variant.image_bytes)


def label_masks(values: Blocks, items: Blocks, variant: Variant) -> NDArray[np.uint8]:
    """Return what masks the labels: block by block, further random oracles of the same."""
    masks = np.empty((len(items), variant.label_bytes), np.uint8)
    for number in range(variant.label_bytes // blocks.BLOCK_BYTES):
        salt = _LABEL_DOMAIN + number.to_bytes(2, "little")
        start = number * blocks.BLOCK_BYTES
        masks[:, start : start + blocks.BLOCK_BYTES] = keyhash.hash_pairs(
            values, items, salt=salt, width=blocks.BLOCK_BYTES
        )
    return masks


def has_repeat(places: NDArray[np.int64], count: int) -> bool:
    """Return whether one of the places, which are below ``count``, comes twice."""
    seen = np.zeros(count, np.bool_)
    seen[places] = True
    return int(np.count_nonzero(seen)) < len(places)


def first_of_each(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each place comes for the first time, in their order."""
    return np.sort(np.unique(places, return_index=True)[1])


def chunks(count: int, row_bytes: int) -> list[slice]:
    """Cut 0…count-1 into pieces of CHUNK_BYTES; none if rows have no bytes."""
    if not row_bytes:
        return []
    rows = CHUNK_BYTES // row_bytes
    return [slice(start, min(start + rows, count)) for start in range(0, count, rows)]


async def receive_images(channel: Channel, piece: slice, variant: Variant) -> NDArray[np.uint8]:
    """Return the next images of the sender's items."""
    due = (piece.stop - piece.start) * variant.image_bytes
    came = await channel.receive(Images, rows=due)
    channel.require(len(came.images) == due, "its set changed size")
    return came.images.reshape(-1, variant.image_bytes)


async def receive_labels(channel: Channel, piece: slice, variant: Variant) -> NDArray[np.uint8]:
    """Return the next masked labels of the sender's items."""
    due = (piece.stop - piece.start) * variant.label_bytes // blocks.BLOCK_BYTES
    came = await channel.receive(Labels, rows=due)
    channel.require(len(came.masked) == due, "its labels are not as many as its items")
    return came.masked.view(np.uint8).reshape(-1, variant.label_bytes)


async def receive_matches(channel: Channel, count: int) -> NDArray[np.bool_]:
    """Return which of the images that we sent match."""
    found = np.empty(count, np.bool_)
    for piece in chunks(count, 1):
        came = await channel.receive(Matches, rows=piece.stop - piece.start)
        channel.require(len(came.found) == piece.stop - piece.start, "its matches changed size")
        found[piece] = came.found
    return found
