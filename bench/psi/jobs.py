"""Whole jobs at two real nodes: Parquet files to Parquet files, last approval to both results."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from bench.bars import Bar, Findings, ratio_bars
from bench.parties import Measured, by_turns
from bench.psi import first_byte
from bench.psi.nodes import Pair, paired
from bench.psi.setting import MILLION_KEYS, Setting, require_right, run_spu
from bench.psi.tables import write_parquet
from bench.shaping import WAN, Link, shaped

NUMBERS: Final = "numbers"
_QUICK_KEYS: Final = 1 << 16
_MIDDLE_KEYS: Final = 10_000_000
_QUICK_MIDDLE_KEYS: Final = 1 << 18
_HUGE_KEYS: Final = 100_000_000
_QUICK_HUGE_KEYS: Final = 1 << 20
_FEW_KEYS: Final = 64


@contextmanager
def nodes_with(keys: int, link: Link | None = None) -> Iterator[tuple[Pair, Measured]]:
    """Give two nodes that have registered tables of so many keys, and what registering took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = [write_parquet(folder / f"{rank}.parquet", rank, keys) for rank in (0, 1)]
        with paired(folder, link) as pair:
            registered = pair.measure(
                "coffer, registering both tables", keys, lambda: pair.add(NUMBERS, tables)
            )
            pair.publish(NUMBERS, payload=["value"])
            pair.allow(NUMBERS)
            yield pair, registered


def run_job(pair: Pair, keys: int, parameters: str = "{}") -> Measured:
    """Measure one intersection whose result goes to both sides."""
    job = pair.propose("psi.intersect", NUMBERS, parameters=parameters, receives=["intersection"])
    pair.rest()
    return require_right(
        pair.measure(
            "coffer, two nodes, approval to both results",
            keys,
            lambda: int(pair.finish(job).row_counts["intersection"]),
        )
    )


def job(setting: Setting) -> Findings:
    """Run the whole job beside SPU's whole run."""
    keys = setting.keys(MILLION_KEYS, _QUICK_KEYS)
    with nodes_with(keys) as (pair, registered):
        run_ours = partial(run_job, pair, keys)
        if not setting.has_spu:
            return Findings((registered, *by_turns(setting.repeats, run_ours)))
        ours, theirs = by_turns(setting.repeats, run_ours, partial(run_spu, "RR22", keys))
    limits = {"wall": 1 / 3, "cpu": 1 / 3}
    bars = ratio_bars(ours, theirs, limits, is_judged=setting.is_full)
    return Findings((registered, ours, theirs), bars)


def ten_million(setting: Setting) -> Findings:
    """Run the whole job at 10^7."""
    keys = setting.keys(_MIDDLE_KEYS, _QUICK_MIDDLE_KEYS)
    with nodes_with(keys) as (pair, registered):
        ours = run_job(pair, keys)
    judged = setting.is_full
    bars = [
        Bar(what="wall seconds", figure=ours.wall_seconds, limit=30, is_judged=judged),
        *memory_bars(ours, 2048, is_judged=judged),
    ]
    if not setting.has_spu:
        return Findings((registered, ours), bars)
    theirs = run_spu("RR22", keys)
    return Findings(
        (registered, ours, theirs), (*bars, *ratio_bars(ours, theirs, {}, is_judged=judged))
    )


def hundred_million(setting: Setting) -> Findings:
    """Run the whole job at 10^8 just after one at 10^7, and say how much longer it takes."""
    runs = []
    for keys in (
        setting.keys(_MIDDLE_KEYS, _QUICK_MIDDLE_KEYS),
        setting.keys(_HUGE_KEYS, _QUICK_HUGE_KEYS),
    ):
        with nodes_with(keys) as (pair, registered):
            runs += [registered, run_job(pair, keys)]
    _, smaller, _, larger = runs
    growth = larger.wall_seconds / smaller.wall_seconds
    judged = setting.is_full
    what = f"wall, {larger.keys:,} keys to {smaller.keys:,}"
    return Findings(
        runs,
        (
            Bar(what=what, figure=growth, limit=12, is_judged=judged),
            *memory_bars(larger, 4096, is_judged=judged),
        ),
    )


def memory_bars(ours: Measured, limit_mib: int, *, is_judged: bool) -> list[Bar]:
    """Return what a party took at most: its worker, and its agent and all workers together."""
    together = "MiB of a party, agent and workers together"
    return [
        Bar(what="MiB of a party's worker", figure=max(ours.peak_mib)),
        Bar(what=together, figure=max(ours.held_mib), limit=limit_mib, is_judged=is_judged),
    ]


def wan(setting: Setting) -> Findings:
    """Run the whole job over a slow link, which all that the nodes say to each other passes."""
    keys = setting.keys(_MIDDLE_KEYS, _QUICK_MIDDLE_KEYS)
    with shaped(WAN) as link, nodes_with(keys, link) as (pair, _):
        before = [pacer.carried_bytes for pacer in link.towards]
        ours = run_job(pair, keys, '{"protocol": "rr22", "network": "wan"}')
        carried = [
            pacer.carried_bytes - was for pacer, was in zip(link.towards, before, strict=True)
        ]
    if sum(carried) < 0.95 * sum(ours.sent_mib) * 2**20:
        raise RuntimeError(f"of {sum(ours.sent_mib):.0f} MiB only {carried} bytes took the link")
    busiest = max(carried) / WAN.bytes_per_second
    what = f"wall seconds over {WAN.title}; the leader's with 32 cores a party: 44"
    return Findings(
        (ours,),
        (
            Bar(what=what, figure=ours.wall_seconds, limit=44, is_judged=setting.is_full),
            Bar(what="seconds that the link needs for the busier direction", figure=busiest),
        ),
    )


def first(setting: Setting) -> Findings:
    """Measure how soon the first byte passes after the last approval."""
    del setting  # it is the same at any size
    with nodes_with(_FEW_KEYS) as (pair, _):
        receives = ["intersection"]
        waits = first_byte.run(
            pair,
            lambda: pair.propose("psi.intersect", NUMBERS, parameters="{}", receives=receives),
        )
    return Findings((), waits)
