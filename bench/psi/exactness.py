"""Whether intersections are exactly right, at many sizes, partition counts and seeds."""

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.bars import Bar, Findings
from bench.parties import Measured
from bench.psi.party import play, rows_of, terms
from bench.psi.setting import Setting, run_spu
from bench.psi.tables import common_of, keys_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Some runs alike: each number of partitions with each of so many seeds."""

    protocol: str
    security: str = "semi-honest"
    keys: int
    partitions: tuple[int, ...]
    seeds: int


_QUICK: Final = (
    Trial(protocol="rr22", keys=1 << 12, partitions=(1, 3, 16), seeds=2),
    Trial(protocol="rr22", security="malicious", keys=1 << 12, partitions=(1, 3), seeds=2),
    Trial(protocol="ecdh", keys=1 << 12, partitions=(1, 3), seeds=1),
)
_FULL: Final = (
    Trial(protocol="rr22", keys=1, partitions=(1, 4), seeds=10),
    Trial(protocol="rr22", keys=100, partitions=(1, 4, 64), seeds=20),
    Trial(protocol="rr22", keys=1 << 12, partitions=(1, 3, 16), seeds=20),
    Trial(protocol="rr22", keys=1 << 16, partitions=(1, 2, 7, 64), seeds=5),
    Trial(protocol="rr22", keys=1 << 20, partitions=(1, 4, 13), seeds=3),
    Trial(protocol="rr22", keys=1 << 22, partitions=(1, 4, 16), seeds=2),
    Trial(protocol="rr22", security="malicious", keys=1 << 16, partitions=(1, 7), seeds=5),
    Trial(protocol="rr22", security="malicious", keys=1 << 20, partitions=(1, 4), seeds=2),
    Trial(protocol="ecdh", keys=1 << 12, partitions=(1, 3, 16), seeds=3),
    Trial(protocol="ecdh", keys=1 << 16, partitions=(1, 4), seeds=1),
)
_LOSSY_KEYS: Final = 1 << 22
"""At which SPU's mode of fewer bytes lost matches, in its four buckets."""


def exactness(setting: Setting) -> Findings:
    """Compare with what a plain comparison of both sets finds, row by row, at both parties."""
    bars = [_bar_of(trial) for trial in (_FULL if setting.is_full else _QUICK)]
    runs: list[Measured] = []
    if setting.has_spu and setting.is_full:
        theirs = run_spu("RR22_LOW_COMM", _LOSSY_KEYS)
        lost = common_of(_LOSSY_KEYS) - (theirs.result_rows or 0)
        runs.append(theirs)
        bars.append(Bar(what=f"rows lost by {theirs.system}", figure=lost))
    return Findings(runs, bars)


def _bar_of(trial: Trial) -> Bar:
    matches, wrong = 0, 0
    for count in trial.partitions:
        for seed in range(trial.seeds):
            due, got = asyncio.run(_run(trial, count, seed))
            matches += sum(map(len, due))
            wrong += sum(len(np.setxor1d(*pair)) for pair in zip(due, got, strict=True))
    listed = "/".join(map(str, trial.partitions))
    what = (
        f"{trial.protocol}, {trial.security}, {trial.keys:,} keys, {listed} partitions, "
        f"{trial.seeds} seeds: wrong rows of {matches:,}"
    )
    return Bar(what=what, figure=wrong, limit=0)


Rows = list[NDArray[np.int64]]


async def _run(trial: Trial, partitions: int, seed: int) -> tuple[Rows, Rows]:
    """Return which rows of each party match, by a plain comparison and by the service."""
    numbers = _numbers(trial.keys, seed)
    due = [np.flatnonzero(np.isin(numbers[rank], numbers[1 - rank])) for rank in (0, 1)]
    parameters = json.dumps(
        {"protocol": trial.protocol, "security": trial.security, "partitions": partitions}
    )
    # A malicious receiver could lie of matches; that it is not asked to tell them keeps this to
    # what the protocol itself finds.
    receivers = (0,) if trial.security == "malicious" else (0, 1)
    asked = terms([len(one) for one in numbers], parameters, receivers)
    ends = socket.socketpair()
    outcomes = await asyncio.gather(
        *(play(rank, ends[rank], keys_of(numbers[rank]), asked) for rank in (0, 1))
    )
    for end in ends:
        end.close()
    return [due[rank] for rank in receivers], [rows_of(outcomes[rank]) for rank in receivers]


def _numbers(count: int, seed: int) -> list[NDArray[np.uint64]]:
    """Return two sets in no order, of unlike sizes, of which a share by chance is common."""
    rng = np.random.default_rng(seed)
    sizes = (count, count - int(rng.integers(count // 2 + 1)))
    pool = rng.permutation(2 * count).astype(np.uint64) + np.uint64(seed << 32)
    start = int(rng.integers(count))
    return [pool[: sizes[0]], rng.permutation(pool[start : start + sizes[1]])]
