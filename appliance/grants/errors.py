"""What can be wrong with a grant, or stand between it and a job."""

from services.errors import ConfigError, ProtocolError


class GrantMalformed(ProtocolError):
    """Bytes that should be a grant are not, or are not its one canonical form."""


class GrantNotFound(ConfigError):
    """There is no grant with that id."""

    def __init__(self, named: str) -> None:
        super().__init__(
            f"there is no grant {named[:64]!r} on this node", remedy="name one that is"
        )


class GrantUnfit(ConfigError):
    """What an owner wants to grant goes beyond what the dataset's policy allows."""

    def __init__(self, what: str, remedy: str = "change the policy first, or grant less") -> None:
        super().__init__(what, remedy=remedy)


class GrantRefused(ConfigError):
    """A grant does not cover what a contract asks; the text names the first thing beyond it."""


class GrantRevoked(GrantRefused):
    """A grant was revoked by its owner."""


class GrantSpent(GrantRefused):
    """All uses of a grant are taken."""
