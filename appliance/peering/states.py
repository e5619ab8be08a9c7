"""How a pairing and an invitation may change, and in no other way."""

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeVar

from appliance.peering.errors import IllegalTransition

WRONG_CODES_ALLOWED: Final = 3

State = TypeVar("State", bound=Enum)
Event = TypeVar("Event", bound=Enum)


class InvitationState(Enum):
    """Where an invitation stands; all states but ``OPEN`` are final."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"
    KILLED = "killed"
    WITHDRAWN = "withdrawn"

    def after(self, event: "InvitationEvent") -> "InvitationState":
        """Return the state that follows. Raises: IllegalTransition."""
        return _next(INVITATION_TRANSITIONS, self, event)


class InvitationEvent(Enum):
    """What can happen to an invitation."""

    PROVED = "a node proved that it has the code"
    WRONG_CODE = "a node tried a wrong code"
    LAST_WRONG_CODE = "a node tried a wrong code for the last time allowed"
    TIME_UP = "its time is up"
    WITHDRAWN_HERE = "the operator withdrew it"
    CODE_LOST = "the node restarted, and codes are kept in memory alone"


# (state, event) -> next state. Anything absent is refused with IllegalTransition.
INVITATION_TRANSITIONS: Final = {
    (InvitationState.OPEN, InvitationEvent.PROVED): InvitationState.USED,
    (InvitationState.OPEN, InvitationEvent.WRONG_CODE): InvitationState.OPEN,
    (InvitationState.OPEN, InvitationEvent.LAST_WRONG_CODE): InvitationState.KILLED,
    (InvitationState.OPEN, InvitationEvent.TIME_UP): InvitationState.EXPIRED,
    (InvitationState.OPEN, InvitationEvent.WITHDRAWN_HERE): InvitationState.WITHDRAWN,
    (InvitationState.OPEN, InvitationEvent.CODE_LOST): InvitationState.WITHDRAWN,
}


class PeerState(Enum):
    """Where a pairing stands, seen from this node."""

    UNCONFIRMED = "unconfirmed"
    CONFIRMED_HERE = "confirmed here"
    CONFIRMED_THERE = "confirmed there"
    PAIRED = "paired"
    REJECTED = "rejected"
    REJECTED_THERE = "rejected there"
    LAPSED = "lapsed"
    UNPAIRED = "unpaired"
    UNPAIRED_THERE = "unpaired there"

    def after(self, event: "PeerEvent") -> "PeerState":
        """Return the state that follows. Raises: IllegalTransition."""
        return _next(PEER_TRANSITIONS, self, event)

    @property
    def is_confirming(self) -> bool:
        """Whether an operator has still to compare the authentication strings."""
        return self in _CONFIRMING

    @property
    def is_admitted(self) -> bool:
        """Whether the peer may connect: for a confirming one, to settle the pairing alone."""
        return self is PeerState.PAIRED or self.is_confirming

    @property
    def word(self) -> str:
        """The state as operators see it: confirming, paired, rejected or unpaired."""
        return "confirming" if self.is_confirming else _WORDS.get(self, self.value)

    @property
    def ending(self) -> str:
        """Which side ended the pairing, and how; empty while it has not ended."""
        return _ENDINGS.get(self, "")


class PeerEvent(Enum):
    """What can happen to a pairing."""

    CONFIRM_HERE = "our operator saw the same string"
    CONFIRM_THERE = "their operator saw the same string"
    REJECT_HERE = "our operator rejects"
    REJECT_THERE = "their operator rejects"
    UNPAIR_HERE = "our operator unpairs"
    UNPAIR_THERE = "their operator unpaired"
    TIME_UP = "nobody confirmed in time"
    PAIR_AGAIN = "both nodes proved a new invitation's code"


_CONFIRMING: Final = (
    PeerState.UNCONFIRMED,
    PeerState.CONFIRMED_HERE,
    PeerState.CONFIRMED_THERE,
)

_WORDS: Final = {
    PeerState.REJECTED_THERE: "rejected",
    PeerState.LAPSED: "rejected",
    PeerState.UNPAIRED_THERE: "unpaired",
}
_ENDINGS: Final = {
    PeerState.REJECTED: "rejected at this node",
    PeerState.REJECTED_THERE: "rejected at the other node, or not confirmed there in time",
    PeerState.LAPSED: "not confirmed by both operators in time",
    PeerState.UNPAIRED: "unpaired at this node",
    PeerState.UNPAIRED_THERE: "unpaired at the other node",
}

PEER_TRANSITIONS: Final = {
    (PeerState.UNCONFIRMED, PeerEvent.CONFIRM_HERE): PeerState.CONFIRMED_HERE,
    (PeerState.UNCONFIRMED, PeerEvent.CONFIRM_THERE): PeerState.CONFIRMED_THERE,
    (PeerState.CONFIRMED_HERE, PeerEvent.CONFIRM_HERE): PeerState.CONFIRMED_HERE,
    (PeerState.CONFIRMED_HERE, PeerEvent.CONFIRM_THERE): PeerState.PAIRED,
    (PeerState.CONFIRMED_THERE, PeerEvent.CONFIRM_THERE): PeerState.CONFIRMED_THERE,
    (PeerState.CONFIRMED_THERE, PeerEvent.CONFIRM_HERE): PeerState.PAIRED,
    (PeerState.PAIRED, PeerEvent.CONFIRM_HERE): PeerState.PAIRED,
    (PeerState.PAIRED, PeerEvent.CONFIRM_THERE): PeerState.PAIRED,
    (PeerState.UNCONFIRMED, PeerEvent.REJECT_HERE): PeerState.REJECTED,
    (PeerState.UNCONFIRMED, PeerEvent.REJECT_THERE): PeerState.REJECTED_THERE,
    (PeerState.CONFIRMED_HERE, PeerEvent.REJECT_HERE): PeerState.REJECTED,
    (PeerState.CONFIRMED_HERE, PeerEvent.REJECT_THERE): PeerState.REJECTED_THERE,
    (PeerState.CONFIRMED_THERE, PeerEvent.REJECT_HERE): PeerState.REJECTED,
    (PeerState.CONFIRMED_THERE, PeerEvent.REJECT_THERE): PeerState.REJECTED_THERE,
    **{(state, PeerEvent.TIME_UP): PeerState.LAPSED for state in _CONFIRMING},
    (PeerState.REJECTED, PeerEvent.REJECT_HERE): PeerState.REJECTED,
    (PeerState.REJECTED_THERE, PeerEvent.REJECT_HERE): PeerState.REJECTED_THERE,
    (PeerState.LAPSED, PeerEvent.REJECT_HERE): PeerState.LAPSED,
    # They changed their mind before our confirmation, which made us paired, had reached them.
    (PeerState.PAIRED, PeerEvent.REJECT_THERE): PeerState.UNPAIRED_THERE,
    (PeerState.PAIRED, PeerEvent.UNPAIR_HERE): PeerState.UNPAIRED,
    (PeerState.PAIRED, PeerEvent.UNPAIR_THERE): PeerState.UNPAIRED_THERE,
    # We are behind: they had our confirmation, and their own is lost with the letters they dropped.
    (PeerState.CONFIRMED_HERE, PeerEvent.UNPAIR_THERE): PeerState.UNPAIRED_THERE,
    (PeerState.UNPAIRED, PeerEvent.UNPAIR_HERE): PeerState.UNPAIRED,
    (PeerState.UNPAIRED_THERE, PeerEvent.UNPAIR_HERE): PeerState.UNPAIRED_THERE,
    **{(state, PeerEvent.PAIR_AGAIN): PeerState.UNCONFIRMED for state in PeerState},
}


def _next(transitions: Mapping[tuple[State, Event], State], state: State, event: Event) -> State:
    after = transitions.get((state, event))
    if after is None:
        raise IllegalTransition(f"it is {state.value}: {event.value} changes nothing any more")
    return after


def senseless(name: str, state: PeerState, event: PeerEvent) -> IllegalTransition:
    """Return why an operator's word has no sense for a peer, with what has."""
    if state is PeerState.PAIRED:
        remedy = f'to end the pairing: "coffer peers unpair {name}"'
    elif state.is_confirming and event is PeerEvent.UNPAIR_HERE:
        return IllegalTransition(
            f"the pairing with {name} is not confirmed yet",
            remedy=f'to refuse it: "coffer peers reject {name}"',
        )
    else:
        remedy = "to pair with it again, make or accept a new invitation"
    return IllegalTransition(f"{name} is {state.word} already", remedy=remedy)


def require_ended(name: str, state: PeerState) -> None:
    """Return if the pairing with a peer has ended. Raises: IllegalTransition."""
    if state.is_admitted:
        verb = "unpair" if state is PeerState.PAIRED else "reject"
        raise IllegalTransition(
            f"{name} is {state.word}, so it is not forgotten",
            remedy=f'first end the pairing: "coffer peers {verb} {name}"',
        )
