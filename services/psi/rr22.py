"""Private set intersection by vector OLE and an oblivious key-value store.

The receiver stores of each of its keys x a hash, in a table that looks random, and sends it masked.
By the VOLE both then evaluate one pseudorandom function: the sender wherever it likes, the receiver
on its own keys alone. The sender sends the images of its keys, and the receiver compares.
"""

import asyncio
import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.kernels import field128, keyhash, okvs
from services.kernels.blocks import Blocks
from services.kernels.images import match
from services.kernels.okvs import Elements, OkvsUnsolvable, Shape
from services.primitives import silent_vole
from services.progress import Progress
from services.psi.messages import Images, Masked, Matches, Seed
from services.randomness import Rng, permutation
from services.service import Adversary, Keys

CHUNK_ROWS: Final = 1 << 16
"""Elements in one message: 1 MiB."""

IMAGE_BYTES: Final = 10
"""Two unlike keys among 2^20 of each party have equal images with a chance of 2^-40."""

MOST_SEEDS: Final = 8
"""Each fails for one seed in 2^40, if keys are unlike."""

SEMI_HONEST: Final = Adversary.SEMI_HONEST
_IMAGE_DOMAIN: Final = b"coffer rr22 Ho/1"


async def sender(
    channel: Channel,
    keys: Keys,
    their_count: int,
    domain: bytes,
    rng: Rng,
    progress: Progress,
    *,
    is_shared: bool,
) -> NDArray[np.int64]:
    """Help the receiver intersect; return our rows that match if that is shared, else none.

    Paper:  [RR22] figure 3 in its semi-honest form, F = B = GF(2^128).
    Model:  two parties, semi-honest; LPN as of the VOLE, H a random oracle.
    Leaks:  |X| to the sender; |Y| to the receiver. X are the receiver's keys, Y the sender's.
    Cost:   as :func:`receiver`.
    Raises: PeerProtocolError if what comes has another size, or more matches than it has keys.
    """
    shape = Shape.of(their_count)
    progress.stage("exchange", shape.rows + len(keys))
    order = permutation(rng, len(keys))
    y = await asyncio.to_thread(hash_keys, keys, order, domain)
    ours = await silent_vole.sender(channel, shape.rows, domain, rng, adversary=SEMI_HONEST)
    delta, k = column(ours.delta)[0], column(ours.b)  # K := B
    seed = (await channel.receive(Seed)).seed
    for piece in chunks(shape.rows):
        masked = await receive_masked(channel, piece)
        await asyncio.to_thread(field128.add_product, k[piece], masked, delta)  # K += Δ·(P + A)
        progress.advance(len(masked))
    decoded = await asyncio.to_thread(okvs.decode, shape, seed, y, k)
    await asyncio.to_thread(field128.add_product, decoded, y, delta)  # less Δ·H(y)
    images = await asyncio.to_thread(image, decoded, y)
    for piece in chunks(len(images)):
        await channel.send(Images(images[piece]))
        progress.advance(len(images[piece]))

    progress.stage("compare", len(keys))
    found = await receive_matches(channel, len(keys)) if is_shared else np.zeros(0, np.bool_)
    progress.advance(len(keys))
    channel.require(int(np.count_nonzero(found)) <= their_count, "more matches than it has keys")
    return np.sort(order[: len(found)][found])


