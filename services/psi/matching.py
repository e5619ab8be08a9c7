"""One party's run of psi.intersect: partition by partition, then the join.

Model:  see :mod:`services.psi.intersect`.
Leaks:  see :mod:`services.psi.intersect`.
"""

import asyncio
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.errors import ConfigError
from services.kernels.blocks import Blocks
from services.primitives.group import Curve25519
from services.progress import Silent
from services.psi import checkpoint, ecdh, rr22
from services.psi.agreement import agree
from services.psi.checkpoint import Matched
from services.psi.gifts import gift_of, takes_labels
from services.psi.intersect import NAME, VERSION, is_hardened
from services.psi.join import grouped, in_common_order
from services.psi.keyed import dataset_of
from services.psi.outcome import conclude
from services.psi.parameters import parameters_of
from services.psi.partition import Distinct, distinct_of, read_partitions, salt_of
from services.psi.plan import Plan, plan_of
from services.psi.texts import pack
from services.service import Inputs, Outcome, PartyTerms, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One attempt of one party, as all its partitions need it. domain: of this attempt alone."""

    task: Task
    plan: Plan
    channel: Channel
    inputs: Inputs
    domain: bytes

    @property
    def own(self) -> int:
        """Our rank."""
        return self.task.session.rank

    @property
    def party(self) -> PartyTerms:
        """Our terms."""
        return self.task.terms.parties[self.own]

    @property
    def is_ordered(self) -> bool:
        """Whether both parties must have what matches in one order, since columns follow."""
        gifts = (gift_of(self.task.terms, rank) for rank in (0, 1))
        return self.plan.is_shared and any(gift.columns for gift in gifts)


async def intersect(task: Task) -> Outcome:
    """Run our role against the peer's; the intersection goes to those whom the contract names."""
    session, terms = task.session, task.terms
    own = session.rank
    counts = [dataset_of(party).row_count for party in terms.parties]
    plan = plan_of(terms, gives_labels=takes_labels(terms))
    task.progress.stage("keys", counts[own])
    channel = session.channels[1 - own]
    finished = checkpoint.count_finished(task.scratch, plan.partitions)
    agreed = await agree(
        *(channel, session, task.rng),
        service=NAME,
        version=VERSION,
        counts=counts,
        finished=finished,
        most_finished=0 if is_hardened(terms) else plan.partitions,
    )
    if task.inputs is None:
        raise ConfigError("this party was given no dataset")
    turn = Turn(task=task, plan=plan, channel=channel, inputs=task.inputs, domain=agreed.domain)
    row_count = await match(turn, agreed.finished)
    return await conclude(turn.task, plan, channel, task.inputs, row_count)


async def match(turn: Turn, start: int) -> int:
    """Finish the partitions from ``start`` on; return how many rows our dataset has."""
    task, plan = turn.task, turn.plan
    salt = salt_of(task.session.session_id)
    dataset = dataset_of(turn.party)
    # Peers see how far we are, which beside a bound would tell how many rows there are.
    told = Silent() if dataset.is_bound else task.progress
    parts, row_count = await read_partitions(turn.inputs, plan.partitions, salt, task.scratch, told)
    if dataset.is_bound:
        task.progress.advance(dataset.row_count)
    if row_count > dataset.row_count or (row_count < dataset.row_count and not dataset.is_bound):
        raise ConfigError(
            f"the dataset has {row_count} rows, the contract says {dataset.row_count}"
        )
    task.progress.stage("match", plan.partitions * plan.units)
    task.progress.advance(start * plan.units)
    refuses = parameters_of(task.terms).duplicates == "refuse"
    for number in range(start, plan.partitions):
        part = parts.part(number)
        distinct = await asyncio.to_thread(distinct_of, part, refuses_repeats=refuses)
        matched = await play(turn, number, distinct)
        await asyncio.to_thread(checkpoint.keep, task.scratch, number, matched)
    return row_count


async def play(turn: Turn, number: int, distinct: Distinct) -> Matched:
    """Run the protocol on one partition; return which of our rows match, if we are to learn it."""
    task, plan = turn.task, turn.plan
    items = distinct.filled(plan.bounds[turn.own], task.rng)
    their_count = plan.bounds[1 - turn.own]
    domain = turn.domain + number.to_bytes(4, "little")
    labels = np.empty((0, plan.label_bytes), np.uint8)
    if plan.protocol == "ecdh":
        places = await play_ecdh(turn, items, their_count, domain)
    else:
        variant = rr22.Variant(
            adversary=plan.adversary,
            image_bytes=plan.image_bytes,
            is_shared=plan.is_shared,
            label_bytes=plan.label_bytes,
        )
        talk = (turn.channel, items, their_count)
        if turn.party.role == "receiver":
            found = await rr22.receiver(*talk, domain, task.rng, task.progress, variant=variant)
            places, labels = found.places, found.labels
        else:
            given = await labels_for(turn, distinct, len(items))
            places = await rr22.sender(
                *talk, given, domain, task.rng, task.progress, variant=variant
            )
    is_real = places < len(distinct.items)  # what fills up matches with a chance of 2^-128
    return matched_of(turn, distinct, places[is_real], labels[is_real[: len(labels)]])


def matched_of(
    turn: Turn, distinct: Distinct, places: NDArray[np.int64], labels: NDArray[np.uint8]
) -> Matched:
    """Return what we keep of a partition's outcome."""
    if turn.is_ordered:
        order = in_common_order(distinct.items[places])
        places, labels = places[order], labels[order[: len(labels)]]
    rows = grouped(places, distinct.counts, distinct.rows)
    return Matched(distinct.counts[places], rows, labels)


async def play_ecdh(
    turn: Turn, items: Blocks, their_count: int, domain: bytes
) -> NDArray[np.int64]:
    """Run one partition by Diffie-Hellman."""
    role = ecdh.receiver if turn.party.role == "receiver" else ecdh.sender
    group = Curve25519(b"coffer psi.intersect/3 curve25519_XMD:SHA-512_ELL2_NU_ " + domain)
    task = turn.task
    return await role(
        *(turn.channel, ecdh.keys_of(items), their_count, group, task.rng, task.progress),
        is_shared=turn.plan.is_shared,
    )


async def labels_for(turn: Turn, distinct: Distinct, count: int) -> NDArray[np.uint8]:
    """Return what goes with each of our items: our columns of its first row, packed."""
    label_bytes = turn.plan.label_bytes
    labels = np.zeros((count, label_bytes), np.uint8)
    if not label_bytes:
        return labels
    rows = distinct.rows[np.cumsum(distinct.counts) - distinct.counts]
    columns = gift_of(turn.task.terms, turn.own).columns
    batches, done = turn.inputs.read_texts(columns, rows), 0
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        size = len(batch[0])
        labels[done : done + size] = pack(batch, rows[done : done + size], label_bytes)
        done += size
    return labels
