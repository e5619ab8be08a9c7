"""Correlated bits: many from 128 base OTs, with a difference Δ that the sender alone knows.

Of each bit u that the receiver gets, the receiver holds a block T and the sender T + u·Δ. Hashed,
these are random OTs; 128 of them, combined, are a product of Δ with an element of GF(2^128).
"""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.kernels import blocks, correlation, ggm
from services.kernels.blocks import Blocks
from services.kernels.correlation import BITS, DEPTH, LEAVES, TREES
from services.primitives import base_ot
from services.randomness import Rng
from services.wire import Column, Size, message, secret

HASHES: Final = 2
"""Linear hashes that each row is checked by. One, over GF(2^128), errs for n of 2^128 challenges;
and as the challenge is a hash that a cheat can try beforehand, that would be 128 - log2(n) bits.
"""

Column128 = Annotated[Blocks, Column(np.uint64, 2)]


@message("ot_extension/extension", version=2)
class Extension:
    """What makes the sender's trees and streams whole, and proves that they are.

    siblings:    of each tree and level the sums of the right and the left nodes, under the base
                 OTs' keys.
    tags:        of each tree the sum of its leaves' tags, two blocks.
    digests:     of each tree a hash of its leaves' tags.
    corrections: how the second and the further trees' choices differ from the first's.
    choices:     the linear hashes of the choices.
    proof:       a hash of the linear hashes of the receiver's rows.
    """

    siblings: Column128 = secret()
    tags: Column128 = secret()
    digests: Annotated[NDArray[np.uint8], Column(np.uint8, 32)] = secret()
    corrections: Column128 = secret()
    choices: Column128 = secret()
    proof: Annotated[bytes, Size(32)] = secret()


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRows:
    """The sender's part. Shapes: delta (2,), rows (128, length, 2): row r of T + u·Δ by bits."""

    delta: Blocks = field(repr=False)
    rows: Blocks = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRows:
    """The receiver's part. Shapes: choices (length, 2), u by bits; rows (128, length, 2), of T."""

    choices: Blocks = field(repr=False)
    rows: Blocks = field(repr=False)


async def sender(channel: Channel, length: int, domain: bytes, rng: Rng) -> SenderRows:
    """Return a random Δ, and our part of 128 correlated bits for each of ``length`` blocks.

    Paper:  [Roy22], SoftSpokenOT with k = 8 over GF(2), random choices, and both its consistency
            checks, of trees and of choices; the latter's challenge is a hash of what it checks
            [FS86], not a message.
    Model:  two parties, malicious; AES under fixed keys is a random permutation, hashes are
            random oracles.
    Leaks:  to a receiver that cheats and is not caught, s bits of Δ, with probability 2^-s.
    Cost:   2 rounds with the base OTs; 240 length + 21 K bytes from the receiver; 32 length + 8 K
            AES blocks.
    Raises: PeerProtocolError if the receiver's message has another size, CheatingDetected if its
            trees or corrections are inconsistent.
    """
    delta = blocks.from_bytes(rng.draw(16))[0]
    based = await base_ot.receiver(channel, key_choices(delta), domain, rng)
    total = length + HASHES
    came = await channel.receive(Extension, rows=max(2 * BITS, (TREES - 1) * total))
    require_sizes(channel, came, total)
    leaves = await asyncio.to_thread(rebuild_trees, delta, based.keys, came)
    require_tags(channel, delta, leaves, came)
    _, rows = await asyncio.to_thread(correlation.fold, leaves, total)
    correct(rows, delta, came.corrections.reshape(TREES - 1, total, 2))
    hashed = hash_rows(rows, challenge_of(domain, based.said, came))
    expected = hashed ^ bit_masks(delta)[:, None] & came.choices[None]  # = the hashes of T
    channel.require_proof(
        hmac.compare_digest(digest(expected), came.proof), "its corrections are inconsistent"
    )
    return SenderRows(delta=delta, rows=np.ascontiguousarray(rows[:, HASHES:]))


async def receiver(channel: Channel, length: int, domain: bytes, rng: Rng) -> ReceiverRows:
    """Return random bits, 128 for each of ``length`` blocks, and our part of their correlation.

    Paper:  as :func:`sender`.
    Model:  as :func:`sender`.
    Leaks:  nothing.
    Cost:   as :func:`sender`.
    Raises: PeerProtocolError if the sender's base OTs are malformed.
    """
    based = await base_ot.sender(channel, BITS, domain, rng)
    total = length + HASHES
    leaves, sums, _ = ggm.expand(blocks.from_bytes(rng.draw(16 * TREES)), LEAVES)
    totals, rows = await asyncio.to_thread(correlation.fold, leaves, total)
    drafted = draft(based.keys, sums, leaves, totals)
    await channel.send(prove(drafted, totals, rows, challenge_of(domain, based.said, drafted)))
    return ReceiverRows(
        choices=totals[0, HASHES:].copy(), rows=np.ascontiguousarray(rows[:, HASHES:])
    )


def draft(keys: Blocks, sums: Blocks, leaves: Blocks, totals: Blocks) -> Extension:
    """Return what the receiver sends, but without the proof."""
    tags = tags_of(leaves)
    return Extension(
        # Whoever goes left at a level needs the sum of the right nodes, and the other way round.
        siblings=(sums[:, :, ::-1] ^ keys.reshape(TREES, DEPTH, 2, 2)).reshape(-1, 2),
        tags=np.bitwise_xor.reduce(tags, axis=1).reshape(-1, 2),
        digests=digests_of(tags),
        corrections=(totals[1:] ^ totals[:1]).reshape(-1, 2),
        choices=blocks.empty(HASHES),
        proof=bytes(32),
    )


