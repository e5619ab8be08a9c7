"""The errors of the whole project, in one tree; ``appliance`` adds leaves, never another root.

ServiceError
├── ConfigError               the operator asked for something we cannot do
│   └── RoomShort             a contract leaves too little room for the rows of a table
├── ProtocolError             a conversation between parties broke its rules
│   ├── LocalProtocolError    we were about to break them: a bug on this node
│   └── PeerProtocolError     the peer broke them; carries the peer's rank
├── CheatingDetected          a MAC, commitment or consistency check failed; never retried
└── PeerLost                  the peer went away; the job may be retried
"""


class ServiceError(Exception):
    """Something that a person must hear of: ``what`` went wrong and the ``remedy``.

    Both are lower case without a full stop, as printed after ``error:`` and ``hint:``.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class ConfigError(ServiceError):
    """The operator asked for something this node cannot do."""


class RoomShort(ConfigError):
    """A contract leaves too little room for the rows of a table, whichever of them match."""


class ProtocolError(ServiceError):
    """A conversation between parties broke its rules."""


class LocalProtocolError(ProtocolError):
    """We were about to break the rules of a protocol: a bug here."""


class PeerProtocolError(ProtocolError):
    """A peer broke the rules of a protocol; ``rank`` says which party."""

    def __init__(self, rank: int, what: str, *, remedy: str = "") -> None:
        super().__init__(f"party {rank}: {what}", remedy=remedy)
        self.rank = rank


class CheatingDetected(ServiceError):
    """A MAC, commitment or consistency check failed; the job is never retried."""

    def __init__(self, rank: int, what: str) -> None:
        super().__init__(f"party {rank}: {what}")
        self.rank = rank


class PeerLost(ServiceError):
    """The peer went away in the middle of a conversation; the job may be retried."""

    def __init__(self, rank: int, what: str) -> None:
        super().__init__(f"party {rank}: {what}")
        self.rank = rank