async def receiver(
    channel: Channel,
    keys: Keys,
    their_count: int,
    domain: bytes,
    rng: Rng,
    progress: Progress,
    *,
    is_shared: bool,
) -> NDArray[np.int64]:
    """Return those of our rows, ascending, whose keys the sender holds too.

    Paper:  [RR22] figure 3 in its semi-honest form, F = B = GF(2^128).
    Model:  two parties, semi-honest; LPN as of the VOLE, H a random oracle.
    Leaks:  |X| to the sender; |Y| to the receiver. X are the receiver's keys, Y the sender's.
    Cost:   the VOLE; 16·1.28|X| bytes up (and |Y| if the matches are shared), 10|Y| down.
    Raises: PeerProtocolError if the images are too few or many, or hold one of ours twice.
    """
    shape = Shape.of(len(keys))
    progress.stage("exchange", shape.rows + their_count)
    every = np.arange(len(keys), dtype=np.int64)
    x = await asyncio.to_thread(hash_keys, keys, every, domain)
    vole = await silent_vole.receiver(channel, shape.rows, domain, rng, adversary=SEMI_HONEST)
    a, c = column(vole.a), column(vole.c)
    seed, table = await asyncio.to_thread(store, shape, x, rng)
    await channel.send(Seed(seed))
    for piece in chunks(shape.rows):
        await channel.send(Masked(table[piece] ^ a[piece]))
        progress.advance(len(a[piece]))
    ours = await asyncio.to_thread(lambda: image(okvs.decode(shape, seed, x, c), x))
    theirs = np.empty((their_count, IMAGE_BYTES), np.uint8)
    for piece in chunks(their_count):
        theirs[piece] = await receive_images(channel, piece)
        progress.advance(piece.stop - piece.start)

    progress.stage("compare", their_count)
    places = await asyncio.to_thread(match, ours, theirs)
    rows = np.sort(places[places >= 0])
    channel.require(not np.any(rows[1:] == rows[:-1]), "its set holds a key twice")
    if is_shared:
        for piece in chunks(their_count):
            await channel.send(Matches(places[piece] >= 0))
    progress.advance(their_count)
    return rows


def hash_keys(keys: Keys, rows: NDArray[np.int64], domain: bytes) -> Elements:
    """Return the hashes of the keys in ``rows``, under a salt of this run."""
    salt = hashlib.blake2b(domain, digest_size=keyhash.SALT_BYTES, person=b"coffer rr22 key")
    return keyhash.hash_keys(keys.offsets, keys.data, rows, salt=salt.digest())


def column(elements: Blocks) -> Elements:
    """Return blocks as a column of field elements; the bits are in the same order."""
    return elements.reshape(-1, 2).view(np.uint8)


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


def image(values: Elements, x: Elements) -> NDArray[np.uint8]:
    """Return the images of keys: a random oracle of what was decoded for them and of them."""
    both = np.concatenate((values, x), axis=1)
    offsets = np.arange(0, 32 * len(x) + 1, 32, dtype=np.int64)
    every = np.arange(len(x), dtype=np.int64)
    hashed = keyhash.hash_keys(offsets, both.reshape(-1), every, salt=_IMAGE_DOMAIN)
    return np.ascontiguousarray(hashed[:, :IMAGE_BYTES])


def chunks(count: int) -> list[slice]:
    """Cut 0…count-1 into pieces of CHUNK_ROWS."""
    starts = range(0, count, CHUNK_ROWS)
    return [slice(start, min(start + CHUNK_ROWS, count)) for start in starts]


async def receive_masked(channel: Channel, piece: slice) -> Elements:
    """Return the next elements of the receiver's masked table."""
    came = await channel.receive(Masked, rows=piece.stop - piece.start)
    channel.require(len(came.elements) == piece.stop - piece.start, "its table changed size")
    return came.elements


async def receive_images(channel: Channel, piece: slice) -> NDArray[np.uint8]:
    """Return the next images of the sender's keys."""
    came = await channel.receive(Images, rows=piece.stop - piece.start)
    channel.require(len(came.images) == piece.stop - piece.start, "its set changed size")
    return came.images


async def receive_matches(channel: Channel, count: int) -> NDArray[np.bool_]:
    """Return which of the images that we sent match."""
    found = np.empty(count, np.bool_)
    for piece in chunks(count):
        came = await channel.receive(Matches, rows=piece.stop - piece.start)
        channel.require(len(came.found) == piece.stop - piece.start, "its matches changed size")
        found[piece] = came.found
    return found
