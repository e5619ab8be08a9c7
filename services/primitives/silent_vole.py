"""Silent vector oblivious linear evaluation: long random C = A·Δ + B from short messages.

The receiver gets A and C, the sender Δ and B, over GF(2^128). Sparse vectors of that kind come from
trees of seeds that the receiver knows but for a leaf each; a code compresses them.
"""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.kernels import blocks, code, correlation, field128, ggm
from services.kernels.blocks import Blocks
from services.primitives import noise, ot_extension
from services.primitives.noise import WEIGHT, Noise
from services.primitives.ot_extension import Column128, ReceiverRows, SenderRows
from services.randomness import Rng
from services.service import Adversary
from services.wire import Size, message, secret


@message("silent_vole/places")
class Places:
    """How the bits of the receiver's places differ from the random bits that it got."""

    differences: Column128 = secret()


@message("silent_vole/trees", version=2)
class Trees:
    """What the receiver fills in its trees with.

    siblings: of each part and level two sums of nodes, of which the receiver can read one.
    rests:    of each part the sum of its leaves and stumps, and of the sender's share of the noise
              there: who can name a place behind the last leaf, and may lie, still lacks a stump.
    """

    siblings: Column128 = secret()
    rests: Column128 = secret()


@message("silent_vole/challenge")
class Challenge:
    """The point at which the receiver asks for the linear hash of its vector, and a mask's share.

    point: of the hash.
    mask:  the linear hash of A, under a random element.
    """

    point: Annotated[bytes, Size(16)] = secret()
    mask: Annotated[bytes, Size(16)] = secret()


@message("silent_vole/answer")
class Answer:
    """A hash of what the linear hash must be."""

    digest: Annotated[bytes, Size(32)] = secret()


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderVole:
    """The sender's part of C = A·Δ + B. Shapes: delta (2,), b (count, 2)."""

    delta: Blocks = field(repr=False)
    b: Blocks = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverVole:
    """The receiver's part of C = A·Δ + B. Shapes: a and c (count, 2)."""

    a: Blocks = field(repr=False)
    c: Blocks = field(repr=False)


async def sender(
    channel: Channel, count: int, domain: bytes, rng: Rng, *, adversary: Adversary
) -> SenderVole:
    """Return a random Δ and a random vector B of ``count`` blocks.

    Paper:  [BCGI18] with regular noise and the code of [RRT23]; the products of the noise with Δ
            from correlated bits, combined [KOS16]; the check of [WYKW21], once for all
            parts. ``domain`` separates this run's hashes from all others'.
    Model:  two parties, semi-honest or malicious as ``adversary`` says; dual LPN with the
            parameters of :mod:`services.primitives.noise`; AES under fixed keys a random
            permutation, hashes random oracles, DDH.
    Leaks:  to a malicious receiver that is not caught, s bits of Δ, with probability 2^-s.
    Cost:   3 rounds, 4 if malicious; about 110 K + 10 K log2(count / 156) bytes to the receiver and
            90 K from it; 5.4 count AES blocks and 55 count additions of blocks here.
    Raises: PeerProtocolError if a message has another size, CheatingDetected if the receiver's
            correlated bits are inconsistent.
    """
    shape = noise.for_outputs(count)
    ours = await ot_extension.sender(channel, shape.path_blocks + WEIGHT + 1, domain, rng)
    came = (await channel.receive(Places, rows=shape.path_blocks)).differences
    channel.require(len(came) == shape.path_blocks, "its places are not as many as agreed")
    shares = correlation.combine(np.ascontiguousarray(ours.rows[:, shape.path_blocks :]))
    roots = blocks.from_bytes(rng.draw(16 * WEIGHT))
    leaves, sums, totals = await asyncio.to_thread(ggm.expand, roots, shape.places)
    rests = totals ^ shares[:WEIGHT]
    await channel.send(Trees(hide_siblings(shape, ours, sums, came), rests))
    if adversary is Adversary.MALICIOUS:
        await answer(channel, ours.delta, leaves, shares[WEIGHT])
    compressed = await asyncio.to_thread(code.compress, leaves)
    return SenderVole(delta=ours.delta, b=compressed[:count])


