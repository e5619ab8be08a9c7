"""How sparse a vector may be so that its compression looks random: the parameters of dual LPN.

The vector has N = 2n blocks in t equal parts, one random place of each with a random element of
GF(2^128), zeros elsewhere; the code of :mod:`services.kernels.code` compresses it to n blocks.
t = 312 does for each n that we allow:

- *Linear tests.* Whoever looks for a bias in a combination of the outputs needs a word of the code
  that misses all t places. One with d of N places leaves a bias of (1 - d/N)^t at most, so 128 bits
  take t = 128 / -log2(1 - d/N). libOTe counts d/N = 1/4 for ExConv7x24, which is what the sum of a
  few rows has over F_2 (a "pseudo-distance": lighter words exist, but to find them is thought as
  hard as to find the noise; what [RRT23] proves is less), with a bias of (1 - 2d/N)^t for regular
  noise, thus t = 128. The 2 is for bits, where hits cancel; over a large field the same t asks for
  d/N = 1/2, which the sum of a few rows has there (a test looks at some). We count with 1/4 all
  the same, so that words of half that weight do no harm: t = 309, rounded up to 312.
- *Information-set decoding* guesses n places free of noise. With regular noise a guess is right
  with probability 2^-t, and each costs the solution of n linear equations: over 2^312. [ESB24]
  guess within the parts, which gains most where parts are short or the noise is dense; [LWYY24]
  weigh such guesses over large fields. In both the exponent stays of the order of t at rate 1/2.
- *Algebraic attacks* [BO23] use that two places of a part are
  never both hit: t (N/t)^2 / 2 quadrics. By their Hilbert series the best hybrid at rate 1/2
  guesses 44 to 47 % of each part, and then solves a system of degree 4 for N = 4992, of degree 2
  for long parts: 2^316 steps in all there, 2^329 at n = 2·10^4, 2^349 at 1.3·10^6, 2^366 at 2·10^7.
- *Splitting.* Over a binary code the 128 coordinates of the noise would be 128 words with errors in
  the same places, and 128 independent ones uncover up to 128 places by linear algebra. The code
  multiplies by an element of no subfield for that. Even without it, 184 places were left.
- *The leak of the malicious protocol*: a sender that cheats learns whether the places lie in sets
  of its choice, and is caught unless they do: on average one bit.

Silver's codes [CRR21], which [RRT23] shows to have light words, are not used.
"""

from dataclasses import dataclass
from math import log2
from typing import Final

from services.kernels import ggm

SECURITY_BITS: Final = 128
PSEUDO_DISTANCE: Final = 0.25
WEIGHT: Final = 312
SMALLEST_PART: Final = 16
"""Places in a part at least, so that short outputs are cut from longer ones: N = 4992."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The shape of a sparse vector: WEIGHT parts of ``places`` each."""

    places: int

    @property
    def depth(self) -> int:
        """How many levels a tree with a leaf for each place of a part has."""
        return ggm.depth_of(self.places)

    @property
    def paths(self) -> int:
        """How many bits name the places of all parts."""
        return WEIGHT * self.depth

    @property
    def path_blocks(self) -> int:
        """How many blocks hold these bits."""
        return -(-self.paths // 128)


def for_outputs(count: int) -> Noise:
    """Return the noise that compresses to at least ``count`` blocks, at least 1."""
    if count < 1:
        raise ValueError(f"{count} outputs")
    return Noise(max(SMALLEST_PART, -(-2 * count // WEIGHT)))


def linear_test_bits() -> float:
    """Return how many bits of security linear tests leave."""
    return -WEIGHT * log2(1 - PSEUDO_DISTANCE)
