"""Where peers are, who they are, and how a pairing that has ended is shown and forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.agent import daemon
from appliance.agent.config import read_config
from appliance.peering.diagnosis import Cause
from appliance.peering.errors import (
    IllegalTransition,
    NameTaken,
    PeerNotFound,
    PeerUnreachable,
)
from appliance.peering.states import InvitationState, PeerState
from appliance.store.errors import StoreFull, StoreGone
from services.errors import ServiceError
from tests.agent.pairing_nodes import PairingNode, eventually, pair, run_with_two, state_of

NOWHERE = "127.0.0.1:9"
Test = Callable[[PairingNode, PairingNode], Awaitable[None]]


async def hear(node: PairingNode, other: PairingNode, *, address: str = "", boot: bytes) -> None:
    """Have a node greeted by whoever has the other's key."""
    said = replace(other.introduce(), boot=boot)
    said = replace(said, address=address or said.address)
    await node.peers.note_greeting(other.node_id, said, inbound=True)


def test_a_peer_that_says_it_moved_is_called_where_it_was_if_it_is_not_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        await hospital.links.channel(laboratory.node_id)
        was = hospital.peer(laboratory).address

        await hear(hospital, laboratory, address=NOWHERE, boot=b"a")
        moved = hospital.peer(laboratory)
        with suppress(PeerUnreachable):
            await hospital.links.channel(laboratory.node_id)
        await hospital.links.channel(laboratory.node_id)

        assert (moved.address, moved.former_address) == (NOWHERE, was)
        back = hospital.peer(laboratory)
        assert (back.address, back.former_address) == (was, NOWHERE)
        assert f"laboratory is called at {NOWHERE} now, not at {was}" in caplog.text
        assert f"laboratory is called at {was} now, not at {NOWHERE}" in caplog.text

    run_with_two(tmp_path, test)


def test_two_agents_with_one_identity_are_told_from_one_that_restarts(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        await hospital.links.channel(laboratory.node_id)
        was = hospital.peer(laboratory).address

        for boot in (b"a", b"a", b"b", b"c"):
            await hear(hospital, laboratory, boot=boot)
        restarted = hospital.peer(laboratory)
        await hear(hospital, laboratory, address=NOWHERE, boot=b"a")
        copied = hospital.peer(laboratory)

        assert restarted.trouble is None
        assert copied.trouble is not None
        assert copied.trouble.cause is Cause.TWO_AGENTS
        assert "two agents run with the identity of laboratory" in copied.trouble.what
        assert (copied.address, copied.is_reachable) == (was, True)

    run_with_two(tmp_path, test)


def test_each_side_says_which_one_ended_the_pairing(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        await hospital.peers.unpair("laboratory")
        await eventually(lambda: laboratory.peer(hospital).state is PeerState.UNPAIRED_THERE)

        assert hospital.peer(laboratory).state.ending == "unpaired at this node"
        assert laboratory.peer(hospital).state.ending == "unpaired at the other node"
        assert laboratory.peer(hospital).state.word == "unpaired"

    run_with_two(tmp_path, test)


def test_a_peer_is_forgotten_once_the_pairing_has_ended_and_can_pair_again(
    tmp_path: Path,
) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        with pytest.raises(IllegalTransition, match="is paired, so it is not forgotten"):
            await hospital.peers.forget("laboratory")
        await hospital.peers.unpair("laboratory")
        await eventually(lambda: laboratory.peer(hospital).state is PeerState.UNPAIRED_THERE)

        for node, other in ((hospital, laboratory), (laboratory, hospital)):
            await node.peers.forget(other.name)
            with pytest.raises(PeerNotFound):
                node.peers.get(other.name)
            assert node.peers.all() == ()

        await pair(hospital, laboratory)

    run_with_two(tmp_path, test)


def test_a_node_does_not_start_under_the_name_of_a_peer(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        await pair(hospital, laboratory)
        hospital.peers._own_name = "laboratory"

        with pytest.raises(NameTaken, match="is to be called laboratory") as refused:
            await hospital.peers.load()

        assert "--name" in refused.value.remedy

    run_with_two(tmp_path, test)


def test_who_could_not_note_the_pairing_does_not_prove_the_code(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        laboratory.acceptance._store = NoRoom()  # type: ignore[assignment]

        with pytest.raises(StoreFull):
            await laboratory.acceptance.accept(made.text)

        assert await state_of(hospital, made.number) == (InvitationState.OPEN, 0)
        assert hospital.peers.all() == ()

    run_with_two(tmp_path, test)


class NoRoom:
    """A store on a disk that is full."""

    async def require_room(self) -> None:
        raise StoreFull(Path("/full"))


class FullAtLast:
    """A store on a disk that fills up in the middle of a pairing."""

    async def require_room(self) -> None:
        return None

    async def run(self, work: object, then: object) -> None:
        raise StoreFull(Path("/full"))


def test_an_inviter_whose_invitee_forgot_the_pairing_is_told_so(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        laboratory.acceptance._store = FullAtLast()  # type: ignore[assignment]
        with pytest.raises(StoreFull):
            await laboratory.acceptance.accept(made.text)

        with pytest.raises(PeerUnreachable):
            await hospital.links.channel(laboratory.node_id)

        trouble = hospital.peer(laboratory).trouble
        assert trouble is not None
        assert trouble.what == "laboratory does not know of this pairing, or has rejected it"
        assert 'coffer peers reject laboratory"' in trouble.remedy

    run_with_two(tmp_path, test)


def test_a_node_that_lost_its_database_does_not_begin_to_number_its_letters_anew(
    tmp_path: Path,
) -> None:
    config = read_config(tmp_path / "node", {"listen": "127.0.0.1:0"})

    async def start() -> None:
        async with daemon.serving(config):
            await asyncio.sleep(0)  # its tasks begin

    asyncio.run(start())
    for file in config.state.glob("coffer.db*"):
        file.unlink()

    with pytest.raises(StoreGone, match="is gone, though the node's identity is there") as gone:
        asyncio.run(start())

    assert isinstance(gone.value, ServiceError)
    assert "restore the state folder" in gone.value.remedy
