"""What psi.cardinality and psi.sum have in common: a count that names no key."""

import asyncio
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.errors import ConfigError
from services.primitives import laplace
from services.primitives.group import Curve25519
from services.progress import Silent
from services.psi import shuffled
from services.psi.agreement import agree
from services.psi.counting_terms import KEYS, MATCH
from services.psi.ecdh import keys_of
from services.psi.keyed import counts_of, dataset_of
from services.psi.messages import MatchCount
from services.psi.partition import distinct_of, read_partitions, salt_of
from services.service import Inputs, PartyTerms, Task

_SHIFT: Final = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a party has once the matches are counted.

    order:    as the sender, its rows in the order that the receiver sees, others for padding.
    selected: as the receiver, which of these match.
    """

    channel: Channel
    domain: bytes
    row_count: int
    order: NDArray[np.int64]
    selected: NDArray[np.bool_]


async def count(task: Task, inputs: Inputs, *, service: str, version: int) -> Counted:
    """Read our keys and find out, together, how many both hold.

    Raises: ConfigError if two of our rows have one key, or if there are more or fewer rows than
            the contract says.
    """
    session, terms, own = task.session, task.terms, task.session.rank
    channel, counts = session.channels[1 - own], counts_of(terms)
    task.progress.stage(KEYS.name, counts[own])
    agreed = await agree(
        *(channel, session, task.rng), service=service, version=version, counts=counts
    )
    salt = salt_of(session.session_id)
    # Peers see how far we are, which beside a bound would tell how many rows there are.
    is_bound = dataset_of(terms.parties[own]).is_bound
    told = Silent() if is_bound else task.progress
    parts, row_count = await read_partitions(inputs, 1, salt, task.scratch, told)
    task.progress.advance(counts[own] if is_bound else 0)
    require_count(terms.parties[own], row_count)
    distinct = await asyncio.to_thread(distinct_of, parts.part(0), refuses_repeats=True)
    keys = keys_of(distinct.filled(counts[own], task.rng))

    task.progress.stage(MATCH.name, sum(counts))
    group = Curve25519(b"coffer psi shuffled/1 curve25519_XMD:SHA-512_ELL2_NU_ " + agreed.domain)
    talk = (channel, keys, counts[1 - own], group, task.rng, task.progress)
    order, selected = np.empty(0, np.int64), np.empty(0, np.bool_)
    if terms.parties[own].role == "sender":
        order = await shuffled.sender(*talk)
    else:
        selected = await shuffled.receiver(*talk)
    return Counted(
        channel=channel,
        domain=agreed.domain,
        row_count=row_count,
        order=order,
        selected=selected,
    )


def require_count(party: PartyTerms, row_count: int) -> None:
    """Raise ConfigError unless our table has as many rows as the contract says."""
    dataset = dataset_of(party)
    if row_count > dataset.row_count or (row_count < dataset.row_count and not dataset.is_bound):
        raise ConfigError(
            f"the dataset has {row_count} rows, the contract says {dataset.row_count}"
        )


def blurred(found: int, noise_scale: float | None) -> int:
    """Return how many keys match as the sender may know it: with noise if there is a scale."""
    return found + (laplace.draw(noise_scale) if noise_scale else 0)


async def tell_count(channel: Channel, shown: int) -> None:
    """Tell the sender how many keys match."""
    await channel.send(MatchCount(shown + _SHIFT))


async def hear_count(channel: Channel, fewest: int, most: int, *, has_noise: bool) -> int:
    """Return how many keys match, as the receiver tells; blame it if that cannot be."""
    shown = (await channel.receive(MatchCount)).shifted - _SHIFT
    is_possible = has_noise or fewest <= shown <= most
    channel.require(is_possible, "as many keys cannot match as it says")
    return shown
