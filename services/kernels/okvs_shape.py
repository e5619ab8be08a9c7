"""How an oblivious key-value store is laid out: arithmetic that nodes do without any kernel."""

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from math import factorial
from typing import Final

STATISTICAL_BITS: Final = 40
ITEMS_A_BIN: Final = 1 << 15
FEWEST_ITEMS: Final = 64
MOST_ITEMS: Final = 1 << 30
MOST_SPARSE: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a table is laid out; a function of the count of items alone, so both parties know it."""

    bins: int
    sparse: int
    dense: int

    @property
    def rows(self) -> int:
        """The count of elements in the whole table."""
        return self.bins * (self.sparse + self.dense)

    @staticmethod
    def of(item_count: int) -> "Shape":
        """Return the shape that fails for at most one seed in 2^40.

        Paper:  [RR22] §4.2. Its figures hold from 2^6 to 2^30 items; fewer get the shape of 2^6.
        """
        if not 0 <= item_count <= MOST_ITEMS:
            raise ValueError(f"a table cannot hold {item_count} items")
        return _shape_of(max(item_count, FEWEST_ITEMS))


# Two machines must agree on every digit, so this is decimal arithmetic, whose results are exactly
# defined, and not that of the machine's floats.
#
# A seed fails in two ways, each of which gets half of the chance 2^-40: a triangle that ends far
# too early, for which there must be enough sparse columns, and more rows that are alike in these
# than there are dense columns.

_DIGITS: Final = Context(prec=28)
_LN_2: Final = Decimal(2).ln(_DIGITS)
_BITS: Final = STATISTICAL_BITS + 1
# λ = slope(n) · (e - 1.223) - 9.2 at e sparse columns an item: [RR22] figure 4 and equations 2 and
# 3 for weight 3, as in PaxosParam::init of its authors' code, github.com/Visa-Research/volepsi.
# Over 600 to 200 000 seeds at λ = 6…12 and 64…32 768 items, seeds failed more seldom than that.
_PHASE: Final = Decimal("1.223")
_PHASE_BITS: Final = Decimal("9.2")
_EXPONENT: Final = Decimal("0.555")
_LOG_WEIGHT: Final = _DIGITS.divide(Decimal(3).ln(_DIGITS), _LN_2)


@lru_cache(maxsize=64)
def _shape_of(item_count: int) -> Shape:
    with localcontext(_DIGITS):
        bins = max(1, (item_count + ITEMS_A_BIN // 2) // ITEMS_A_BIN)
        sparse = _sparse_of_each(item_count, bins) if bins > 1 else _sparse_of_one(item_count)
        dense = _dense_of(Decimal(item_count) / bins, bins, sparse)
        return Shape(bins=bins, sparse=sparse, dense=dense)


def _log2(x: Decimal) -> Decimal:
    return x.ln() / _LN_2


def _power_of_2(exponent: Decimal) -> Decimal:
    return (exponent * _LN_2).exp()


def _slope(items: Decimal) -> Decimal:
    w = _LOG_WEIGHT
    offset = Decimal("0.0930") * w**3 - Decimal("1.010") * w**2 + Decimal("2.925") * w
    return _power_of_2(_EXPONENT * _log2(items) + offset - Decimal("0.133"))


def _sparse_of_one(items: int) -> int:
    expansion = _PHASE + (_BITS + _PHASE_BITS) / _slope(Decimal(items))
    return int(items * expansion) + 1


def _sparse_of_each(item_count: int, bins: int) -> int:
    """Return how many sparse columns each bin needs if items fall into bins at random.

    A bin of k items fails with 2^-λ(sparse / k, k), where λ is the paper's line, and holds k items
    or more with at most 2^-tail(k); the sum over k, in steps of a quarter of the standard
    deviation, and over all bins is to be 2^-41. (volepsi's Baxos takes λ = 40 at a load that is
    exceeded with 2^-40: two rare things at once, and a table that is larger by 2 %.)
    """
    mean = Decimal(item_count) / bins
    step = mean.sqrt() / 4
    loads = [mean + step * place for place in range(64)]
    tails = [_tail_bits(load, item_count, bins) for load in loads]
    slope = _slope(mean)  # which grows with the load, so this is on the safe side

    def fails_too_often(sparse: int) -> bool:
        total = Decimal(0)
        for load, tail in zip(loads, tails, strict=True):
            line = slope * (sparse / (load + step) - _PHASE) - _PHASE_BITS
            total += _power_of_2(-tail - max(line, Decimal(0)))
        return bins * total > _power_of_2(Decimal(-_BITS))

    low, high = int(mean), 2 * int(mean)
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if fails_too_often(middle) else (low, middle)
    return high


def _tail_bits(load: Decimal, item_count: int, bins: int) -> Decimal:
    """Return -log2 of Chernoff's bound on a bin that holds ``load`` items or more."""
    items, chance = Decimal(item_count), 1 / Decimal(bins)
    share = load / items
    if share <= chance:
        return Decimal(0)
    if share >= 1:
        return Decimal(10_000)  # it cannot
    divergence = share * (share / chance).ln() + (1 - share) * ((1 - share) / (1 - chance)).ln()
    return items * divergence / _LN_2


def _dense_of(items: Decimal, bins: int, sparse: int) -> int:
    """Return how many rows the triangle may leave over, of a bin of so many items.

    Almost all of it is one of each two rows that have the same sparse columns. Of such pairs there
    are 3 n^2 / sparse^3 on average, about as in a Poisson distribution. The paper's bound (§4.2) is
    λ / log2(sparse), rounded down, which here and there is one too few for as many pairs.
    """
    pairs = 3 * items**2 / Decimal(sparse) ** 3
    dense = int((_BITS + _log2(Decimal(bins))) / _log2(Decimal(sparse)))
    while bins * pairs ** (dense + 1) / factorial(dense + 1) > _power_of_2(Decimal(-_BITS)):
        dense += 1
    return dense
