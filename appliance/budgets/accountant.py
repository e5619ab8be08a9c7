"""What jobs have spent of a dataset's privacy budget, all together. Pure.

Each job is (ε, δ)-differentially private in one row of the dataset, whatever jobs were before it,
so that they compose adaptively.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any, Final

_DIGITS: Final = Decimal("1e-12")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """A loss of privacy: ε and δ."""

    epsilon: Decimal
    delta: Decimal = Decimal(0)


NOTHING: Final = Spend(epsilon=Decimal(0))


def compose(spends: Iterable[Spend], most_delta: Decimal) -> Spend:
    """Return what is lost by all of them, with the least ε for which δ is at most ``most_delta``.

    Two bounds hold, and the smaller ε counts: the sum of all ε and of all δ, in exact decimals
    [DR14, theorem 3.16]; and where δ is left over, zero-concentrated privacy, in which an ε costs
    ε²/2 [BS16, proposition 1.4], turned back by OpenDP. ε is rounded up.
    """
    listed = tuple(spends)
    plain = Spend(
        epsilon=sum((one.epsilon for one in listed), Decimal(0)),
        delta=sum((one.delta for one in listed), Decimal(0)),
    )
    left = most_delta - plain.delta
    if left <= 0 or len(listed) < 2:
        return plain
    rho = sum((one.epsilon**2 / 2 for one in listed), Decimal(0))
    epsilon = _epsilon_of(rho, left)
    return Spend(epsilon=epsilon, delta=most_delta) if epsilon < plain.epsilon else plain


def _epsilon_of(rho: Decimal, delta: Decimal) -> Decimal:
    """Return the ε of which ρ-zero-concentrated privacy is (ε, δ)-private."""
    # Only a budget with a δ needs it, and it loads slowly.
    import opendp.prelude as dp

    dp.enable_features("contrib", "honest-but-curious")
    loss = math.nextafter(float(rho), math.inf)
    stands_for_all = dp.m.make_user_measurement(
        dp.atom_domain(T=bool),
        dp.discrete_distance(),
        dp.zero_concentrated_divergence(),
        lambda _: 0,
        lambda _: loss,
        TO="i32",
    )
    converted: Any = dp.c.make_zCDP_to_approxDP(stands_for_all)
    found = converted.map(1).epsilon(math.nextafter(float(delta), 0.0))
    if not math.isfinite(found):
        return Decimal("Infinity")
    return Decimal(found).quantize(_DIGITS, rounding=ROUND_UP)
