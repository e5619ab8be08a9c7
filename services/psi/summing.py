"""One party's run of psi.sum: count blindly, then add up over shares.

Model:  see :mod:`services.psi.sums`.
Leaks:  see :mod:`services.psi.sums`.
"""

import asyncio
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.channel import Channel
from services.errors import ConfigError
from services.primitives import laplace, selected_sum
from services.psi.counting import (
    Counted,
    blurred,
    count,
    hear_count,
    tell_count,
)
from services.psi.figures import Sums, Words, figures_of, signed, spread
from services.psi.keyed import counts_of
from services.psi.messages import Enough, SumShares
from services.psi.sum_terms import (
    SumParameters,
    limits_of,
    parameters_of,
    scales_of,
)
from services.psi.sums import NAME, SUMS, VERSION
from services.service import (
    Inputs,
    Outcome,
    Task,
)

MOST_TOTAL: Final = 1 << 62
"""What a column's numbers may add up to, signs left out: sums are shared modulo 2^64."""


async def add_up(task: Task) -> Outcome:
    """Run our role against the peer's; the figures go to those whom the contract names."""
    if task.inputs is None:
        raise ConfigError("this party was given no dataset")
    parameters, own = parameters_of(task.terms), task.terms.parties[task.session.rank]
    is_sender = own.role == "sender"
    numbers = await asyncio.to_thread(read, task.inputs, parameters) if is_sender else None
    counted = await count(task, task.inputs, service=NAME, version=VERSION)
    task.progress.stage("sum", max(len(counted.order), len(counted.selected)))
    if numbers is None:
        found = await receive(task, counted, parameters)
    else:
        found = await give(task, counted, parameters, numbers)
    if not own.receives:
        return Outcome()
    summary = {"own_rows": counted.row_count, "released_columns": 0}
    if found is not None:
        summary["released_columns"] = len([one for one in found.totals if one is not None])
    return Outcome(outputs={SUMS: figures_of(task.terms, found)}, summary=summary)


def read(inputs: Inputs, parameters: SumParameters) -> Words:
    """Return of each of our rows its numbers, then of each whether there is one, modulo 2^64.

    Shapes: (rows, 2 · columns).
    Raises: ConfigError if a column's numbers could add up to more than is shared exactly.
    """
    columns, limits = parameters.columns, np.array(limits_of(parameters), np.int64)
    totals, pieces = [0] * len(columns), []
    for batch in inputs.read_numbers(columns, parameters.digits):
        values = np.clip(batch.values, -limits, limits) if len(limits) else batch.values
        sizes = values.astype(np.float64)
        for place, total in enumerate(np.abs(sizes).sum(axis=0)):
            totals[place] += int(total)
        pieces.append(np.hstack([values.view(np.uint64), batch.present.astype(np.uint64)]))
    for name, total in zip(columns, totals, strict=True):
        if total >= MOST_TOTAL:
            raise ConfigError(
                f"the numbers of the column {name} add up to more than can be shared",
                remedy="lower the parameter digits",
            )
    return np.concatenate(pieces) if pieces else np.empty((0, 2 * len(columns)), np.uint64)


async def give(
    task: Task, counted: Counted, parameters: SumParameters, numbers: Words
) -> Sums | None:
    """Give our numbers; return the figures if we receive them.

    Paper:  as :func:`receive`.
    Model:  two parties, semi-honest.
    Leaks:  whether as many keys match, and as many rows have a value, as the contract asks for.
    Cost:   as :func:`receive`.
    Raises: PeerProtocolError if what the receiver sends is not of this contract.
    """
    channel, width, own = counted.channel, len(parameters.columns), task.terms.parties
    if not (await hear_enough(channel, 1))[0]:
        task.progress.advance(len(counted.order))
        return None
    filled = np.zeros((len(counted.order), 2 * width), np.uint64)
    filled[: len(numbers)] = numbers
    shares = await selected_sum.holder(
        channel, filled[counted.order], counted.domain, task.rng, task.progress
    )
    await tell_shares(channel, shares[width:] + count_noise(parameters, width))
    is_enough = await hear_enough(channel, width)
    totals = (shares[:width] + sum_noise(parameters))[is_enough]
    if own[1 - task.session.rank].receives:
        await tell_shares(channel, totals)
    if not own[task.session.rank].receives:
        return None
    most, has_noise = min(counts_of(task.terms)), parameters.epsilon is not None
    matches = await hear_count(channel, parameters.minimum, most, has_noise=has_noise)
    theirs = await hear_shares(channel, 2 * len(totals))
    released = np.concatenate([shares[:width][is_enough], shares[width:][is_enough]]) + theirs
    return spread(is_enough, matches, released)


