"""What can go wrong when the machine itself is to be changed or asked."""

from services.errors import ConfigError, ServiceError


class OutsideAppliance(ConfigError):
    """Nothing changes the machine itself where it is no appliance."""

    def __init__(self) -> None:
        super().__init__(
            "not available outside the appliance",
            remedy="do it by the means of this machine's own operating system",
        )


class OrderRefused(ConfigError):
    """The machine's helper did not do what it was asked."""


class HelperLost(ServiceError):
    """The machine's helper went away, or said what nobody understands."""


class ProgramFailed(ServiceError):
    """A program of the operating system did not do what it was started for."""
