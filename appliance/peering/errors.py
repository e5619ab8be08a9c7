"""What can go wrong between nodes that get to know each other, or know each other already."""

from typing import ClassVar, Final

from services.errors import ConfigError, ProtocolError, ServiceError


class AddressMistyped(ConfigError):
    """An address is not HOST:PORT."""


class InvitationMistyped(ConfigError):
    """An invitation cannot be read; the text names the part that is wrong."""


class InvitationNotFound(ConfigError):
    """There is no invitation of this number."""


class InvitationRefused(ConfigError):
    """The node that made the invitation does not take it, or not any more.

    A node tells another only the name of the class: the sentences are written where they are read.
    """

    WHAT: ClassVar[str] = "the invitation is not taken"
    REMEDY: ClassVar[str] = "ask the other node's operator for a new invitation"

    def __init__(self) -> None:
        super().__init__(self.WHAT, remedy=self.REMEDY)


class InvitationUsed(InvitationRefused):
    """The invitation has been used already; each is good for one pairing."""

    WHAT = "the invitation has been used already; each is good for one pairing"


class InvitationExpired(InvitationRefused):
    """The invitation is older than fifteen minutes."""

    WHAT = "the invitation has expired: it was good for fifteen minutes"


class InvitationKilled(InvitationRefused):
    """Three wrong codes were tried on the invitation, so it is dead."""

    WHAT = "the invitation is dead, for three wrong codes were tried on it"
    REMEDY = (
        "ask the other node's operator for a new invitation; if the wrong codes were not yours,"
        " somebody else is guessing: tell your security administrator"
    )


class InvitationWithdrawn(InvitationRefused):
    """The invitation was withdrawn, or its node restarted since it was made."""

    WHAT = "the invitation was withdrawn, or its node restarted since it was made"


class InvitationUnknown(InvitationRefused):
    """The other node made no invitation of this number."""

    WHAT = "the other node made no invitation of this number"
    REMEDY = "compare the number and the address with what the other node shows"


class PairingBusy(InvitationRefused):
    """Too many attempts to pair are under way at once."""

    WHAT = "the other node is busy with other attempts to pair"
    REMEDY = "try again in a minute"


class AttemptLost(InvitationRefused):
    """The other node knows nothing of this attempt, or has forgotten it."""

    WHAT = "the attempt to pair took too long"
    REMEDY = "enter the invitation again"


class PairingPortTaken(ConfigError):
    """The pairing port cannot be opened on this machine."""


class WrongCode(InvitationRefused):
    """The code is wrong, or somebody is in the middle of the connection."""

    WHAT = "the code is wrong, or somebody is in the middle of the connection"
    REMEDY = (
        "compare the invitation with the one that the other node shows; after three wrong codes it"
        " is dead and a new one must be made"
    )


class PairingBroken(ProtocolError):
    """The other node broke the rules of the pairing protocol."""


class SelfPairing(InvitationRefused):
    """A node was asked to pair with itself."""

    WHAT = "this is the invitation of this very node: it cannot pair with itself"
    REMEDY = "enter the invitation at the other node"


class AlreadyPaired(InvitationRefused):
    """The two nodes are paired already."""

    WHAT = "the other node is paired with this one already"
    REMEDY = (
        'see "coffer peers list" on both nodes; if one of them does not list the other as paired,'
        " unpair at the other, then pair again"
    )


class ShortIdTaken(InvitationRefused):
    """The node's id begins as a known peer's does, or that is a known peer's name."""

    WHAT = "a node id or a name of a known peer begins as this node's id: they cannot be told apart"
    REMEDY = (
        "somebody may be posing as that peer: compare the whole node ids with both operators; if"
        " this is chance, one of the nodes must be made anew"
    )


class PeerNotFound(ConfigError):
    """No peer has this name or node id."""


class PeerAmbiguous(ConfigError):
    """Several peers have this name, or an id that begins so."""


class PeerNotPaired(ConfigError):
    """The peer is known, but is not, or no longer, paired with this node."""


class IllegalTransition(ConfigError):
    """A pairing or an invitation cannot change so from where it stands."""


class NameTaken(ConfigError):
    """Our own node bears the name of a peer, so that nobody could tell them apart."""


class PeerUnreachable(ServiceError):
    """A peer cannot be reached; the text says why."""


class PeerUnknown(ProtocolError):
    """A connection's certificate is not that of any peer that this node knows."""


class CertificateEnded(ProtocolError):
    """The certificate that a connection was made with has ended, or has not begun."""


class IntroductionInvalid(ProtocolError):
    """What a node says of itself breaks the rules for names, addresses or versions."""


class ClockSkewed(ConfigError):
    """The clocks of two nodes differ by more than five minutes."""


class VersionsDiffer(ConfigError):
    """Two nodes speak no common version of the interface between nodes."""


class PairingFailed(ServiceError):
    """The node that made the invitation cannot be reached, or gave up."""


# The refusals that a node names to another, by the names that travel.
REFUSALS: Final[dict[str, type[InvitationRefused]]] = {
    kind.__name__: kind
    for kind in (
        AlreadyPaired,
        AttemptLost,
        InvitationExpired,
        InvitationKilled,
        InvitationUnknown,
        InvitationUsed,
        InvitationWithdrawn,
        PairingBusy,
        SelfPairing,
        ShortIdTaken,
        WrongCode,
    )
}
