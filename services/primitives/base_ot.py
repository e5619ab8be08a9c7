"""Random oblivious transfers from nothing but a group: pairs of keys, and one of each."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.errors import LocalProtocolError
from services.kernels import blocks, ristretto
from services.kernels.blocks import Blocks
from services.primitives.group import Elements, Ristretto255
from services.randomness import Rng
from services.service import Keys
from services.wire import message, secret

_DST: Final = b"coffer base_ot/1 ristretto255_XMD:SHA-512_R255MAP_RO_ "


@message("base_ot/offer", version=2)
class Offer:
    """The sender's public key A = a·G, one row."""

    element: Elements = secret()


@message("base_ot/choices", version=2)
class Choices:
    """The receiver's elements r0 and r1 of each transfer, in turn."""

    elements: Elements = secret()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """What a party has of the transfers. said: a hash of both messages, the same at both."""

    said: bytes
    keys: Blocks = field(repr=False)


async def sender(channel: Channel, count: int, domain: bytes, rng: Rng) -> Transferred:
    """Return pairs of random keys, of which the receiver knows one each: keys (count, 2, 2).

    Paper:  [MR19], endemic OT from Diffie-Hellman; one exponent a for all transfers, which
            their number separates in each hash.
    Model:  two parties, malicious; gap Diffie-Hellman in ristretto255 (the one exponent takes a
            DDH oracle to simulate), hashes are random oracles. Endemic: a corrupt party may fix
            its own keys, which those who use this must bear.
    Leaks:  nothing.
    Cost:   1 round; 64 count bytes from the receiver, 32 to it; 2 count hashes, additions and
            multiplications here.
    Raises: PeerProtocolError if the receiver's elements are too few or unfit.
    """
    group = Ristretto255(_DST + domain)
    a = group.random_scalar(rng)
    offer = ristretto.multiply_base(np.frombuffer(a.encoded, np.uint8).reshape(1, 32))
    await channel.send(Offer(offer))
    chosen = (await channel.receive(Choices, rows=2 * count)).elements
    channel.require(len(chosen) == 2 * count, "its choices are not as many as agreed")

    numbers = np.arange(2 * count, dtype=np.uint64)
    others = chosen.reshape(count, 2, 32)[:, ::-1].reshape(-1, 32)
    sums, unfit = await asyncio.to_thread(
        ristretto.add, chosen, await hash_elements(group, numbers, others)
    )
    channel.require(unfit < 0, f"element {unfit} is not in the group")
    shared = await group.exp_received(channel, sums, a)  # a·(r_b + H(r_{1-b}))
    said = hash_of(domain, offer, chosen)
    return Transferred(said=said, keys=keys_of(said, numbers, shared).reshape(count, 2, 2))


async def receiver(
    channel: Channel, choices: NDArray[np.uint8], domain: bytes, rng: Rng
) -> Transferred:
    """Return of each of the sender's pairs of keys the one that we choose.

    Paper:  [MR19]; the element that is not ours is a hash of random bytes.
    Model:  as :func:`sender`.
    Shapes: choices (count,) uint8, each 0 or 1; keys (count, 2).
    Leaks:  nothing.
    Cost:   1 round; 64 count bytes to the sender, 32 from it; 2 count hashes and multiplications.
    Raises: PeerProtocolError if the sender's element is unfit.
    """
    count, group = len(choices), Ristretto255(_DST + domain)
    exponents = random_scalars(group, count, rng)
    numbers = np.arange(count, dtype=np.uint64) * np.uint64(2) + choices.astype(np.uint64)
    blind = np.frombuffer(rng.draw(64 * count), np.uint8).reshape(count, 64)
    theirs = await hash_elements(group, numbers, blind)  # r_{1-c}
    crossed = await hash_elements(group, numbers, theirs)
    ours, unfit = ristretto.subtract(ristretto.multiply_base(exponents), crossed)  # r_c
    if unfit >= 0:
        raise LocalProtocolError(f"our own element {unfit} is not in the group")
    chosen = arrange(choices, ours, theirs)
    await channel.send(Choices(chosen))

    offer = (await channel.receive(Offer, rows=1)).element
    channel.require(len(offer) == 1, "its offer is not one element")
    shared, unfit = await asyncio.to_thread(
        ristretto.multiply_each, np.tile(offer, (count, 1)), exponents
    )
    channel.require(unfit < 0, "its offer is not in the group")
    said = hash_of(domain, offer, chosen)
    return Transferred(said=said, keys=keys_of(said, numbers, shared))


def random_scalars(group: Ristretto255, count: int, rng: Rng) -> NDArray[np.uint8]:
    """Return random exponents, (count, 32) uint8."""
    drawn = b"".join(group.random_scalar(rng).encoded for _ in range(count))
    return np.frombuffer(drawn, np.uint8).reshape(count, 32)


def arrange(choices: NDArray[np.uint8], ours: Elements, theirs: Elements) -> Elements:
    """Return r0 and r1 of each transfer in turn: ours where we choose, theirs where we do not."""
    swap = (np.uint8(0) - choices).reshape(-1, 1)  # a mask, so that no choice decides a branch
    zeroth = (ours & ~swap) | (theirs & swap)
    return np.stack([zeroth, ours ^ theirs ^ zeroth], axis=1).reshape(-1, 32)


async def hash_elements(
    group: Ristretto255, numbers: NDArray[np.uint64], data: NDArray[np.uint8]
) -> Elements:
    """Return H(number, row) for the rows of ``data``, H a random oracle onto the group."""
    entered = np.hstack([numbers.astype("<u8").reshape(-1, 1).view(np.uint8), data])
    offsets = np.arange(len(entered) + 1, dtype=np.int64) * entered.shape[1]
    keys = Keys(offsets, np.ascontiguousarray(entered).reshape(-1))
    return await group.hash(keys, np.arange(len(entered), dtype=np.int64))


def hash_of(domain: bytes, offer: Elements, chosen: Elements) -> bytes:
    """Return a hash of the domain and of all that was said."""
    hashed = hashlib.blake2b(len(domain).to_bytes(8, "little"), person=b"coffer base_ot/1")
    for part in (domain, offer.tobytes(), chosen.tobytes()):
        hashed.update(part)
    return hashed.digest()


def keys_of(said: bytes, numbers: NDArray[np.uint64], shared: Elements) -> Blocks:
    """Return the key of each number from what both parties share of it and all that was said."""
    keys = [
        hashlib.blake2b(
            said + number.tobytes() + element.tobytes(), digest_size=16, person=b"coffer ot key/1"
        ).digest()
        for number, element in zip(numbers.astype("<u8"), shared, strict=True)
    ]
    return blocks.from_bytes(b"".join(keys))
