"""What can be wrong with the ledger, a peer's, or what is shown of one."""

from appliance.identity.node_id import NodeId
from services.errors import ConfigError, ProtocolError, ServiceError


class LedgerDamaged(ServiceError):
    """The ledger is not what this node wrote; ``index`` is the first entry that can be bad."""

    def __init__(self, index: int, what: str) -> None:
        super().__init__(
            what,
            remedy="keep the disk as it is for an inquiry; peers hold checkpoints of this ledger"
            " that show what it was, and a backup may hold its entries",
        )
        self.index = index


class EntryMalformed(ProtocolError):
    """Bytes that should be an entry of a ledger are not, or are not its one canonical form."""


class EntryTooLong(ConfigError):
    """What should be recorded is longer than an entry of the ledger may be."""

    def __init__(self, count: int, most: int) -> None:
        super().__init__(
            f"the record of this has {count} bytes, at most {most} fit into the ledger",
            remedy="use shorter names and fewer parties",
        )


class TooManyEntries(ConfigError):
    """More entries are asked for than are given out at once."""

    def __init__(self, count: int, most: int) -> None:
        super().__init__(
            f"{count} entries are too many for one bundle, at most {most}",
            remedy="export them in several bundles",
        )


class EntryNotFound(ConfigError):
    """The ledger has no such entry, or no longer its content."""

    def __init__(self, what: str) -> None:
        super().__init__(what, remedy="name entries that the ledger still holds")


class CheckpointMalformed(ProtocolError):
    """Text that should be a checkpoint is not, or not in its one canonical form."""


class CheckpointUnsigned(ProtocolError):
    """A checkpoint lacks the signature of a node that should have signed it."""


class CheckpointNotFound(ConfigError):
    """The node has signed no such checkpoint."""


class ProofWrong(ProtocolError):
    """A Merkle proof does not show what it should."""


class LedgerUnproven(ProtocolError):
    """A peer did not show that its ledger goes on from where we saw it last; both are kept."""

    def __init__(self, peer: NodeId, what: str, *, held: str, shown: str) -> None:
        super().__init__(
            f"the ledger of {peer.short} {what}",
            remedy="run no more jobs with that node until its administrators have explained it;"
            " both checkpoints that it signed are kept as evidence"
            f' ("coffer ledger checkpoint --of {peer.short} --forks FOLDER")',
        )
        self.peer = peer
        self.held = held
        self.shown = shown


class LedgerForked(LedgerUnproven):
    """A peer has signed two ledgers of one size, which is proof by itself that it rewrote one."""


class PruneTooEarly(ConfigError):
    """Entries are kept for a time that nobody can shorten."""

    def __init__(self, days: int) -> None:
        super().__init__(
            f"entries younger than {days} days are never pruned",
            remedy=f"name a time that is at least {days} days ago",
        )
