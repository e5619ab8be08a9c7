"""psi.sum as a whole job at two nodes, by a figure published for the reference implementation."""

from functools import partial
from typing import Final

import pyarrow.parquet as pq

from bench.bars import Bar, Findings
from bench.parties import Measured, by_turns
from bench.psi.jobs import NUMBERS, nodes_with
from bench.psi.nodes import Pair
from bench.psi.setting import MILLION_KEYS, Setting, WrongResult, require_right
from bench.psi.tables import numbers_of
from services.psi.sums import SERVICE

_QUICK_KEYS: Final = 1 << 13
_PARAMETERS: Final = '{"columns": ["value"], "digits": 0}'
_VALUES: Final = 8
"""Which the column counts through, as :func:`bench.psi.tables.write_parquet` has it."""

_PUBLISHED_ROWS: Final = 10_000
_PUBLISHED_SECONDS: Final = 41.0
_TIMES_FASTER: Final = 20


def total(setting: Setting) -> Findings:
    """Add up a column over the rows that match; time goes by rows, as the published figure's."""
    keys = setting.keys(MILLION_KEYS, _QUICK_KEYS)
    with nodes_with(keys) as (pair, registered):
        (ours,) = by_turns(1, partial(run_sum, pair, keys))
    limit = _PUBLISHED_SECONDS * keys / _PUBLISHED_ROWS / _TIMES_FASTER
    what = "wall seconds; by rows, 1/20 of the 41 published for 10,000"
    bar = Bar(what=what, figure=ours.wall_seconds, limit=limit, is_judged=setting.is_full)
    return Findings((registered, ours), (bar,))


def run_sum(pair: Pair, keys: int) -> Measured:
    """Measure one sum whose result goes to both sides."""
    [output] = SERVICE.outputs
    job = pair.propose(SERVICE.name, NUMBERS, parameters=_PARAMETERS, receives=[output])
    pair.rest()
    return require_right(
        pair.measure(
            "coffer, psi.sum, two nodes, approval to both results",
            keys,
            lambda: _matches(pair.finish(job).files[output], keys),
        )
    )


def _matches(path: str, keys: int) -> int:
    """Return how many rows matched, once their sum is right."""
    (found,) = pq.read_table(path).to_pylist()
    common = set(numbers_of(0, keys)) & set(numbers_of(1, keys))
    due = sum(number % _VALUES for number in common)
    if found["sum"] != due:
        raise WrongResult(f"a sum of {found['sum']} instead of {due}")
    return int(found["matches"])
