"""Private set intersection: what two parties may find out over the keys that both hold."""

from typing import Final

from services.psi import cardinality, intersect, sums

SERVICES: Final = (intersect.SERVICE, cardinality.SERVICE, sums.SERVICE)