def prove(drafted: Extension, totals: Blocks, rows: Blocks, points: Blocks) -> Extension:
    """Return the message with the proof that its corrections are of one column of choices."""
    return replace(
        drafted,
        choices=hash_rows(totals[:1], points)[0],
        proof=digest(hash_rows(rows, points)),
    )


def key_choices(delta: Blocks) -> NDArray[np.uint8]:
    """Return what to choose in the base OTs: the bits of our points, the top one of each first."""
    return np.unpackbits(delta.astype("<u8").view(np.uint8))


def bit_masks(delta: Blocks) -> Blocks:
    """Return for each bit of Δ, the lowest first, a block of ones or of zeros, (128, 2)."""
    bits = np.unpackbits(delta.astype("<u8").view(np.uint8), bitorder="little")
    return np.repeat(np.uint64(0) - bits.astype(np.uint64), 2).reshape(BITS, 2)


def require_sizes(channel: Channel, came: Extension, total: int) -> None:
    """Blame the receiver unless each column has the length that is due."""
    due = {
        "siblings": (len(came.siblings), 2 * BITS),
        "tags": (len(came.tags), 2 * TREES),
        "digests": (len(came.digests), TREES),
        "corrections": (len(came.corrections), (TREES - 1) * total),
        "choices": (len(came.choices), HASHES),
    }
    for name, (count, agreed) in due.items():
        channel.require(count == agreed, f"its {name} are not as many as agreed")


def rebuild_trees(delta: Blocks, keys: Blocks, came: Extension) -> Blocks:
    """Return the receiver's leaves, each tree's turned so that the one we lack stands first."""
    points = delta.astype("<u8").view(np.uint8)
    goes_right = (np.uint64(0) - key_choices(delta).astype(np.uint64)).reshape(-1, 1)
    offered = came.siblings.reshape(BITS, 2, 2)
    taken = offered[:, 0] ^ ((offered[:, 0] ^ offered[:, 1]) & goes_right)
    siblings = (taken ^ keys).reshape(TREES, DEPTH, 2)
    rests = np.zeros((TREES, 2), np.uint64)
    leaves = ggm.evaluate(points.astype(np.int64), siblings, rests, LEAVES)
    return correlation.turn(leaves, points)


def tags_of(leaves: Blocks) -> Blocks:
    """Return two blocks for each leaf, by which it is recognised. Shapes: (16, 256, 4)."""
    return correlation.stream(leaves, HASHES, domain=1).reshape(TREES, LEAVES, 2 * HASHES)


def digests_of(tags: Blocks) -> NDArray[np.uint8]:
    """Return a hash of each tree's tags, (16, 32)."""
    found = [
        hashlib.blake2b(tree.astype("<u8").tobytes(), digest_size=32).digest() for tree in tags
    ]
    return np.frombuffer(b"".join(found), np.uint8).reshape(TREES, 32)


def require_tags(channel: Channel, delta: Blocks, leaves: Blocks, came: Extension) -> None:
    """Hold the receiver to be cheating unless its trees are such as it hashed [Roy22]."""
    tags = tags_of(leaves)
    rest = np.bitwise_xor.reduce(tags[:, 1:], axis=1)
    tags[:, 0] = came.tags.reshape(TREES, 2 * HASHES) ^ rest  # of the leaf that we lack
    points = delta.astype("<u8").view(np.uint8)
    halves = [np.ascontiguousarray(tags[:, :, i : i + 2]) for i in (0, 2)]
    turned = np.concatenate([correlation.turn(half, points) for half in halves], axis=2)
    is_same = hmac.compare_digest(digests_of(turned).tobytes(), came.digests.tobytes())
    channel.require_proof(is_same, "its trees are inconsistent")


def correct(rows: Blocks, delta: Blocks, corrections: Blocks) -> None:
    """Make all rows those of the first tree's choices: add Δ_r times how its tree's differ."""
    masks = bit_masks(delta)
    for row in range(DEPTH, BITS):
        rows[row] ^= corrections[row // DEPTH - 1] & masks[row]


def challenge_of(domain: bytes, said: bytes, came: Extension) -> Blocks:
    """Return the points at which rows are hashed, (2, 2), from all that they check.

    said: the hash of the base OTs' messages, which the siblings' keys come of.
    """
    hashed = hashlib.blake2b(digest_size=16 * HASHES, person=b"ot_extension")
    hashed.update(len(domain).to_bytes(8, "little") + domain + said)
    for column in (came.siblings, came.tags, came.digests, came.corrections):
        hashed.update(np.ascontiguousarray(column).astype(column.dtype.newbyteorder("<")).tobytes())
    return blocks.from_bytes(hashed.digest())


def hash_rows(rows: Blocks, points: Blocks) -> Blocks:
    """Return two linear hashes of each row, each behind a block of the row that masks it.

    Shapes: rows (r, 2 + n, 2), points (2, 2), the result (r, 2, 2).
    """
    hashed = [
        rows[:, i] ^ correlation.linear_hash(behind_zero(rows[:, HASHES:]), points[i])
        for i in range(HASHES)
    ]
    return np.stack(hashed, axis=1)


def behind_zero(rows: Blocks) -> Blocks:
    """Return rows with a block of zeros before each."""
    return np.concatenate([np.zeros((len(rows), 1, 2), np.uint64), rows], axis=1)


def digest(hashes: Blocks) -> bytes:
    """Return a short hash of the linear hashes of all rows."""
    return hashlib.blake2b(hashes.astype("<u8").tobytes(), digest_size=32).digest()
