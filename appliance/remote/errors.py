"""What can go wrong on an operator's machine, before a node's agent has a word in it."""

from services.errors import ConfigError, ServiceError


class RemoteNotFound(ConfigError):
    """No node from afar is known by this name."""


class RemoteExists(ConfigError):
    """A node from afar is known by this name already."""


class RemoteMistyped(ConfigError):
    """A node's name or address cannot be taken as it was typed."""


class FolderUnfit(ConfigError):
    """The folder with the operator's key and pins cannot be used as it is."""


class EnrolmentFailed(ServiceError):
    """The node did not take the operator; the text says why."""
