"""What happens to peers: unpairing, moving, restarting, and what each may do in which state."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.api import agent_pb2 as pb
from appliance.identity.node_id import NodeId
from appliance.mailbox.letters import (
    Kind,
    Letter,
    PairingConfirmed,
    Receipt,
    Refusal,
    write_body,
)
from appliance.peering import store as table
from appliance.peering.code import InvitationText
from appliance.peering.diagnosis import Cause
from appliance.peering.errors import (
    AddressMistyped,
    IllegalTransition,
    InvitationNotFound,
    PairingBroken,
    PeerAmbiguous,
    PeerNotFound,
    PeerNotPaired,
    PeerUnreachable,
    ShortIdTaken,
)
from appliance.peering.peers import CONFIRMATION, FAREWELL
from appliance.peering.rpc import PeersRpc
from appliance.peering.states import PeerState
from tests.agent.pairing_nodes import (
    PairingNode,
    begin_pairing,
    eventually,
    nodes,
    pair,
    run_with_two,
)


def letter(number: int, kind: Kind, pairing: str) -> Letter:
    return Letter(
        number=number,
        kind=kind.value,
        body=write_body(kind, PairingConfirmed(pairing=pairing)),
    )


def test_unpairing_cuts_all_connections_on_both_sides_within_five_seconds(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        streams = [await hospital.stream_to(laboratory), await laboratory.stream_to(hospital)]
        began = time.monotonic()
        unpaired = await hospital.peers.unpair("laboratory")

        await eventually(lambda: all(stream.done() for stream in streams))
        await eventually(lambda: laboratory.gone == [hospital.node_id])
        assert time.monotonic() - began < 5
        assert unpaired.state is PeerState.UNPAIRED
        assert laboratory.peer(hospital).state is PeerState.UNPAIRED_THERE
        assert hospital.gone == [laboratory.node_id]
        assert await hospital.outbox.pending_count(laboratory.node_id) == 0

    run_with_two(tmp_path, test)


def test_a_letter_that_is_cut_off_stays_in_the_outbox_and_the_mail_goes_on(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)
        arrived, receive = asyncio.Event(), laboratory.inbox.receive

        async def hold(sender: NodeId, letter: Letter) -> Receipt:
            if arrived.is_set():
                return await receive(sender, letter)
            arrived.set()
            await asyncio.sleep(60)
            raise AssertionError("held too long")

        laboratory.inbox.receive = hold  # type: ignore[method-assign]
        await hospital.peers.confirm("laboratory")
        await asyncio.wait_for(arrived.wait(), 5)
        await hospital.links.cut(laboratory.node_id)

        await eventually(lambda: laboratory.peer(hospital).state is PeerState.CONFIRMED_THERE)

    run_with_two(tmp_path, test)


async def eventually_refused(caller: PairingNode, peer: PairingNode, why: str) -> None:
    """Call until the peer refuses, for the reason ``why``."""
    async with asyncio.timeout(10):
        while True:
            try:
                await caller.links.channel(peer.node_id)
            except PeerUnreachable as error:
                assert why in error.what
                return
            await asyncio.sleep(0.02)


def test_neither_side_reaches_the_other_after_unpairing(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        await hospital.peers.unpair("laboratory")
        await eventually(lambda: laboratory.gone == [hospital.node_id])

        with pytest.raises(PeerNotPaired):
            await laboratory.links.channel(hospital.node_id)
        # The old connection may live a moment longer than the news of its end.
        await eventually_refused(hospital, laboratory, "refuses this node's certificate")
        # Having been refused, the farewell is over.
        with pytest.raises(PeerNotPaired):
            await hospital.links.channel(laboratory.node_id)
        assert hospital.peers.roots() == laboratory.peers.roots() == ()
        assert not hospital.peers.pins()

    run_with_two(tmp_path, test)


def test_a_peer_that_was_away_learns_of_the_unpairing_when_it_is_back(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        assert laboratory.server is not None
        await laboratory.server.stop(0)
        await hospital.peers.unpair("laboratory")
        await asyncio.sleep(0.3)
        assert laboratory.peer(hospital).state is PeerState.PAIRED
        await laboratory._serve()

        await eventually(lambda: laboratory.peer(hospital).state is PeerState.UNPAIRED_THERE, 10)

    run_with_two(tmp_path, test)


def test_a_peer_that_the_notice_cannot_reach_learns_by_being_refused(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        hospital.tasks.pop().cancel()  # nothing is delivered
        stream = await laboratory.stream_to(hospital)
        await hospital.peers.unpair("laboratory")
        await eventually(stream.done)

        with pytest.raises(PeerUnreachable) as raised:
            async with asyncio.timeout(20):
                while True:  # the cut may reach the stream before the connection
                    await laboratory.links.channel(hospital.node_id)
                    await asyncio.sleep(0.05)
        trouble = laboratory.peer(hospital).trouble
        assert trouble is not None
        assert trouble.cause is Cause.REFUSED
        assert "whether it is still paired" in raised.value.remedy
        assert not laboratory.peer(hospital).is_reachable

    run_with_two(tmp_path, test)


def test_the_farewell_ends_after_a_day(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        hospital.tasks.pop().cancel()
        await hospital.peers.unpair("laboratory")
        hospital.peers.contact(laboratory.node_id)
        hospital.offset = FAREWELL + timedelta(seconds=1)

        with pytest.raises(PeerNotPaired):
            hospital.peers.contact(laboratory.node_id)

    run_with_two(tmp_path, test)


def test_paired_nodes_are_still_paired_after_both_restart(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        for node in (hospital, laboratory):
            await node.stop()
        for node in (hospital, laboratory):
            await node.start()

        await hospital.stream_to(laboratory)
        await laboratory.stream_to(hospital)
        assert hospital.peers.get_paired("laboratory").is_reachable

    run_with_two(tmp_path, test)


def test_a_confirmation_survives_a_restart_before_it_is_delivered(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)
        assert laboratory.server is not None
        await laboratory.server.stop(0)
        await hospital.peers.confirm("laboratory")
        await hospital.stop()
        await hospital.start()
        await laboratory._serve()
        await laboratory.peers.confirm("hospital")

        await eventually(lambda: hospital.peer(laboratory).state is PeerState.PAIRED, 10)
        await eventually(lambda: laboratory.peer(hospital).state is PeerState.PAIRED, 10)

    run_with_two(tmp_path, test)


def test_a_peer_tells_its_new_address_by_itself(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        old = laboratory.port
        await laboratory.stop()
        laboratory.port = 0
        await laboratory.start()
        keeping_in_touch = asyncio.create_task(laboratory.links.run())
        await eventually(lambda: hospital.peer(laboratory).address.endswith(f":{laboratory.port}"))
        keeping_in_touch.cancel()

        assert laboratory.port != old
        assert hospital.peer(laboratory).state is PeerState.PAIRED
        await hospital.stream_to(laboratory)

    run_with_two(tmp_path, test)


def test_an_address_set_by_hand_stands_until_the_peer_announces_another(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        moved = await hospital.peers.move("laboratory", f"LOCALHOST:{laboratory.port}")
        await laboratory.links.channel(hospital.node_id)
        await hospital.stream_to(laboratory)

        assert moved.address == f"localhost:{laboratory.port}"
        assert hospital.peer(laboratory).address == moved.address
        with pytest.raises(AddressMistyped):
            await hospital.peers.move("laboratory", "nowhere")

    run_with_two(tmp_path, test)


def test_peers_are_found_by_name_and_by_id(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)
        node_id = laboratory.node_id
        spellings = ("laboratory", node_id.text, node_id.short, node_id.text.lower())

        for spelling in (*spellings, node_id.text.replace("-", " ")):
            assert hospital.peers.get(spelling).node_id == node_id
        for unknown in ("", "lab", "Laboratory", hospital.node_id.text, "x" * 500):
            with pytest.raises(PeerNotFound):
                hospital.peers.get(unknown)
        with pytest.raises(PeerNotPaired, match="waits for confirmation"):
            hospital.peers.get_paired("laboratory")

    run_with_two(tmp_path, test)


def test_a_peer_cannot_be_named_as_a_node_id_begins(tmp_path: Path) -> None:
    async def run() -> None:
        async with nodes(tmp_path, "hospital", "laboratory") as (hospital, laboratory):
            impostor = PairingNode(tmp_path, "impostor")
            impostor.name = laboratory.node_id.short
            await impostor.start()
            with pytest.raises(PairingBroken):
                await begin_pairing(hospital, impostor)
            await impostor.stop()

            assert hospital.peers.all() == ()

    asyncio.run(run())


def test_a_name_that_an_id_begins_with_in_other_letters_is_numbered(tmp_path: Path) -> None:
    async def run() -> None:
        async with nodes(tmp_path, "hospital", "laboratory") as (hospital, laboratory):
            await begin_pairing(hospital, laboratory)
            namesake = PairingNode(tmp_path, "namesake")
            namesake.name = laboratory.node_id.short.lower()
            await namesake.start()
            await begin_pairing(hospital, namesake)

            assert hospital.peer(namesake).name == f"{namesake.name}-2"
            assert hospital.peers.get(namesake.name).node_id == laboratory.node_id
            await namesake.stop()

    asyncio.run(run())


def test_a_node_whose_id_begins_as_a_peer_is_called_is_not_paired(tmp_path: Path) -> None:
    async def run() -> None:
        async with nodes(tmp_path, "hospital", "laboratory") as (hospital, laboratory):
            namesake = PairingNode(tmp_path, "namesake")
            namesake.name = laboratory.node_id.short.lower()
            await namesake.start()
            await begin_pairing(hospital, namesake)

            for inviter, invitee in ((hospital, laboratory), (laboratory, hospital)):
                with pytest.raises(ShortIdTaken):
                    await begin_pairing(inviter, invitee)

            assert hospital.peers.find(laboratory.node_id) is None
            await namesake.stop()

    asyncio.run(run())


def test_what_several_peers_may_be_called_names_none_of_them(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)
        known = hospital.peer(laboratory)
        other = replace(known, node_id=hospital.node_id, name=laboratory.node_id.short.lower())
        hospital.peers._peers = {peer.node_id: peer for peer in (known, other)}

        with pytest.raises(PeerAmbiguous) as raised:
            hospital.peers.get(other.name)
        assert laboratory.node_id.text in raised.value.what
        assert hospital.node_id.text in raised.value.what
        assert hospital.peers.get(laboratory.node_id.text).name == "laboratory"

    run_with_two(tmp_path, test)


def test_a_pairing_that_nobody_confirms_ends_after_a_day(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)
        stream = await laboratory.stream_to(hospital)
        hospital.offset = CONFIRMATION - timedelta(minutes=1)
        await hospital.peers.expire()
        assert hospital.peer(laboratory).state is PeerState.UNCONFIRMED

        hospital.offset = CONFIRMATION
        await hospital.peers.expire()

        await eventually(stream.done)
        assert hospital.peer(laboratory).state is PeerState.LAPSED
        assert hospital.peers.roots() == ()
        hospital.offset = timedelta(0)
        await eventually(lambda: laboratory.peer(hospital).state is PeerState.REJECTED_THERE)

    run_with_two(tmp_path, test)


def test_a_pairing_that_both_confirmed_does_not_end_by_itself(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        hospital.offset = 30 * CONFIRMATION
        await hospital.peers.expire()

        assert hospital.peer(laboratory).state is PeerState.PAIRED

    run_with_two(tmp_path, test)


def test_a_peer_that_greets_again_and_again_is_noted_once_a_minute(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)

        async def greet_after(seconds: float) -> int:
            hospital.offset = timedelta(seconds=seconds)
            await hospital.peers.note_greeting(
                laboratory.node_id, laboratory.introduce(), inbound=True
            )
            return hospital.peer(laboratory).last_seen_milliseconds

        first = await greet_after(0)
        again = [await greet_after(20) for _ in range(50)]
        later = await greet_after(70)

        assert set(again) == {first}
        assert later >= first + 60_000

    run_with_two(tmp_path, test)


def test_a_peer_that_waits_for_confirmation_may_write_about_pairing_alone(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)

        def admitted(state: PeerState) -> set[Kind]:
            def ask(session: object) -> set[Kind]:
                row = table.find_peer(session, laboratory.node_id)  # type: ignore[arg-type]
                assert row is not None
                row.state = state.value
                return {
                    kind
                    for kind in Kind
                    if hospital.peers.admits(session, laboratory.node_id, kind)  # type: ignore[arg-type]
                }

            return ask  # type: ignore[return-value]

        about_pairing = {
            Kind.PAIRING_CONFIRMED,
            Kind.PAIRING_REJECTED,
            Kind.UNPAIRED,
            Kind.VOID,
        }
        for state in PeerState:
            expected = about_pairing if state.is_confirming else set()
            if state is PeerState.PAIRED:
                expected = set(Kind)
            assert await hospital.store.run(admitted(state)) == expected  # type: ignore[arg-type]

    run_with_two(tmp_path, test)


def test_a_letter_about_an_earlier_pairing_changes_nothing(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)
        earlier = hospital.peer(laboratory).pairing
        await begin_pairing(hospital, laboratory)
        receipts = [
            await hospital.inbox.receive(
                laboratory.node_id, letter(1, Kind.PAIRING_CONFIRMED, earlier)
            ),
            await hospital.inbox.receive(
                laboratory.node_id,
                letter(2, Kind.PAIRING_CONFIRMED, hospital.peer(laboratory).pairing),
            ),
        ]

        assert [receipt.refusal for receipt in receipts] == [Refusal.CONFLICT, None]
        assert hospital.peer(laboratory).state is PeerState.CONFIRMED_THERE

    run_with_two(tmp_path, test)


def test_confirming_twice_is_the_same_as_once(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        before = await hospital.outbox.pending_count(laboratory.node_id)

        again = await hospital.peers.confirm("laboratory")

        assert again.state is PeerState.PAIRED
        assert await hospital.outbox.pending_count(laboratory.node_id) <= before

    run_with_two(tmp_path, test)


def test_what_makes_no_sense_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)
        with pytest.raises(IllegalTransition, match="not confirmed yet") as early:
            await hospital.peers.unpair("laboratory")
        assert "coffer peers reject laboratory" in early.value.remedy
        await pair_rest(hospital, laboratory)
        with pytest.raises(IllegalTransition, match="paired already") as late:
            await hospital.peers.reject("laboratory")
        assert "coffer peers unpair laboratory" in late.value.remedy
        await hospital.peers.unpair("laboratory")
        with pytest.raises(IllegalTransition, match="unpaired already"):
            await hospital.peers.confirm("laboratory")

        assert hospital.peer(laboratory).state is PeerState.UNPAIRED

    run_with_two(tmp_path, test)


async def pair_rest(hospital: PairingNode, laboratory: PairingNode) -> None:
    await hospital.peers.confirm("laboratory")
    await laboratory.peers.confirm("hospital")
    await eventually(lambda: hospital.peer(laboratory).state is PeerState.PAIRED)
    await eventually(lambda: laboratory.peer(hospital).state is PeerState.PAIRED)


def test_one_rejects_while_the_other_confirms_and_neither_is_paired(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)
        await asyncio.gather(
            hospital.peers.confirm("laboratory"), laboratory.peers.reject("hospital")
        )

        await eventually(lambda: not hospital.peer(laboratory).state.is_admitted)
        assert laboratory.peer(hospital).state is PeerState.REJECTED

    run_with_two(tmp_path, test)


def test_both_unpair_at_once(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        await asyncio.gather(
            hospital.peers.unpair("laboratory"), laboratory.peers.unpair("hospital")
        )

        assert hospital.peer(laboratory).state.word == "unpaired"
        assert laboratory.peer(hospital).state.word == "unpaired"
        await pair(laboratory, hospital)

    run_with_two(tmp_path, test)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("Hospital.example", "hospital.example:{}"),
        ("192.0.2.7", "192.0.2.7:{}"),
        ("2001:DB8::1", "[2001:db8::1]:{}"),
        ("[2001:db8::1]", "[2001:db8::1]:{}"),
        ("", "127.0.0.1:{}"),
    ],
)
def test_an_invitation_says_where_the_operator_says_the_node_is(
    tmp_path: Path, host: str, shown: str
) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite(host)

        port = made.address.rpartition(":")[2]
        assert made.address == shown.format(port)
        assert InvitationText.parse(made.text).address == made.address

    run_with_two(tmp_path, test)


@pytest.mark.parametrize("host", ["hospital.example:7444", "a b", "1.2.3", "-", "[::1"])
def test_what_is_no_host_makes_no_invitation(tmp_path: Path, host: str) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        with pytest.raises(AddressMistyped, match="is not a host"):
            await hospital.invitations.invite(host)

        assert await hospital.invitations.all() == []
        assert not hospital.invitations.is_port_open

    run_with_two(tmp_path, test)


def test_the_local_api_tells_the_whole_story(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        here, there = (
            PeersRpc(node.peers, node.invitations, node.acceptance, node.outbox.pending_count)
            for node in (hospital, laboratory)
        )
        made = await here.Invite(pb.InviteRequest(), None)
        assert made.state == "open"
        assert made.words in made.text.replace("-", " ")
        peer = await there.Accept(pb.AcceptRequest(invitation=made.text), None)
        assert (peer.name, peer.state, peer.confirmed_here) == ("hospital", "confirming", False)
        listed = (await here.ListInvitations(pb.ListInvitationsRequest(), None)).invitations
        assert [(one.id, one.state, one.text, one.words) for one in listed] == [
            (made.id, "used", "", "")
        ]
        shown = await here.GetPeer(pb.GetPeerRequest(peer="laboratory"), None)
        assert shown.authentication_string == peer.authentication_string

        confirmed = await here.Confirm(pb.ConfirmRequest(peer="laboratory"), None)
        assert (confirmed.state, confirmed.confirmed_here) == ("confirming", True)
        await there.Confirm(pb.ConfirmRequest(peer="hospital"), None)
        await eventually(lambda: hospital.peer(laboratory).state is PeerState.PAIRED)
        peers = (await here.ListPeers(pb.ListPeersRequest(), None)).peers
        assert [(one.name, one.state, one.confirmed_there) for one in peers] == [
            ("laboratory", "paired", True)
        ]
        moved = await here.MovePeer(
            pb.MovePeerRequest(peer="laboratory", address="10.0.0.1:7443"), None
        )
        assert moved.address == "10.0.0.1:7443"
        gone = await here.Unpair(pb.UnpairRequest(peer="laboratory"), None)
        assert gone.state == "unpaired"
        with pytest.raises(InvitationNotFound):
            await here.WithdrawInvitation(pb.WithdrawInvitationRequest(id="x"), None)

    run_with_two(tmp_path, test)
