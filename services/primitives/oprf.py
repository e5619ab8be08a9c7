"""An oblivious pseudorandom function on many points, by vector OLE and a key-value store.

The receiver stores of each of its items the item itself, which is a hash, in a table that looks
random, and sends it masked by the VOLE. Both then evaluate one function: the sender wherever it
likes, the receiver on its own items alone. Its values still have to be hashed.
"""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Annotated, Final

import numpy as np

from services.channel import Channel
from services.kernels import blocks, field128, okvs
from services.kernels.blocks import Blocks
from services.kernels.okvs import OkvsUnsolvable
from services.kernels.okvs_shape import Shape
from services.primitives import silent_vole
from services.primitives.ot_extension import Column128
from services.progress import Progress
from services.randomness import Rng
from services.service import Adversary
from services.wire import Size, message, secret

CHUNK_ROWS: Final = 1 << 16
"""Elements in one message: 1 MiB."""

MOST_SEEDS: Final = 8
"""Each fails for one seed in 2^40, if items are unlike."""


@message("oprf/seed")
class Seed:
    """The seed of the receiver's key-value store."""

    seed: Annotated[bytes, Size(16)] = secret()


@message("oprf/masked")
class Masked:
    """Some elements of the receiver's key-value store, each masked by one of the VOLE."""

    elements: Column128 = secret()


@message("oprf/commitment")
class Commitment:
    """The sender's commitment to its share of the coin."""

    digest: Annotated[bytes, Size(32)] = secret()


@message("oprf/coin")
class Coin:
    """A party's share of the coin."""

    share: Annotated[bytes, Size(16)] = secret()


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """The function, as the sender holds it. Shapes: k (shape.rows, 2), delta and coin (2,)."""

    shape: Shape
    seed: bytes = field(repr=False)
    k: Blocks = field(repr=False)
    delta: Blocks = field(repr=False)
    coin: Blocks = field(repr=False)

    def evaluate(self, items: Blocks) -> Blocks:
        """Return the values of items, decode(K, y) - Δ·y + w. Shapes: both (n, 2)."""
        values = okvs.decode(self.shape, self.seed, items, self.k)
        field128.add_product(values, items, self.delta)
        return with_coin(values, self.coin)


async def sender(
    channel: Channel,
    their_count: int,
    domain: bytes,
    rng: Rng,
    progress: Progress,
    *,
    adversary: Adversary,
) -> Function:
    """Return a function whose values the receiver has got for at most its items.

    Paper:  [RR22] figure 11, F = B = GF(2^128), up to the outer hash; with what [RS21] has beyond
            (commitment, coin) if malicious. Items are hashes of a random oracle already, so they
            stand for H(y) and, in the outer hash, for y.
    Model:  two parties, semi-honest or malicious; the VOLE's assumptions.
    Leaks:  the count of its items to the sender. A malicious receiver may have as many items as
            the table has rows: 147 if it says fewer than 65, 2.3 times as many as it says from
            there on, 1.44 times at 1,000, and less than 1.29 times from 10,000 on.
    Cost:   the VOLE; 16 bytes from the receiver for each row of the table, 1.28 an item; a
            multiplication for each, two waits more if malicious.
    Raises: PeerProtocolError if the table has another size, CheatingDetected if the receiver's
            part of the VOLE is inconsistent.
    """
    share, is_malicious = rng.draw(16), adversary is Adversary.MALICIOUS
    if is_malicious:
        await channel.send(Commitment(commit(domain, share)))
    shape = Shape.of(their_count)
    vole = await silent_vole.sender(channel, shape.rows, domain, rng, adversary=adversary)
    delta, k = vole.delta, vole.b  # K := B
    seed = (await channel.receive(Seed)).seed
    coin = toss(share, (await channel.receive(Coin)).share) if is_malicious else NO_COIN
    for piece in chunks(shape.rows):
        masked = await receive_masked(channel, piece)
        await asyncio.to_thread(field128.add_product, k[piece], masked, delta)  # K += Δ·(P + A)
        progress.advance(len(masked))
    if is_malicious:
        await channel.send(Coin(share))
    return Function(shape=shape, seed=seed, k=k, delta=delta, coin=coin)


async def receiver(
    channel: Channel,
    items: Blocks,
    domain: bytes,
    rng: Rng,
    progress: Progress,
    *,
    adversary: Adversary,
) -> Blocks:
    """Return the function's values of our items, decode(C, x) + w.

    Paper:  as :func:`sender`.
    Model:  as :func:`sender`.
    Shapes: items (n, 2), all unlike; and the result (n, 2).
    Leaks:  as :func:`sender`.
    Cost:   as :func:`sender`.
    Raises: CheatingDetected if the sender's part of the VOLE, or of the coin, is inconsistent.
    """
    share, is_malicious = rng.draw(16), adversary is Adversary.MALICIOUS
    committed = (await channel.receive(Commitment)).digest if is_malicious else b""
    shape = Shape.of(len(items))
    vole = await silent_vole.receiver(channel, shape.rows, domain, rng, adversary=adversary)
    a, c = vole.a, vole.c
    seed, table = await asyncio.to_thread(store, shape, items, rng)
    await channel.send(Seed(seed))
    if is_malicious:
        await channel.send(Coin(share))
    for piece in chunks(shape.rows):
        await channel.send(Masked(table[piece] ^ a[piece]))
        progress.advance(len(a[piece]))
    coin = NO_COIN
    if is_malicious:
        theirs = (await channel.receive(Coin)).share
        is_kept = hmac.compare_digest(commit(domain, theirs), committed)
        channel.require_proof(is_kept, "its share of the coin is not the one it committed to")
        coin = toss(share, theirs)
    values = await asyncio.to_thread(okvs.decode, shape, seed, items, c)
    return with_coin(values, coin)


NO_COIN: Final[Blocks] = np.zeros(2, np.uint64)


def commit(domain: bytes, share: bytes) -> bytes:
    """Return a commitment to a share of the coin, which has entropy enough to hide itself."""
    return hashlib.blake2b(domain + share, digest_size=32, person=b"coffer oprf coin").digest()


def toss(one: bytes, other: bytes) -> Blocks:
    """Return the coin, an element that neither party chose."""
    return (blocks.from_bytes(one) ^ blocks.from_bytes(other)).reshape(2)


def with_coin(values: Blocks, coin: Blocks) -> Blocks:
    """Return values plus the coin, in place."""
    if coin is not NO_COIN:
        values ^= coin
    return values


def store(shape: Shape, x: Blocks, rng: Rng) -> tuple[bytes, Blocks]:
    """Return a seed and a table that holds of each item the item itself."""
    for _ in range(MOST_SEEDS - 1):
        seed = rng.draw(okvs.SEED_BYTES)
        try:
            return seed, okvs.encode(shape, seed, x, x, rng)
        except OkvsUnsolvable:
            continue
    seed = rng.draw(okvs.SEED_BYTES)
    return seed, okvs.encode(shape, seed, x, x, rng)


def chunks(count: int) -> list[slice]:
    """Cut 0…count-1 into pieces of CHUNK_ROWS."""
    starts = range(0, count, CHUNK_ROWS)
    return [slice(start, min(start + CHUNK_ROWS, count)) for start in starts]


async def receive_masked(channel: Channel, piece: slice) -> Blocks:
    """Return the next elements of the receiver's masked table."""
    came = await channel.receive(Masked, rows=piece.stop - piece.start)
    channel.require(len(came.elements) == piece.stop - piece.start, "its table changed size")
    return came.elements
