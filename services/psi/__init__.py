"""Private set intersection: which of a party's rows have keys that the other holds too."""

from typing import Final

from services.psi import intersect

SERVICES: Final = (intersect.SERVICE,)
