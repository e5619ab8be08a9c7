"""What can be wrong with a contract or its signatures."""

from collections.abc import Sequence

from services.errors import ConfigError, ProtocolError


class ContractMalformed(ProtocolError):
    """Bytes that should be a contract are not, or are not its one canonical form."""


class EnvelopeMalformed(ProtocolError):
    """Text that should be a signed envelope is not."""


class ContractUnsigned(ProtocolError):
    """A contract lacks a good signature of some of its parties; the text names them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"the contract is not signed by {', '.join(names)}")
        self.names = tuple(names)


class ServiceUnknown(ConfigError):
    """A contract asks for a service that this node does not have."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no service {name} on this node", remedy=f"services are {', '.join(known)}"
        )


class ServiceVersionDiffers(ConfigError):
    """A contract asks for a version of a service that this node does not have."""

    def __init__(self, name: str, asked: int, here: int) -> None:
        super().__init__(
            f"the contract asks for version {asked} of {name}, this node has version {here}",
            remedy="run the same version of coffer on all nodes",
        )


class ParametersInvalid(ConfigError):
    """A contract's parameters are not such as the service takes."""
