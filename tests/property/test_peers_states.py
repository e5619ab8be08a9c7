"""Random walks over the states of pairings and invitations."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from appliance.peering.errors import IllegalTransition
from appliance.peering.states import (
    INVITATION_TRANSITIONS,
    PEER_TRANSITIONS,
    InvitationEvent,
    InvitationState,
    PeerEvent,
    PeerState,
)


@given(st.lists(st.sampled_from(InvitationEvent), max_size=12))
def test_an_ended_invitation_stays_as_it_ended(events: list[InvitationEvent]) -> None:
    state = InvitationState.OPEN
    for event in events:
        if state is InvitationState.OPEN:
            state = state.after(event)
        else:
            with pytest.raises(IllegalTransition):
                state.after(event)


@given(st.lists(st.sampled_from(PeerEvent), max_size=20))
def test_nobody_is_paired_without_both_operators_word(events: list[PeerEvent]) -> None:
    state, here, there = PeerState.UNCONFIRMED, False, False
    for event in events:
        try:
            state = state.after(event)
        except IllegalTransition:
            continue
        if event is PeerEvent.PAIR_AGAIN:
            here = there = False
        here |= event is PeerEvent.CONFIRM_HERE
        there |= event is PeerEvent.CONFIRM_THERE
        assert (state is not PeerState.PAIRED) or (here and there)


@given(st.lists(st.sampled_from([e for e in PeerEvent if e is not PeerEvent.PAIR_AGAIN])))
def test_who_has_left_comes_back_by_a_new_pairing_alone(events: list[PeerEvent]) -> None:
    state, has_left = PeerState.UNCONFIRMED, False
    for event in events:
        try:
            state = state.after(event)
        except IllegalTransition:
            continue
        has_left |= not state.is_admitted
        assert not (has_left and state.is_admitted)


def test_every_state_can_be_reached() -> None:
    assert set(PEER_TRANSITIONS.values()) == set(PeerState)
    assert set(INVITATION_TRANSITIONS.values()) == set(InvitationState)
    assert {state for state, _ in PEER_TRANSITIONS} == set(PeerState)


def test_operators_see_four_words() -> None:
    assert {state.word for state in PeerState} == {"confirming", "paired", "rejected", "unpaired"}
