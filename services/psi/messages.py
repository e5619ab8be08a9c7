"""What the two parties of a private set intersection say to each other, in order."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from services.primitives.group import Elements
from services.wire import Column, message, secret


@message("psi.ecdh/blinded", version=2)
class Blinded:
    """H(v)^k for some of the keys v of one party, under that party's own exponent k."""

    elements: Elements = secret()


@message("psi.ecdh/reblinded", version=2)
class Reblinded:
    """Elements of Blinded raised to the other party's exponent too.

    In ECDH those of one Blinded in its order, in psi.shuffled all in an order that hides it.
    """

    elements: Elements = secret()


@message("psi.ecdh/matches")
class Matches:
    """Which of some of the sender's elements, in the order it sent them, the receiver holds too."""

    found: Annotated[NDArray[np.bool_], Column(np.bool_)] = secret()


@message("psi.rr22/images", version=2)
class Images:
    """The images of some of the sender's items, in an order that only the sender knows."""

    images: Annotated[NDArray[np.uint8], Column(np.uint8)] = secret()


@message("psi.rr22/labels", version=2)
class Labels:
    """What goes with some of the sender's items, in the same order, masked each."""

    masked: Annotated[NDArray[np.uint64], Column(np.uint64, 2)] = secret()


@message("psi.join/counts")
class Counts:
    """How many rows a party has of each key that matches, in an order that both know."""

    counts: Annotated[NDArray[np.uint32], Column(np.uint32)] = secret()


@message("psi.join/remaining")
class Remaining:
    """How many rows of a party match none."""

    count: int


@message("psi.join/lengths")
class Lengths:
    """How long the values of some rows are in bytes, column by column, and which are not null."""

    lengths: Annotated[NDArray[np.uint32], Column(np.uint32)] = secret()
    present: Annotated[NDArray[np.bool_], Column(np.bool_)] = secret()


@message("psi.join/values")
class Values:
    """The values that Lengths announced, as text, column by column."""

    data: Annotated[NDArray[np.uint8], Column(np.uint8)] = secret()


@message("psi.shuffled/size")
class MatchCount:
    """How many keys both parties hold, perhaps with noise, plus 2^62."""

    shifted: int


@message("psi.sum/enough")
class Enough:
    """Whether as many keys match, or as many rows have a value in each column, as is asked for."""

    is_enough: Annotated[NDArray[np.bool_], Column(np.bool_)] = secret()


@message("psi.sum/shares")
class SumShares:
    """One party's shares of some sums, with noise where the contract asks for it."""

    shares: Annotated[NDArray[np.uint64], Column(np.uint64)] = secret()
