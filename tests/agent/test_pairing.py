"""Pairing between two nodes over real TLS: the honest run, the operators' errors, the attackers."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from appliance.api import peer_pb2 as pb
from appliance.api.conventions import ERROR_KEY
from appliance.api.peer_pb2_grpc import PairingStub
from appliance.peering import pake
from appliance.peering.code import Code, InvitationText
from appliance.peering.errors import (
    AlreadyPaired,
    AttemptLost,
    ClockSkewed,
    InvitationExpired,
    InvitationKilled,
    InvitationMistyped,
    InvitationNotFound,
    InvitationUnknown,
    InvitationUsed,
    InvitationWithdrawn,
    PairingFailed,
    SelfPairing,
    VersionsDiffer,
    WrongCode,
)
from appliance.peering.introduction import Introduction
from appliance.peering.invitations import Invitation
from appliance.peering.pairing_port import leaf_hash
from appliance.peering.pake import Half, Role
from appliance.peering.states import InvitationState, PeerState
from appliance.store.errors import StoreFull
from tests.agent.pairing_nodes import (
    PairingNode,
    begin_pairing,
    dial_pairing,
    eventually,
    nodes,
    pair,
    run_with_two,
    state_of,
)


def with_wrong_code(made: Invitation) -> str:
    """Return the invitation with another code that is well formed."""
    right = InvitationText.parse(made.text)
    other = Code.make(right.code.number)
    return InvitationText(address=right.address, code=other).text


def test_both_operators_see_the_same_six_words(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)

        there, here = hospital.peer(laboratory), laboratory.peer(hospital)
        assert there.authentication_string == here.authentication_string
        assert len(here.authentication_string.split()) == 6
        assert (there.name, here.name) == ("laboratory", "hospital")
        assert there.state is here.state is PeerState.UNCONFIRMED

    run_with_two(tmp_path, test)


def test_nodes_are_paired_once_both_operators_confirm(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)
        await hospital.peers.confirm("laboratory")
        await eventually(lambda: laboratory.peer(hospital).state is PeerState.CONFIRMED_THERE)
        assert hospital.peer(laboratory).state is PeerState.CONFIRMED_HERE

        await laboratory.peers.confirm("hospital")
        await eventually(lambda: hospital.peer(laboratory).state is PeerState.PAIRED)

        assert laboratory.peer(hospital).state is PeerState.PAIRED
        assert laboratory.peer(hospital).authentication_string == ""

    run_with_two(tmp_path, test)


def test_the_words_can_be_entered_after_an_address(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        await laboratory.acceptance.accept(f"{made.address} {made.words.upper()}")

        assert await state_of(hospital, made.number) == (InvitationState.USED, 0)

    run_with_two(tmp_path, test)


def test_a_wrong_code_is_counted_and_tells_nobody_who_is_there(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        with pytest.raises(WrongCode) as raised:
            await laboratory.acceptance.accept(with_wrong_code(made))

        assert "three wrong codes" in raised.value.remedy
        assert await state_of(hospital, made.number) == (InvitationState.OPEN, 1)
        assert hospital.peers.all() == laboratory.peers.all() == ()

    run_with_two(tmp_path, test)


def test_three_wrong_codes_kill_an_invitation_for_the_right_one_too(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        for _ in range(3):
            with pytest.raises(WrongCode):
                await laboratory.acceptance.accept(with_wrong_code(made))
        with pytest.raises(InvitationKilled):
            await laboratory.acceptance.accept(made.text)

        assert await state_of(hospital, made.number) == (InvitationState.KILLED, 3)

    run_with_two(tmp_path, test)


def test_two_wrong_codes_leave_the_invitation_good(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        for _ in range(2):
            with pytest.raises(WrongCode):
                await laboratory.acceptance.accept(with_wrong_code(made))
        await laboratory.acceptance.accept(made.text)

        assert await state_of(hospital, made.number) == (InvitationState.USED, 2)

    run_with_two(tmp_path, test)


async def guess(node: PairingNode, made: Invitation, code: Code, gate: asyncio.Barrier) -> str:
    """Try one code, having begun with all other guessers; return what the inviter calls it."""
    async with dial_pairing(made.address) as (channel, certificate):
        stub: Any = PairingStub(channel)
        half = Half(Role.INVITEE, code.password)
        offer = pb.PairingOffer(version=1, invitation=code.number, pake=half.message)
        answer = await stub.Begin(offer)
        await gate.wait()
        circumstances = pake.Circumstances(
            invitation=code.number,
            leaf_hash=leaf_hash(certificate),
            attempt=answer.attempt,
            invitee_message=half.message,
            inviter_message=answer.pake,
        )
        keys = pake.Keys.derive(half.finish(answer.pake), circumstances)
        proof, _ = pake.prove(keys, Role.INVITEE, node.key, node.introduce(), None)
        request = pb.PairingProof(attempt=answer.attempt, sealed=proof.sealed, mac=proof.mac)
        try:
            await stub.Finish(request)
        except grpc.aio.AioRpcError as error:
            return str(dict(error.trailing_metadata() or ())[ERROR_KEY])
        return "accepted"


def test_of_many_guesses_at_once_only_three_are_judged(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        number = made.number
        gate = asyncio.Barrier(8)
        codes = [Code.make(number) for _ in range(8)]
        said = await asyncio.gather(*(guess(laboratory, made, code, gate) for code in codes))

        assert said.count("WrongCode") == 3
        assert set(said) <= {"WrongCode", "InvitationKilled", "AttemptLost"}
        assert await state_of(hospital, number) == (InvitationState.KILLED, 3)

    run_with_two(tmp_path, test)


def test_an_attempt_is_judged_once(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        half = Half(Role.INVITEE, b"guess")
        _, attempt = await hospital.invitations.begin(made.number, half.message, "there")
        proof = pake.Proof(sealed=b"x", mac=bytes(32))
        with pytest.raises(WrongCode):
            await hospital.invitations.finish(attempt, proof, "there")

        with pytest.raises(AttemptLost):
            await hospital.invitations.finish(attempt, proof, "there")
        assert await state_of(hospital, made.number) == (InvitationState.OPEN, 1)

    run_with_two(tmp_path, test)


def test_a_guess_that_cannot_be_counted_is_not_answered(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        half = Half(Role.INVITEE, b"guess")
        _, attempt = await hospital.invitations.begin(made.number, half.message, "there")
        hospital.invitations._store = FullStore()  # type: ignore[assignment]

        with pytest.raises(StoreFull):
            await hospital.invitations.finish(
                attempt, pake.Proof(sealed=b"x", mac=bytes(32)), "there"
            )

    run_with_two(tmp_path, test)


class FullStore:
    """A store on a full disk."""

    async def run(self, work: object) -> None:
        raise StoreFull(Path("/full"))


def test_a_used_invitation_says_so(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        await laboratory.acceptance.accept(made.text)

        with pytest.raises(InvitationUsed):
            await laboratory.acceptance.accept(made.text)

    run_with_two(tmp_path, test)


def test_an_expired_invitation_says_so(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        hospital.offset = timedelta(minutes=15, seconds=1)

        with pytest.raises(InvitationExpired):
            await laboratory.acceptance.accept(made.text)
        assert await state_of(hospital, made.number) == (InvitationState.EXPIRED, 0)

    run_with_two(tmp_path, test)


def test_an_invitation_is_good_for_nearly_fifteen_minutes(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        hospital.offset = laboratory.offset = timedelta(minutes=14, seconds=50)

        await laboratory.acceptance.accept(made.text)

    run_with_two(tmp_path, test)


def test_an_attempt_that_began_in_time_may_not_end_late(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        gate = asyncio.Barrier(2)
        code = InvitationText.parse(made.text).code
        hospital.offset = laboratory.offset = timedelta(minutes=14, seconds=58)
        attempt = asyncio.create_task(guess(laboratory, made, code, gate))
        await eventually(lambda: gate.n_waiting == 1)
        hospital.offset = laboratory.offset = timedelta(minutes=15, seconds=1)
        await gate.wait()

        assert await attempt in ("InvitationExpired", "AttemptLost")
        assert hospital.peers.all() == ()

    run_with_two(tmp_path, test)


def test_a_withdrawn_invitation_says_so(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        withdrawn = await hospital.invitations.withdraw(made.number)

        assert withdrawn.state is InvitationState.WITHDRAWN
        with pytest.raises(InvitationWithdrawn):
            await laboratory.acceptance.accept(made.text)
        with pytest.raises(InvitationWithdrawn):
            await hospital.invitations.withdraw(made.number)
        with pytest.raises(InvitationNotFound):
            await hospital.invitations.withdraw(99)

    run_with_two(tmp_path, test)


def test_an_invitation_that_was_never_made_says_so(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        other = InvitationText(address=made.address, code=Code.make(77))

        with pytest.raises(InvitationUnknown):
            await laboratory.acceptance.accept(other.text)

    run_with_two(tmp_path, test)


def test_a_mistyped_invitation_costs_no_attempt(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        words = made.text.rpartition("/")[2].split("-")
        words[1], words[2] = words[2], words[1] + "x"
        with pytest.raises(InvitationMistyped):
            await laboratory.acceptance.accept(f"{made.address} {' '.join(words)}")

        assert await state_of(hospital, made.number) == (InvitationState.OPEN, 0)

    run_with_two(tmp_path, test)


def test_several_invitations_live_side_by_side(tmp_path: Path) -> None:
    async def run() -> None:
        async with nodes(tmp_path, "hospital", "laboratory", "clinic") as (hospital, *others):
            made = [await hospital.invitations.invite() for _ in others]
            assert len({invitation.address for invitation in made}) == 1
            for node, invitation in zip(reversed(others), made, strict=True):
                await node.acceptance.accept(invitation.text)

            assert {peer.name for peer in hospital.peers.all()} == {"laboratory", "clinic"}

    asyncio.run(run())


def test_a_restart_withdraws_open_invitations_and_keeps_the_count(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        with pytest.raises(WrongCode):
            await laboratory.acceptance.accept(with_wrong_code(made))
        await hospital.stop()
        await hospital.start()

        assert await state_of(hospital, made.number) == (InvitationState.WITHDRAWN, 1)
        with pytest.raises(PairingFailed) as raised:
            await laboratory.acceptance.accept(made.text)
        assert "restarted" in raised.value.remedy
        again = await hospital.invitations.invite()
        assert again.number > made.number

    run_with_two(tmp_path, test)


def test_the_pairing_port_is_closed_but_for_invitations(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        assert not hospital.invitations.is_port_open
        made = await hospital.invitations.invite()
        assert hospital.invitations.is_port_open
        await hospital.invitations.withdraw(made.number)
        hospital.offset = timedelta(minutes=3)
        await eventually(lambda: not hospital.invitations.is_port_open)

        with pytest.raises(PairingFailed, match="nothing listens"):
            await laboratory.acceptance.accept(made.text)
        again = await hospital.invitations.invite()
        hospital.offset = timedelta(0)
        await laboratory.acceptance.accept(again.text)

    run_with_two(tmp_path, test)


def test_an_expired_invitation_closes_the_port_by_itself(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        hospital.offset = timedelta(minutes=16)
        await asyncio.sleep(1.2)
        hospital.offset = timedelta(minutes=19)
        await eventually(lambda: not hospital.invitations.is_port_open)

        assert await state_of(hospital, made.number) == (InvitationState.EXPIRED, 0)

    run_with_two(tmp_path, test)


def test_a_node_does_not_pair_with_itself(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        with pytest.raises(SelfPairing):
            await hospital.acceptance.accept(made.text)

        assert hospital.peers.all() == ()
        assert await state_of(hospital, made.number) == (InvitationState.OPEN, 0)

    run_with_two(tmp_path, test)


@pytest.mark.parametrize("days", [1, -1])
def test_clocks_a_day_apart_are_named_and_cost_nothing(tmp_path: Path, days: int) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        laboratory.offset = timedelta(days=days)
        with pytest.raises(ClockSkewed, match="clock"):
            await laboratory.acceptance.accept(made.text)
        laboratory.offset = timedelta(0)
        await laboratory.acceptance.accept(made.text)

        assert await state_of(hospital, made.number) == (InvitationState.USED, 0)

    run_with_two(tmp_path, test)


def test_versions_without_a_common_interface_are_named_and_cost_nothing(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        laboratory.acceptance._introduce = lambda host: Introduction(
            name="laboratory",
            address="",
            version="9.0.0",
            lowest_interface=9,
            highest_interface=9,
            clock=laboratory.now(),
        )
        with pytest.raises(VersionsDiffer):
            await laboratory.acceptance.accept(made.text)

        assert await state_of(hospital, made.number) == (InvitationState.OPEN, 0)

    run_with_two(tmp_path, test)


def test_nodes_that_are_paired_do_not_pair_again_by_mistake(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        made = await hospital.invitations.invite()
        with pytest.raises(AlreadyPaired):
            await laboratory.acceptance.accept(made.text)

        assert hospital.peer(laboratory).state is PeerState.PAIRED
        assert laboratory.peer(hospital).state is PeerState.PAIRED
        assert await state_of(hospital, made.number) == (InvitationState.OPEN, 0)

    run_with_two(tmp_path, test)


def test_a_node_that_missed_the_unpairing_can_be_paired_again(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        hospital.tasks.pop().cancel()  # nothing is delivered
        await hospital.peers.unpair("laboratory")
        assert laboratory.peer(hospital).state is PeerState.PAIRED

        await begin_pairing(hospital, laboratory)
        hospital.tasks.append(asyncio.create_task(hospital.outbox.deliver()))
        await hospital.peers.confirm("laboratory")
        await laboratory.peers.confirm("hospital")

        await eventually(lambda: hospital.peer(laboratory).state is PeerState.PAIRED)
        await eventually(lambda: laboratory.peer(hospital).state is PeerState.PAIRED)
        assert laboratory.gone == [hospital.node_id]

    run_with_two(tmp_path, test)


def test_a_rejected_pairing_is_rejected_on_both_sides_and_can_be_redone(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await begin_pairing(hospital, laboratory)
        await laboratory.peers.reject("hospital")
        await eventually(lambda: hospital.peer(laboratory).state is PeerState.REJECTED_THERE)
        assert laboratory.peer(hospital).state is PeerState.REJECTED
        assert hospital.peers.roots() == laboratory.peers.roots() == ()

        await pair(laboratory, hospital)

        assert [peer.name for peer in hospital.peers.all()] == ["laboratory"]

    run_with_two(tmp_path, test)


def test_two_nodes_of_one_name_are_told_apart(tmp_path: Path) -> None:
    async def run() -> None:
        async with (
            nodes(tmp_path / "1", "hospital", "clinic") as (hospital, first),
            nodes(tmp_path / "2", "clinic", "hospital") as (second, namesake),
        ):
            for node in (first, second, namesake):
                await begin_pairing(hospital, node)

            assert hospital.peer(first).name == "clinic"
            assert hospital.peer(second).name == "clinic-2"
            assert hospital.peer(namesake).name == "hospital-2"
            assert hospital.peers.get(second.node_id.short).node_id == second.node_id

    asyncio.run(run())


def test_no_code_is_written_anywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    kept: list[Invitation] = []

    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        for _ in range(2):
            kept.append(await hospital.invitations.invite())
        with pytest.raises(WrongCode):
            await laboratory.acceptance.accept(with_wrong_code(kept[0]))
        await laboratory.acceptance.accept(kept[0].text)
        assert repr(kept[0]).count(kept[0].words.split()[1]) == 0

    run_with_two(tmp_path, test)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for invitation in kept:
        words = invitation.words.split()[1:5]
        for spelling in ("-".join(words), " ".join(words)):
            assert spelling.encode() not in written
            assert spelling not in caplog.text
    assert "a wrong code was tried on invitation 1" in caplog.text