async def receiver(
    channel: Channel, count: int, domain: bytes, rng: Rng, *, adversary: Adversary
) -> ReceiverVole:
    """Return random vectors A and C of ``count`` blocks.

    Paper:  as :func:`sender`.
    Model:  as :func:`sender`.
    Leaks:  to a malicious sender that is not caught, whether the noise lies in sets of places that
            it guessed, in :mod:`services.primitives.noise`: on average one bit.
    Cost:   as :func:`sender`, but twice as many additions.
    Raises: PeerProtocolError if a message has another size, CheatingDetected if the sender's trees
            are inconsistent.
    """
    shape = noise.for_outputs(count)
    ours = await ot_extension.receiver(channel, shape.path_blocks + WEIGHT + 1, domain, rng)
    places = draw_places(shape, rng)
    paths = bits_of_paths(shape, places)
    await channel.send(Places(ours.choices[: shape.path_blocks] ^ paths))
    values, shares = products(shape, ours)
    came = await channel.receive(Trees, rows=2 * shape.paths)
    channel.require(len(came.siblings) == 2 * shape.paths, "its trees have another size")
    channel.require(len(came.rests) == WEIGHT, "its rests are not as many as agreed")
    siblings = read_siblings(shape, ours, came.siblings)
    rests = came.rests ^ shares[:WEIGHT]
    c = await asyncio.to_thread(ggm.evaluate, places, siblings, rests, shape.places)
    if adversary is Adversary.MALICIOUS:
        point = blocks.from_bytes(rng.draw(16))[0]
        mask = values[WEIGHT] ^ sparse_hash(shape, places, values[:WEIGHT], point)
        await challenge(channel, point, mask, c, shares[WEIGHT])
    c, a = await asyncio.to_thread(code.compress_two, c, places, values[:WEIGHT])
    return ReceiverVole(a=a[:count], c=c[:count])


def draw_places(shape: Noise, rng: Rng) -> NDArray[np.int64]:
    """Return a place in each part, uniform up to 2^-108."""
    drawn = rng.draw(16 * WEIGHT)
    wide = [int.from_bytes(drawn[i : i + 16], "little") for i in range(0, len(drawn), 16)]
    return np.array([number * shape.places >> 128 for number in wide], np.int64)


def bits_of_paths(shape: Noise, places: NDArray[np.int64]) -> Blocks:
    """Return the ways to places as bits, each from the root on, in whole blocks."""
    levels = np.arange(shape.depth - 1, -1, -1)
    bits = np.zeros(128 * shape.path_blocks, np.uint8)
    bits[: shape.paths] = (places[:, None] >> levels & 1).reshape(-1)
    return blocks.from_bytes(np.packbits(bits, bitorder="little").tobytes())


def unpack(shape: Noise, column: Blocks) -> NDArray[np.uint64]:
    """Return the bits of the blocks, as many as there are on all paths."""
    data = column.astype("<u8").view(np.uint8)
    return np.unpackbits(data, bitorder="little").astype(np.uint64)[: shape.paths]


def hide_siblings(shape: Noise, ours: SenderRows, sums: Blocks, differences: Blocks) -> Blocks:
    """Return of each part and level both sums, each under the key of one random bit.

    The receiver whose bit is u knows the key of u, and goes to the side u + difference: there it
    is given the sum of the other side. The differences are public.
    """
    paths = transposed(shape, ours.rows)
    keys = np.stack([hashed(paths), hashed(paths ^ ours.delta)], axis=1)
    zeroth = 1 - unpack(shape, differences).astype(np.int64)  # the side whose sum u = 0 needs
    pairs, each = sums.reshape(-1, 2, 2), np.arange(shape.paths)
    given = np.stack([pairs[each, zeroth], pairs[each, 1 - zeroth]], axis=1)
    return (given ^ keys).reshape(-1, 2)


