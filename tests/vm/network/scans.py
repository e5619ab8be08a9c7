"""All ports of a machine, tried in every way a neighbour can, and what the list says of them."""

import tomllib
from dataclasses import dataclass
from typing import Final

from image import places
from tests.vm.network.neighbour import PORT, Neighbour, Target
from tests.vm.network.packets import TCP, UDP, Answer

_ATTEMPTS_A_SECOND: Final = 1500
_LISTED: Final = tomllib.loads((places.DEFINITION / "network.toml").read_text())["listens"]
_NAMES: Final = {TCP: "tcp", UDP: "udp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One way to try all ports.

    A UDP port is seen where the firewall lets through and nobody listens, or if who listens answers
    nonsense; one that takes it in silence is like one that is shut. The kernel holds back what it
    says of closed ports, but never all of it: no answer means no way in.
    """

    version: int
    protocol: int
    from_port: int = PORT

    def __str__(self) -> str:
        return f"{_NAMES[self.protocol]} over IPv{self.version} from port {self.from_port}"

    def run(self, neighbour: Neighbour, target: Target) -> dict[int, Answer]:
        """Return how each port answered that did."""
        return neighbour.answers(
            target,
            self.protocol,
            range(1, 65536),
            rate=_ATTEMPTS_A_SECOND,
            from_port=self.from_port,
        )

    def listed(self, state: str) -> set[int]:
        """Return the ports that may answer in a state of the machine."""
        return {
            one["port"]
            for one in _LISTED
            if one["protocol"] == _NAMES[self.protocol] and state in one["states"]
        }

    def let_through(self) -> set[int]:
        """Return the ports that the firewall lets through: in any state, as it knows none."""
        return {one["port"] for one in _LISTED if one["protocol"] == _NAMES[self.protocol]}


TCP_OVER_IPV4: Final = Scan(version=4, protocol=TCP)
TCP_OVER_IPV6: Final = Scan(version=6, protocol=TCP)
SCANS: Final = (
    TCP_OVER_IPV4,
    TCP_OVER_IPV6,
    Scan(version=4, protocol=UDP),
    Scan(version=6, protocol=UDP),
    Scan(version=4, protocol=UDP, from_port=67),  # as a DHCP server answers
    Scan(version=6, protocol=UDP, from_port=547),
)