async def receive(task: Task, counted: Counted, parameters: SumParameters) -> Sums | None:
    """Select the rows that match; return the figures if we receive them.

    Paper:  [IKN20] §1.2, what it computes; but by oblivious transfer instead of encrypted values,
            and with a minimum for each column.
    Model:  two parties, semi-honest.
    Leaks:  how many rows that match have a value in each column.
    Cost:   the sums' of :mod:`services.primitives.selected_sum`, and 3 rounds.
    Raises: PeerProtocolError if what the sender sends is not of this contract.
    """
    channel, width, parties = counted.channel, len(parameters.columns), task.terms.parties
    matches, scales = int(counted.selected.sum()), scales_of(parameters)
    # Whatever the sender is told is computed from what it may know: that has noise of ours.
    shown = blurred(matches, scales and scales[0])
    await tell_enough(channel, [shown >= parameters.minimum])
    if shown < parameters.minimum:
        task.progress.advance(len(counted.selected))
        return None
    shares = await selected_sum.selector(
        channel, counted.selected, 2 * width, counted.domain, task.rng, task.progress
    )
    theirs, own_noise = await hear_shares(channel, width), count_noise(parameters, width)
    values = signed(shares[width:] + theirs)
    is_enough = signed(shares[width:] + theirs + own_noise) >= parameters.minimum
    await tell_enough(channel, is_enough.tolist())
    found = None
    if parties[task.session.rank].receives:
        totals = shares[:width][is_enough] + await hear_shares(channel, int(is_enough.sum()))
        released = np.concatenate([totals, values[is_enough].view(np.uint64)])
        found = spread(is_enough, matches, released)
    if parties[1 - task.session.rank].receives:
        await tell_count(channel, shown)
        totals = (shares[:width] + sum_noise(parameters))[is_enough]
        presence = (shares[width:] + own_noise)[is_enough]
        await tell_shares(channel, np.concatenate([totals, presence]))
    return found


def count_noise(parameters: SumParameters, width: int) -> Words:
    """Return the noise for the counts that the other party is released."""
    scales = scales_of(parameters)
    return noise((scales[0],) * width) if scales else np.zeros(width, np.uint64)


def sum_noise(parameters: SumParameters) -> Words:
    """Return the noise for the sums that the other party is released."""
    scales = scales_of(parameters)
    return noise(scales[1]) if scales else np.zeros(len(parameters.columns), np.uint64)


def noise(scales: tuple[float, ...]) -> Words:
    """Return a number of noise for each scale, modulo 2^64."""
    return np.array([laplace.draw(scale) for scale in scales], np.int64).view(np.uint64)


async def tell_enough(channel: Channel, is_enough: list[bool]) -> None:
    """Tell the sender what reaches the minimum."""
    await channel.send(Enough(np.array(is_enough, np.bool_)))


async def hear_enough(channel: Channel, width: int) -> NDArray[np.bool_]:
    """Return what reaches the minimum, as the receiver tells."""
    came = await channel.receive(Enough, rows=width)
    channel.require(len(came.is_enough) == width, "it does not tell of each column")
    return came.is_enough


async def tell_shares(channel: Channel, shares: Words) -> None:
    """Reveal our shares."""
    await channel.send(SumShares(np.ascontiguousarray(shares)))


async def hear_shares(channel: Channel, width: int) -> Words:
    """Return the peer's shares."""
    came = await channel.receive(SumShares, rows=width)
    channel.require(len(came.shares) == width, "its shares are not as many as agreed")
    return came.shares
