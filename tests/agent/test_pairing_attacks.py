"""Pairing under attack: people in the middle, pretenders, malformed messages, wrong ports."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from appliance.api import peer_pb2 as pb
from appliance.api.conventions import ERROR_KEY
from appliance.api.peer_pb2_grpc import PairingServicer, PairingStub
from appliance.peering.attempts import MOST_ATTEMPTS, MOST_ATTEMPTS_EACH
from appliance.peering.code import Code, InvitationText
from appliance.peering.errors import (
    PairingBusy,
    PairingFailed,
    PairingPortTaken,
    WrongCode,
)
from appliance.peering.invitations import Invitation
from appliance.peering.pairing_port import PairingPort
from appliance.peering.pake import Half, Proof, Role
from appliance.peering.states import InvitationState
from tests.agent.pairing_nodes import PairingNode, dial_pairing, run_with_two, state_of


class Relay(PairingServicer):
    """Sits between the two nodes with a TLS port of its own and passes on what it hears.

    change: what it makes of each message. seen: every byte that passes.
    """

    def __init__(self, address: str, change: Callable[[Any], Any]) -> None:
        self.address = address
        self.change = change
        self.seen: list[bytes] = []

    async def Begin(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._pass_on("Begin", request, context)

    async def Finish(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._pass_on("Finish", request, context)

    async def _pass_on(self, method: str, request: Any, context: Any) -> Any:
        async with dial_pairing(self.address) as (channel, _):
            stub: Any = PairingStub(channel)
            self.seen.append(request.SerializeToString())
            try:
                reply = await getattr(stub, method)(self.change(request))
            except grpc.aio.AioRpcError as error:
                metadata = tuple(error.trailing_metadata() or ())
                await context.abort(error.code(), error.details() or "", metadata)
            self.seen.append(reply.SerializeToString())
            return self.change(reply)


@asynccontextmanager
async def in_between(
    made: Invitation, change: Callable[[Any], Any] = lambda message: message
) -> AsyncIterator[tuple[Relay, str]]:
    """Open a relay before the inviter; give the invitation that leads to it."""
    relay = Relay(made.address, change)
    port = await PairingPort.open("127.0.0.1:0", relay, [])
    code = InvitationText.parse(made.text).code
    try:
        yield relay, InvitationText(address=f"127.0.0.1:{port.number}", code=code).text
    finally:
        await port.close()


def test_someone_in_the_middle_without_the_code_learns_and_changes_nothing(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        async with in_between(made) as (relay, text):
            with pytest.raises(WrongCode, match="in the middle"):
                await laboratory.acceptance.accept(text)

            passed = b"".join(relay.seen)
            assert len(relay.seen) >= 3
            for node in (hospital, laboratory):
                assert node.name.encode() not in passed
                assert node.key.public_der[-64:] not in passed
                assert node.node_id.text.encode() not in passed
        assert hospital.peers.all() == laboratory.peers.all() == ()
        assert await state_of(hospital, made.number) == (InvitationState.OPEN, 1)

    run_with_two(tmp_path, test)


def own_guess(role: Role) -> Callable[[Any], Any]:
    """Return a change that puts one's own key exchange message in place of one side's."""

    def change(message: Any) -> Any:
        if role is Role.INVITEE and isinstance(message, pb.PairingOffer):
            message.pake = Half(Role.INVITEE, b"a-guess").message
        if role is Role.INVITER and isinstance(message, pb.PairingAnswer):
            message.pake = Half(Role.INVITER, b"a-guess").message
        return message

    return change


@pytest.mark.parametrize("role", Role)
def test_someone_in_the_middle_who_guesses_is_caught(tmp_path: Path, role: Role) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        async with in_between(made, own_guess(role)) as (_, text):
            with pytest.raises(WrongCode):
                await laboratory.acceptance.accept(text)

        assert hospital.peers.all() == laboratory.peers.all() == ()
        assert (await state_of(hospital, made.number))[1] == 1

    run_with_two(tmp_path, test)


class Pretender(PairingServicer):
    """Answers as an inviter without having the code."""

    async def Begin(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.PairingAnswer(pake=Half(Role.INVITER, b"a-guess").message, attempt=bytes(16))

    async def Finish(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.PairingAcceptance(sealed=request.sealed, mac=request.mac)


def test_whoever_pretends_to_be_the_inviter_is_caught(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        port = await PairingPort.open("127.0.0.1:0", Pretender(), [])
        text = InvitationText(address=f"127.0.0.1:{port.number}", code=Code.make(1)).text
        with pytest.raises(WrongCode):
            await laboratory.acceptance.accept(text)
        await port.close()

        assert laboratory.peers.all() == ()

    run_with_two(tmp_path, test)


@pytest.mark.parametrize(
    ("offer", "says"),
    [
        (pb.PairingOffer(version=1, invitation=1), "PairingBroken"),
        (pb.PairingOffer(version=1, invitation=1, pake=b"A" + b"\xff" * 32), "PairingBroken"),
        (pb.PairingOffer(version=1, invitation=2**32 - 1, pake=bytes(33)), "InvitationUnknown"),
        (pb.PairingOffer(version=2, invitation=1, pake=bytes(33)), "VersionsDiffer"),
        (pb.PairingOffer(), "VersionsDiffer"),
        (pb.PairingProof(), "AttemptLost"),
        (pb.PairingProof(attempt=bytes(16), sealed=bytes(9000)), "PairingBroken"),
        (pb.PairingProof(attempt=bytes(16), sealed=bytes(70000)), "resource exhausted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_malformed_messages_are_refused_with_a_word_and_no_more(
    tmp_path: Path, offer: Any, says: str
) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        async with dial_pairing(made.address) as (channel, _):
            stub: Any = PairingStub(channel)
            method = stub.Begin if isinstance(offer, pb.PairingOffer) else stub.Finish
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await method(offer, timeout=5)

        metadata = dict(raised.value.trailing_metadata() or ())
        code = raised.value.code().name.lower().replace("_", " ")
        assert metadata.get(ERROR_KEY, code) == says
        assert ERROR_KEY not in metadata or raised.value.details() == ""
        assert await state_of(hospital, made.number) == (InvitationState.OPEN, 0)

    run_with_two(tmp_path, test)


def test_who_begins_again_and_again_uses_up_its_own_share_alone(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        number, message = made.number, Half(Role.INVITEE, b"a-guess").message

        async def begin(caller: str) -> bool:
            try:
                await hospital.invitations.begin(number, message, caller)
            except PairingBusy:
                return False
            return True

        flood = [await begin(f"ipv4:192.0.2.7:{port}") for port in range(4000, 4050)]
        neighbours = [await begin(f"ipv6:%5B2001:db8::{n:x}%5D:9") for n in range(1, 20)]

        assert flood.count(True) == neighbours.count(True) == MOST_ATTEMPTS_EACH
        assert flood[:MOST_ATTEMPTS_EACH] == [True] * MOST_ATTEMPTS_EACH
        await laboratory.acceptance.accept(made.text)
        assert await state_of(hospital, number) == (InvitationState.USED, 0)

    run_with_two(tmp_path, test)


def test_an_attempt_that_began_is_not_displaced_by_those_that_come_after(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        message = Half(Role.INVITEE, b"a-guess").message
        _, first = await hospital.invitations.begin(made.number, message, "ipv4:192.0.2.1:1")

        async def begin(network: int) -> type[Exception] | None:
            caller = f"ipv4:198.51.100.{network}:1"
            try:
                await hospital.invitations.begin(made.number, message, caller)
            except PairingBusy as error:
                return type(error)
            return None

        said = await asyncio.gather(*map(begin, range(1, 100)))

        assert PairingBusy in said and said.count(None) < MOST_ATTEMPTS
        with pytest.raises(WrongCode):  # it is still judged, not lost
            await hospital.invitations.finish(first, Proof(sealed=b"x", mac=bytes(32)), "there")

    run_with_two(tmp_path, test)


def test_the_pairing_port_speaks_tls_1_3_and_serves_pairing_alone(tmp_path: Path) -> None:
    def shake_hands_by_tls_1_2(port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        plain = socket.create_connection(("127.0.0.1", port), timeout=3)
        with plain, context.wrap_socket(plain):
            pass

    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        made = await hospital.invitations.invite()
        port = int(made.address.rpartition(":")[2])
        with pytest.raises(ssl.SSLError):
            await asyncio.to_thread(shake_hands_by_tls_1_2, port)
        async with dial_pairing(made.address) as (channel, certificate):
            hello: Any = channel.unary_unary("/coffer.peer.v1.Greeting/Hello")
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await hello(b"", timeout=5)

        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert b"hospital" not in certificate
        assert hospital.node_id.short.encode() not in certificate

    run_with_two(tmp_path, test)


@pytest.mark.parametrize("place", ["peer port", "closed port", "no name"])
def test_an_address_that_is_no_pairing_port_is_told_apart(tmp_path: Path, place: str) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        address, says = {
            "peer port": (f"127.0.0.1:{hospital.port}", "not a pairing port"),
            "closed port": ("127.0.0.1:1", "nothing listens"),
            "no name": ("no-such-name.invalid:1", "cannot be resolved"),
        }[place]
        with pytest.raises(PairingFailed, match=says) as raised:
            await laboratory.acceptance.accept(
                InvitationText(address=address, code=Code.make(1)).text
            )

        assert raised.value.remedy

    run_with_two(tmp_path, test)


def test_a_pairing_port_that_is_taken_is_named(tmp_path: Path) -> None:
    async def test(hospital: PairingNode, laboratory: PairingNode) -> None:
        hospital.invitations._listen = f"127.0.0.1:{laboratory.port}"
        with pytest.raises(PairingPortTaken) as raised:
            await hospital.invitations.invite()

        assert str(laboratory.port) in raised.value.what
        assert await hospital.invitations.all() == []

    run_with_two(tmp_path, test)
