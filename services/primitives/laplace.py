"""Noise for differential privacy, drawn by OpenDP: from its OpenSSL's generator, not from an Rng.

That is seeded by the operating system. How long a draw takes depends a little on what is drawn,
microseconds among a job's seconds.
"""

from collections.abc import Callable
from functools import cache


def draw(scale: float) -> int:
    """Return a number from the discrete Laplace distribution of this scale.

    A whole number that one person changes by at most Δ, with noise of scale Δ / ε, is ε-private
    [GRS09]. OpenDP samples it exactly [CKS20], so that no bits of a float give it away.
    """
    return _measurement(scale)(0)


@cache
def _measurement(scale: float) -> Callable[[int], int]:
    # Only a run that asks for noise loads it.
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.atom_domain(T="i64"), dp.absolute_distance(T="i64")
    made: Callable[[int], int] = dp.m.make_laplace(*space, scale=scale)
    return made
