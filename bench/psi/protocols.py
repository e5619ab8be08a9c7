"""The protocols alone, keys in memory to matches: two processes over the real channel."""

import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from appliance.demo.nodes import free_ports
from bench.bars import Bar, Findings, ratio_bars
from bench.parties import Measured, by_turns, measure
from bench.psi.setting import (
    MILLION_KEYS,
    Setting,
    require_right,
    run_openmined,
    run_spu,
)

_POINTS_A_KEY: Final = 4
"""Multiplications on the curve: each party's of its own key and of the other's."""
_SPU_POINT_MICROSECONDS: Final = 10.1
"""As measured on a processor with AVX-512 IFMA, for which SPU's ECDH is written."""
_HAS_IFMA: Final = "avx512ifma" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
_QUICK_KEYS: Final = 1 << 16
# OpenMined takes 85 µs for each point, and SPU's ECDH 350 µs where the CPU lacks the instructions
# that it is written for: they are compared at a size at which they end in a minute or two.
_SLOWER_KEYS: Final = 1 << 16
_QUICK_SLOWER_KEYS: Final = 1 << 12
_SPU_MARK: Final = re.compile(
    r"\[([\d-]+ [\d:.]+)\] .*rr22_psi\.cc:\d+\] (mask size|get intersection end)"
)


def run_alone(keys: int, **parameters: str) -> Measured:
    """Run psi.intersect without agents."""
    (port,) = free_ports(1)
    asked = json.dumps(parameters)
    commands = [
        [sys.executable, "-m", "bench.psi.party", str(rank), str(port), str(keys), asked]
        for rank in (0, 1)
    ]
    named = ", ".join(parameters.values())
    return require_right(measure(f"coffer, {named}, keys to matches", keys, commands))


def rr22(setting: Setting) -> Findings:
    """Run RR22 beside SPU's: its whole run, and what of it its log calls the protocol."""
    keys = setting.keys(MILLION_KEYS, _QUICK_KEYS)
    run_ours = partial(run_alone, keys, protocol="rr22")
    if not setting.has_spu:
        return Findings(by_turns(setting.repeats, run_ours))
    ours, theirs = by_turns(setting.repeats, run_ours, partial(run_spu, "RR22", keys))
    part_seconds = protocol_seconds(theirs.said)
    judged = setting.is_full
    return Findings(
        (ours, theirs),
        (
            *ratio_bars(ours, theirs, {"cpu": 1 / 6, "sent": 1.0}, is_judged=judged),
            Bar(what="seconds of SPU's protocol part, by its log", figure=part_seconds),
            Bar(
                what="wall, ours to SPU's protocol part",
                figure=ours.wall_seconds / part_seconds,
                limit=1 / 2,
                is_judged=judged,
            ),
        ),
    )


def protocol_seconds(said: Sequence[str]) -> float:
    """Return how long SPU was at the protocol itself, by the log of its receiver.

    That is from when it has the keys in memory until it has the matches, over all its buckets.
    """
    marks = [found for line in said if (found := _SPU_MARK.match(line))]
    whens = [datetime.fromisoformat(mark[1]) for mark in marks]
    words = [mark[2] for mark in marks]
    if not words or words != ["mask size", "get intersection end"] * (len(words) // 2):
        raise RuntimeError(f"SPU's log is not as known: it has the marks {words}")
    return sum(
        (ended - began).total_seconds()
        for began, ended in zip(whens[::2], whens[1::2], strict=True)
    )


def malicious(setting: Setting) -> Findings:
    """Run RR22 for parties that do anything beside RR22 for those that keep to it."""
    keys = setting.keys(MILLION_KEYS, _QUICK_KEYS)
    hardened, plain = by_turns(
        setting.repeats,
        partial(run_alone, keys, protocol="rr22", security="malicious"),
        partial(run_alone, keys, protocol="rr22", security="semi-honest"),
    )
    limits = {"wall": 1.5, "cpu": 1.5}
    return Findings(
        (hardened, plain), ratio_bars(hardened, plain, limits, is_judged=setting.is_full)
    )


def ecdh(setting: Setting) -> Findings:
    """Run ECDH beside SPU's and OpenMined's, at a size at which these end."""
    slower = setting.keys(_SLOWER_KEYS, _QUICK_SLOWER_KEYS)
    keys = setting.keys(MILLION_KEYS, slower)
    at = {size: run_alone(size, protocol="ecdh") for size in {keys, slower}}
    runs = [*at.values()]
    bars = [_point_bar(at[keys], setting)]
    if setting.has_spu:
        theirs = run_spu("ECDH", keys if _HAS_IFMA else slower)
        runs.append(theirs)
        is_judged = setting.is_full and _HAS_IFMA
        bars += ratio_bars(at[theirs.keys], theirs, {"cpu": 0.8}, is_judged=is_judged)
        bars.append(Bar(what="µs a point, SPU", figure=_point_microseconds(theirs)))
    if setting.has_openmined:
        theirs = run_openmined(slower)
        runs.append(theirs)
        bars += ratio_bars(at[slower], theirs, {"cpu": 1 / 6}, is_judged=setting.is_full)
        bars.append(Bar(what="µs a point, openmined-psi", figure=_point_microseconds(theirs)))
    return Findings(runs, bars)


def _point_bar(ours: Measured, setting: Setting) -> Bar:
    return Bar(
        what="µs a point, ours; at most 0.8 of SPU's on a CPU with AVX-512 IFMA",
        figure=_point_microseconds(ours),
        limit=0.8 * _SPU_POINT_MICROSECONDS,
        is_judged=setting.is_full and _HAS_IFMA,
    )


def _point_microseconds(measured: Measured) -> float:
    return 1e6 * measured.cpu_seconds / (_POINTS_A_KEY * measured.keys)
