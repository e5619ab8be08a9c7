"""What a party makes of the partitions once all are finished: its output."""

import asyncio
from collections.abc import Iterator
from typing import Final

import numpy as np

from services.channel import Channel
from services.psi import checkpoint
from services.psi.checkpoint import Matched
from services.psi.gifts import columns_of, gift_of, keeps, takes_labels, untaken
from services.psi.join import exchange, joined
from services.psi.keyed import dataset_of
from services.psi.parameters import parameters_of
from services.psi.plan import Plan
from services.psi.texts import pieces, unpack
from services.service import (
    Adversary,
    Inputs,
    Joined,
    JoinedRows,
    Outcome,
    Selection,
    Task,
    Terms,
)

INTERSECTION: Final = "intersection"


async def conclude(
    task: Task, plan: Plan, channel: Channel, inputs: Inputs, row_count: int
) -> Outcome:
    """Return our output; by the way the parties give each other what the join calls for."""
    terms, own = task.terms, task.session.rank
    if not terms.parties[own].receives:
        task.progress.stage("join", 1)
        task.progress.advance(1)
        return Outcome()
    output = await make(task, plan, channel, inputs, row_count)
    kept = (checkpoint.find(task.scratch, number) for number in range(plan.partitions))
    rows = sum(len(one.rows) for one in kept if one is not None)
    summary = {"intersection_rows": rows, "own_rows": row_count}
    return Outcome(outputs={INTERSECTION: output}, summary=summary)


async def make(
    task: Task, plan: Plan, channel: Channel, inputs: Inputs, row_count: int
) -> Selection | Joined:
    """Return our output."""
    terms, own = task.terms, task.session.rank
    peer, join = 1 - own, parameters_of(terms).join
    ours, theirs = gift_of(terms, own), gift_of(terms, peer)
    if ours.is_nothing and theirs.is_nothing and (join == "difference" or not keeps(terms, own)):
        task.progress.stage("join", 1)
        chosen = await asyncio.to_thread(select, task, plan, row_count, join == "difference")
        task.progress.advance(1)
        return chosen
    matched = await asyncio.to_thread(gather, task, plan)
    # Blame would tell a liar that a row to which it gave nonsense is one that matches.
    is_lenient = plan.adversary is Adversary.MALICIOUS
    if takes_labels(terms):
        task.progress.stage("join", 1)
        task.progress.advance(1)
        rows = labelled(channel, matched, len(theirs.columns), is_lenient=is_lenient)
    else:
        taken = await exchange(
            *(channel, inputs, task.scratch, matched, row_count),
            ours=ours,
            theirs=theirs,
            rng=task.rng,
            progress=task.progress,
            their_count=dataset_of(terms.parties[peer]).row_count,
        )
        rows = joined(matched, taken)
    return Joined(
        columns=columns_of(terms, peer),
        parts=rows,
        is_outer=keeps(terms, own),
        is_lenient=is_lenient,
        indicator="" if join == "inner" else indicator_of(terms, own),
    )


def select(task: Task, plan: Plan, row_count: int, is_difference: bool) -> Selection:
    """Return those of our rows that match, or do not."""
    is_chosen = np.full(row_count, is_difference, np.bool_)
    for number in range(plan.partitions):
        matched = checkpoint.find(task.scratch, number)
        if matched is not None:
            is_chosen[matched.rows] = not is_difference
    return Selection(np.flatnonzero(is_chosen))


def gather(task: Task, plan: Plan) -> Matched:
    """Return all partitions' outcomes as one."""
    found = [checkpoint.find(task.scratch, number) for number in range(plan.partitions)]
    kept = [one for one in found if one is not None]
    return Matched(
        np.concatenate([one.counts for one in kept]),
        np.concatenate([one.rows for one in kept]),
        np.concatenate([one.labels for one in kept]),
    )


def labelled(
    channel: Channel, matched: Matched, columns: int, *, is_lenient: bool
) -> Iterator[JoinedRows]:
    """Give our rows with what the sender gave to their keys, without learning which they are.

    is_lenient: whether labels that hold no values give nulls; else they are the sender's fault.
    """
    key = 0
    row = 0
    for piece in pieces(matched.labels):
        counts = matched.counts[key : key + len(piece)]
        texts, is_fit = unpack(np.repeat(piece, counts, axis=0), columns)
        channel.require(is_lenient or bool(np.all(is_fit)), "its labels hold no values")
        rows = matched.rows[row : row + int(counts.sum())]
        yield JoinedRows(rows, texts)
        key, row = key + len(piece), row + len(rows)


def indicator_of(terms: Terms, own: int) -> str:
    """Return the name of the column that tells of a row whether it matches: one not taken."""
    columns = (*dataset_of(terms.parties[own]).columns, *columns_of(terms, 1 - own))
    return untaken("matched", [column.name for column in columns])
