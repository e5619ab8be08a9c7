"""What can go wrong with operators and their enrolment."""

from typing import Final

from services.errors import ConfigError

_CODE_REMEDY: Final = "enter it just as it is shown"


class CodeMistyped(ConfigError):
    """A set-up code cannot be read; the text names the word that is wrong."""

    def __init__(self, what: str, *, remedy: str = _CODE_REMEDY) -> None:
        super().__init__(what, remedy=remedy)


class NotFromAfar(ConfigError):
    """The node has no port for operators."""

    def __init__(self) -> None:
        super().__init__(
            "this node has no port for operators",
            remedy='set operators_listen in its configuration, or start it with "coffer up'
            ' --operators-listen HOST:PORT"',
        )


class NotOnConsole(ConfigError):
    """The node has an operator, so its console gives out no more that opens it, or its disk."""

    def __init__(self, what: str, order: str) -> None:
        super().__init__(
            f"this node has an operator already, so the console shows no {what}",
            remedy=f'an operator makes one: "{order}"; if none is left, reset the machine',
        )


class EnrolmentPortTaken(ConfigError):
    """The port for new operators cannot be opened on this machine."""


class OperatorNotFound(ConfigError):
    """No operator has this name or id."""


class OperatorIsNode(ConfigError):
    """The key of a node, this one or a peer, cannot be an operator's."""


class TooManyOperators(ConfigError):
    """The node has as many operators as it may."""