def read_siblings(shape: Noise, ours: ReceiverRows, siblings: Blocks) -> Blocks:
    """Return of each part and level the sum that we can read."""
    u = (np.uint64(0) - unpack(shape, ours.choices[: shape.path_blocks])).reshape(-1, 1)
    offered = siblings.reshape(-1, 2, 2)
    taken = offered[:, 0] ^ ((offered[:, 0] ^ offered[:, 1]) & u)
    return (taken ^ hashed(transposed(shape, ours.rows))).reshape(WEIGHT, shape.depth, 2)


def transposed(shape: Noise, rows: Blocks) -> Blocks:
    """Return a block for each bit on the paths."""
    return correlation.transpose(np.ascontiguousarray(rows[:, : shape.path_blocks]))[: shape.paths]


def hashed(column: Blocks) -> Blocks:
    """Return the keys that correlated blocks become."""
    return correlation.tweaked_hash(np.ascontiguousarray(column))


def products(shape: Noise, ours: ReceiverRows) -> tuple[Blocks, Blocks]:
    """Return random elements, one more than parts, and our shares of their products with Δ."""
    rows = np.ascontiguousarray(ours.rows[:, shape.path_blocks :])
    return ours.choices[shape.path_blocks :], correlation.combine(rows)


async def answer(channel: Channel, delta: Blocks, b: Blocks, share: Blocks) -> None:
    """Tell the receiver what the linear hash of C must be, so that it sees what we gave it.

    It chooses the point and the mask, and so may test a guess of Δ by what we answer: of 128 bits,
    less those that it has won before at the risk of being caught.
    """
    asked = await channel.receive(Challenge)
    point, mask = blocks.from_bytes(asked.point)[0], blocks.from_bytes(asked.mask)[0]
    masked = correlation.linear_hash(np.stack([share, mask])[None], delta)[0]  # share + mask·Δ
    await channel.send(Answer(digest(masked ^ total_hash(b, point))))


async def challenge(
    channel: Channel, point: Blocks, mask: Blocks, c: Blocks, share: Blocks
) -> None:
    """Ask the sender for the linear hash of C = A·Δ + B; hold it to be cheating if it is another.

    The hash of A would tell of the noise, so an element of it that nothing else uses masks it.
    Unlike [WYKW21], coefficients are the powers of one point, so that a lie passes with a chance
    of count / 2^128, and instead of an equality test we compare with a hash of the sender's value.
    """
    await channel.send(Challenge(point.astype("<u8").tobytes(), mask.astype("<u8").tobytes()))
    expected = digest(share ^ await asyncio.to_thread(total_hash, c, point))
    came = await channel.receive(Answer)
    channel.require_proof(hmac.compare_digest(came.digest, expected), "its trees are inconsistent")


def total_hash(vector: Blocks, point: Blocks) -> Blocks:
    """Return the linear hash of a whole vector."""
    hashed_rows = correlation.linear_hash(vector.reshape(1, -1, 2), point)
    return hashed_rows.reshape(2)


def sparse_hash(shape: Noise, places: NDArray[np.int64], values: Blocks, point: Blocks) -> Blocks:
    """Return the linear hash of the vector that is zero but for a value at a place of each part."""
    exponents = (places + np.arange(len(places)) * shape.places).astype(np.uint64)
    powers = np.tile(np.array([1, 0], np.uint64), (len(places), 1))
    for bit in range((len(places) * shape.places).bit_length() - 1, -1, -1):
        powers = field128.multiply(powers, powers)
        chosen = np.uint64(0) - (exponents >> np.uint64(bit) & np.uint64(1))  # a mask, no branch
        powers ^= (powers ^ field128.multiply(powers, point)) & chosen[:, None]
    return field128.inner_product(values, powers)


def digest(block: Blocks) -> bytes:
    """Return a hash of a block, which gives nothing of it away unless it can be guessed."""
    return hashlib.blake2b(
        block.astype("<u8").tobytes(), digest_size=32, person=b"silent_vole"
    ).digest()
