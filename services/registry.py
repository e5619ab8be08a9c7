"""Every service this appliance can run. To add one, add a line; nothing is discovered."""

from typing import Final

from services import psi
from services.service import by_name

SERVICES: Final = by_name(*psi.SERVICES)
