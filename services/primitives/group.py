"""A group of prime order in which the decisional Diffie-Hellman problem is hard."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.errors import LocalProtocolError
from services.kernels import curve25519, ristretto
from services.randomness import Rng
from services.service import Keys
from services.wire import Column

Elements = Annotated[NDArray[np.uint8], Column(np.uint8, curve25519.ELEMENT_BYTES)]
"""Encoded group elements, (n, 32) uint8; not yet checked where they come from a peer."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A secret exponent."""

    encoded: bytes = field(repr=False)


class Group(Protocol):
    """What protocols do with columns of elements; each operation runs in a thread."""

    def random_scalar(self, rng: Rng) -> Scalar:
        """Return a uniformly random exponent."""

    async def hash(self, keys: Keys, rows: NDArray[np.int64]) -> Elements:
        """Return H(key) for the keys in ``rows``, H a random oracle onto the group."""

    async def exp(self, elements: Elements, scalar: Scalar) -> Elements:
        """Return each of our own elements raised to ``scalar``."""

    async def exp_received(self, channel: Channel, elements: Elements, scalar: Scalar) -> Elements:
        """Return each of the peer's elements raised to ``scalar``; blame it for an unfit one."""


class Curve25519:
    """The prime-order group of Curve25519 by u-coordinates, with a hash that depends on ``domain``.

    A point and its inverse are one element. Exponents are multiples of the cofactor 8, so whatever
    is raised lies in the group of prime order.
    """

    def __init__(self, domain: bytes) -> None:
        self._dst = domain

    def random_scalar(self, rng: Rng) -> Scalar:
        """Return a private key as of X25519 [RFC7748] §5, which the kernel clamps."""
        return Scalar(rng.draw(curve25519.SCALAR_BYTES))

    async def hash(self, keys: Keys, rows: NDArray[np.int64]) -> Elements:
        """Return H(key) for the keys in ``rows``."""
        return await asyncio.to_thread(
            curve25519.hash_to_curve, keys.offsets, keys.data, rows, dst=self._dst
        )

    async def exp(self, elements: Elements, scalar: Scalar) -> Elements:
        """Return each of our own elements raised to ``scalar``."""
        raised, unfit = await asyncio.to_thread(
            curve25519.scalar_multiply, elements, scalar.encoded, checked=False
        )
        if unfit >= 0:
            raise LocalProtocolError(f"our own element {unfit} is not in the group")
        return raised

    async def exp_received(self, channel: Channel, elements: Elements, scalar: Scalar) -> Elements:
        """Return each of the peer's elements raised to ``scalar``; blame it for an unfit one."""
        raised, unfit = await asyncio.to_thread(
            curve25519.scalar_multiply, elements, scalar.encoded
        )
        channel.require(unfit < 0, f"element {unfit} is not in the group")
        return raised


class Ristretto255:
    """The group ristretto255, with a hash onto it that is independent for each ``domain``."""

    def __init__(self, domain: bytes) -> None:
        self._dst = domain

    def random_scalar(self, rng: Rng) -> Scalar:
        """Return an exponent that is uniform up to 2^-250, as 512 random bits are reduced."""
        return Scalar(ristretto.reduce_scalar(rng.draw(ristretto.WIDE_SCALAR_BYTES)))

    async def hash(self, keys: Keys, rows: NDArray[np.int64]) -> Elements:
        """Return H(key) for the keys in ``rows``."""
        return await asyncio.to_thread(
            ristretto.hash_to_group, keys.offsets, keys.data, rows, dst=self._dst
        )

    async def exp(self, elements: Elements, scalar: Scalar) -> Elements:
        """Return each of our own elements raised to ``scalar``."""
        raised, unfit = await asyncio.to_thread(ristretto.scalar_multiply, elements, scalar.encoded)
        if unfit >= 0:
            raise LocalProtocolError(f"our own element {unfit} is not in the group")
        return raised

    async def exp_received(self, channel: Channel, elements: Elements, scalar: Scalar) -> Elements:
        """Return each of the peer's elements raised to ``scalar``; blame it for an unfit one."""
        raised, unfit = await asyncio.to_thread(ristretto.scalar_multiply, elements, scalar.encoded)
        channel.require(unfit < 0, f"element {unfit} is not in the group")
        return raised
