"""What the two parties of a private set intersection say to each other, in order."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from services.primitives.group import Elements
from services.wire import Column, Size, message, secret


@message("psi.intersect/agreement")
class Agreement:
    """What a party believes is being run; each sends one before anything else.

    session: a hash of the session id.
    version: of the service.
    rows:    how many keys the party brings.
    """

    session: Annotated[bytes, Size(32)]
    version: int
    rows: int


@message("psi.ecdh/blinded", version=2)
class Blinded:
    """H(v)^k for some of the keys v of one party, under that party's own exponent k."""

    elements: Elements = secret()


@message("psi.ecdh/reblinded", version=2)
class Reblinded:
    """The elements of one Blinded raised to the other party's exponent too, in the same order."""

    elements: Elements = secret()


@message("psi.ecdh/matches")
class Matches:
    """Which of some of the sender's elements, in the order it sent them, the receiver holds too."""

    found: Annotated[NDArray[np.bool_], Column(np.bool_)] = secret()


@message("psi.rr22/seed")
class Seed:
    """The seed of the receiver's key-value store."""

    seed: Annotated[bytes, Size(16)] = secret()


@message("psi.rr22/masked")
class Masked:
    """Some elements of the receiver's key-value store, each masked by one of the VOLE."""

    elements: Annotated[NDArray[np.uint8], Column(np.uint8, 16)] = secret()


@message("psi.rr22/images")
class Images:
    """The images of some of the sender's keys, in an order that only the sender knows."""

    images: Annotated[NDArray[np.uint8], Column(np.uint8, 10)] = secret()
