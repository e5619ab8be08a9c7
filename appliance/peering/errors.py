"""What can go wrong between nodes that get to know each other, or know each other already."""

from typing import Final

from services.errors import ConfigError, ProtocolError, ServiceError

# Where a status carries the name of the error's class; a peer hears no more than that.
ERROR_KEY: Final = "coffer-error"


class AddressMistyped(ConfigError):
    """An address is not HOST:PORT."""


class InvitationMistyped(ConfigError):
    """An invitation cannot be read; the text names the part that is wrong."""


class InvitationNotFound(ConfigError):
    """There is no invitation of this number."""


class InvitationRefused(ConfigError):
    """The other node does not take the invitation, or this one does not offer it any more."""


class InvitationUsed(InvitationRefused):
    """The invitation has been used already; each is good for one pairing."""


class InvitationExpired(InvitationRefused):
    """The invitation is older than fifteen minutes."""


class InvitationKilled(InvitationRefused):
    """Three wrong codes were tried on the invitation, so it is dead."""


class InvitationWithdrawn(InvitationRefused):
    """The invitation was withdrawn, or its node restarted since it was made."""


class InvitationUnknown(InvitationRefused):
    """The other node made no invitation of this number."""


class InvitationBusy(InvitationRefused):
    """Too many attempts on the invitation are under way at once."""


class PairingPortTaken(ConfigError):
    """The pairing port cannot be opened on this machine."""


class WrongCode(ConfigError):
    """The code is wrong, or somebody is in the middle of the connection."""


class PairingBroken(ProtocolError):
    """The other node broke the rules of the pairing protocol."""


class SelfPairing(ConfigError):
    """A node was asked to pair with itself."""


class AlreadyPaired(ConfigError):
    """The two nodes are paired already."""


class PeerNotFound(ConfigError):
    """No peer has this name or node id."""


class PeerNotPaired(ConfigError):
    """The peer is known, but is not, or no longer, paired with this node."""


class IllegalChange(ConfigError):
    """A pairing or an invitation cannot change so from where it stands."""


class PeerUnreachable(ServiceError):
    """A peer cannot be reached; the text says why."""


class PeerUnknown(ProtocolError):
    """A connection's certificate is not that of any peer that this node knows."""


class IntroductionInvalid(ProtocolError):
    """What a node says of itself breaks the rules for names, addresses or versions."""


class ClockSkewed(ConfigError):
    """The clocks of two nodes differ by more than five minutes."""


class VersionsDiffer(ConfigError):
    """Two nodes speak no common version of the interface between nodes."""
