"""Private set intersection by vector OLE and an oblivious key-value store.

The receiver stores of each of its items a hash, in a table that looks random, and sends it masked.
By the VOLE both then evaluate one pseudorandom function: the sender wherever it likes, the receiver
on its own items alone. The sender sends the images of its items, and the receiver compares.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.kernels import blocks, correlation, field128, keyhash, okvs
from services.kernels.blocks import Blocks
from services.kernels.images import match
from services.kernels.okvs import Elements, OkvsUnsolvable, Shape
from services.primitives import silent_vole
from services.progress import Progress
from services.psi.messages import Coin, Commitment, Images, Labels, Masked, Matches, Seed
from services.randomness import Rng, permutation
from services.service import Adversary

CHUNK_BYTES: Final = 1 << 20
"""In one message."""

MOST_SEEDS: Final = 8
"""Each fails for one seed in 2^40, if items are unlike."""

_IMAGE_DOMAIN: Final = b"coffer rr22 Ho/1"
_LABEL_DOMAIN: Final = b"coffer rr22 Hl/1"


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

    Paper:  [RR22] figure 3, F = B = GF(2^128). The items are hashes already, by a random oracle of
            this session, and stand for H(y). Labels, which the paper leaves to [PSTY19]'s remark,
            are masked by a second hash of what the image is a hash of.
    Model:  two parties, semi-honest or malicious as the variant says; LPN as of the VOLE, hashes
            random oracles. If matches are shared, a malicious receiver may tell any.
    Shapes: items (n, 2), all unlike; labels (n, label_bytes) uint8.
    Leaks:  |X| to the sender; |Y| to the receiver. X are the receiver's items, Y the sender's. A
            malicious receiver may bring as many items as its table has rows, 1.3|X|.
    Cost:   as :func:`receiver`.
    Raises: PeerProtocolError if what comes has another size, or more matches than it has items;
            CheatingDetected if the receiver's part of the VOLE is inconsistent.
    """
    shape = Shape.of(their_count)
    order = permutation(rng, len(items))
    y = items[order]
    ours_of_coin = rng.draw(16)
    if is_malicious(variant):
        await channel.send(Commitment(commit(domain, ours_of_coin)))
    vole = await silent_vole.sender(channel, shape.rows, domain, rng, adversary=variant.adversary)
    delta, k = column(vole.delta)[0], column(vole.b)  # K := B
    seed = (await channel.receive(Seed)).seed
    theirs_of_coin = (await channel.receive(Coin)).share if is_malicious(variant) else bytes(16)
    for piece in chunks(shape.rows):
        masked = await receive_masked(channel, piece)
        await asyncio.to_thread(field128.add_product, k[piece], masked, delta)  # K += Δ·(P + A)
        progress.advance(len(masked))
    if is_malicious(variant):
        await channel.send(Coin(ours_of_coin))
    w = toss(variant, ours_of_coin, theirs_of_coin)
    values = await asyncio.to_thread(evaluate, shape, seed, y, k, delta, w)
    sent = await asyncio.to_thread(images, values, y, variant)
    for piece in chunks(len(sent)):
        await channel.send(Images(sent[piece].reshape(-1)))
        progress.advance(len(sent[piece]))
    for piece in label_chunks(len(y), variant):
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
    Leaks:  |X| to the sender; |Y| to the receiver. X are the receiver's items, Y the sender's. A
            malicious receiver may bring as many items as its table has rows, 1.3|X|.
    Cost:   the VOLE; 16·1.28|X| bytes up (and |Y| if the matches are shared), image and label
            bytes times |Y| down.
    Raises: PeerProtocolError if images or labels are too few or many, or hold one of ours twice;
            CheatingDetected if the sender's part of the VOLE, or of the coin, is inconsistent.
    """
    shape = Shape.of(len(items))
    ours_of_coin = rng.draw(16)
    committed = (await channel.receive(Commitment)).digest if is_malicious(variant) else bytes(32)
    vole = await silent_vole.receiver(channel, shape.rows, domain, rng, adversary=variant.adversary)
    a, c = column(vole.a), column(vole.c)
    seed, table = await asyncio.to_thread(store, shape, column(items), rng)
    await channel.send(Seed(seed))
    if is_malicious(variant):
        await channel.send(Coin(ours_of_coin))
    for piece in chunks(shape.rows):
        await channel.send(Masked(table[piece] ^ a[piece]))
        progress.advance(len(a[piece]))
    theirs_of_coin = bytes(16)
    if is_malicious(variant):
        theirs_of_coin = (await channel.receive(Coin)).share
        is_kept = commit(domain, theirs_of_coin) == committed
        channel.require_proof(is_kept, "its share of the coin is not the one it committed to")
    w = toss(variant, ours_of_coin, theirs_of_coin)
    values = await asyncio.to_thread(evaluate, shape, seed, items, c, None, w)
    ours = await asyncio.to_thread(images, values, items, variant)
    theirs = np.empty((their_count, variant.image_bytes), np.uint8)
    for piece in chunks(their_count):
        theirs[piece] = await receive_images(channel, piece, variant)
        progress.advance(piece.stop - piece.start)
    given = np.empty((their_count, variant.label_bytes), np.uint8)
    for piece in label_chunks(their_count, variant):
        given[piece] = await receive_labels(channel, piece, variant)

    places = await asyncio.to_thread(match, ours, theirs)
    found = np.flatnonzero(places >= 0)
    channel.require(not has_repeat(places[found], len(items)), "its set holds an item twice")
    if variant.is_shared:
        for piece in chunks(their_count):
            await channel.send(Matches(places[piece] >= 0))
    mine = places[found]
    if not variant.label_bytes:
        return Found(mine, given[:0])
    return Found(mine, given[found] ^ label_masks(values[mine], items[mine], variant))


def is_malicious(variant: Variant) -> bool:
    """Return whether the parties also prove to each other that they keep to the protocol."""
    return variant.adversary is Adversary.MALICIOUS


def column(elements: Blocks) -> Elements:
    """Return blocks as a column of field elements; the bits are in the same order."""
    return elements.reshape(-1, 2).view(np.uint8)


def commit(domain: bytes, share: bytes) -> bytes:
    """Return a commitment to a share of the coin, which has entropy enough to hide itself."""
    return hashlib.blake2b(domain + share, digest_size=32, person=b"coffer rr22 w").digest()


def toss(variant: Variant, one: bytes, other: bytes) -> Blocks:
    """Return the coin, an element that neither party chose; zero if there is none."""
    coin = blocks.from_bytes(one)[0] ^ blocks.from_bytes(other)[0]
    return coin if is_malicious(variant) else np.zeros(2, np.uint64)


def store(shape: Shape, x: Elements, rng: Rng) -> tuple[bytes, Elements]:
    """Return a seed and a table that holds of each hash the hash itself."""
    for _ in range(MOST_SEEDS - 1):
        seed = rng.draw(okvs.SEED_BYTES)
        try:
            return seed, okvs.encode(shape, seed, x, x, rng)
        except OkvsUnsolvable:
            continue
    seed = rng.draw(okvs.SEED_BYTES)
    return seed, okvs.encode(shape, seed, x, x, rng)


def evaluate(
    shape: Shape, seed: bytes, items: Blocks, table: Elements, delta: Elements | None, w: Blocks
) -> Elements:
    """Return for each item what the table decodes to, less Δ times the item, plus the coin."""
    values = okvs.decode(shape, seed, column(items), table)
    if delta is not None:
        field128.add_product(values, column(items), delta)
    if w.any():
        values ^= column(w)
    return values


def images(values: Elements, items: Blocks, variant: Variant) -> NDArray[np.uint8]:
    """Return the images of items: a random oracle of what was decoded for them and of them."""
    hashed = hash_both(values, items, _IMAGE_DOMAIN)
    return np.ascontiguousarray(hashed[:, : variant.image_bytes])


def label_masks(values: Elements, items: Blocks, variant: Variant) -> NDArray[np.uint8]:
    """Return what masks the labels: a stream from a second random oracle of the same."""
    seeds = hash_both(values, items, _LABEL_DOMAIN).view(np.uint64)
    if not len(seeds):
        return np.empty((0, variant.label_bytes), np.uint8)
    stretched = correlation.stream(seeds, variant.label_bytes // blocks.BLOCK_BYTES, domain=0)
    return stretched.reshape(len(seeds), -1).view(np.uint8)


def hash_both(values: Elements, items: Blocks, salt: bytes) -> Elements:
    """Return a hash of each value and its item."""
    both = np.concatenate((values, column(items)), axis=1)
    offsets = np.arange(0, 32 * len(items) + 1, 32, dtype=np.int64)
    every = np.arange(len(items), dtype=np.int64)
    return keyhash.hash_keys(offsets, both.reshape(-1), every, salt=salt)


def has_repeat(places: NDArray[np.int64], count: int) -> bool:
    """Return whether one of the places, which are below ``count``, comes twice."""
    seen = np.zeros(count, np.bool_)
    seen[places] = True
    return int(np.count_nonzero(seen)) < len(places)


def chunks(count: int, row_bytes: int = blocks.BLOCK_BYTES) -> list[slice]:
    """Cut 0…count-1 into pieces of CHUNK_BYTES."""
    rows = max(1, CHUNK_BYTES // row_bytes)
    return [slice(start, min(start + rows, count)) for start in range(0, count, rows)]


def label_chunks(count: int, variant: Variant) -> list[slice]:
    """Cut 0…count-1 into pieces whose labels fill a message; none if there are no labels."""
    return chunks(count, variant.label_bytes) if variant.label_bytes else []


async def receive_masked(channel: Channel, piece: slice) -> Elements:
    """Return the next elements of the receiver's masked table."""
    came = await channel.receive(Masked, rows=piece.stop - piece.start)
    channel.require(len(came.elements) == piece.stop - piece.start, "its table changed size")
    return came.elements


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
    for piece in chunks(count):
        came = await channel.receive(Matches, rows=piece.stop - piece.start)
        channel.require(len(came.found) == piece.stop - piece.start, "its matches changed size")
        found[piece] = came.found
    return found
