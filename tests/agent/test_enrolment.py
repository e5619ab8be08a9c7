"""Becoming an operator by a set-up code, over a real port, in process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from appliance.agent.guard import pairing_guard
from appliance.agent.permissions import Caller
from appliance.api.peer_pb2_grpc import EnrolmentStub
from appliance.identity.keys import FileKey
from appliance.identity.node_id import NodeId
from appliance.operators.code import SetUpCode
from appliance.operators.enrolment import Enrolment
from appliance.operators.errors import EnrolmentPortTaken, NotFromAfar, NotOnConsole
from appliance.operators.operators import Operators
from appliance.operators.rpc import EnrolmentRpc
from appliance.peering.introduction import Introduction
from appliance.peering.invitee import converse
from appliance.peering.pairing_port import leaf_hash
from appliance.remote.enrolment import enrol
from appliance.remote.errors import EnrolmentFailed, RemoteMistyped
from appliance.remote.folder import Remote
from appliance.store.database import Store
from services.errors import ConfigError
from tests.agent.pairing_nodes import dial_pairing, eventually


def true_now() -> datetime:
    return datetime.now(UTC)


class Box:
    """A node with nothing but operators; its clock can be set."""

    def __init__(self, folder: Path, listen: str = "127.0.0.1:0") -> None:
        self.offset = timedelta(0)
        self.folder = folder / "box"
        self.store = Store.open(self.folder)
        self.key = FileKey.open_or_make(self.folder, now=self.now)
        self.nodes = {self.key.node_id}
        self.noted: list[tuple[str, bool]] = []
        self.operators = Operators(
            self.store, is_node=self.nodes.__contains__, note=self._note, now=self.now
        )
        self.enrolment = Enrolment(
            operators=self.operators,
            key=self.key,
            introduce=self.introduce,
            now=self.now,
            listen=listen,
            interceptors=[pairing_guard(Caller.ENROLLING)],
            servicer=EnrolmentRpc,
        )

    def now(self) -> datetime:
        return true_now() + self.offset

    def _note(self, session: Session, key: NodeId, name: str, is_one: bool) -> None:
        self.noted.append((name, is_one))

    def introduce(self, host: str = "") -> Introduction:
        return Introduction(name="box", address="", version="0.1.0", clock=self.now())

    @property
    def port(self) -> Any:
        return self.enrolment._life.port

    async def enrol(
        self, words: str, folder: Path, name: str = "alice", key: FileKey | None = None
    ) -> Remote:
        at = f"127.0.0.1:{self.port.number}"
        key = key or FileKey.open_or_make(folder, now=true_now)
        return await enrol(name="box", address=at, enrolment=at, code=words, key=key, operator=name)


@asynccontextmanager
async def boxed(folder: Path) -> AsyncIterator[Box]:
    box = Box(folder)
    await box.operators.load()
    try:
        yield box
    finally:
        await box.enrolment.close()
        box.store.close()


def with_box(folder: Path, test: Callable[[Box], Any]) -> None:
    async def run() -> None:
        async with boxed(folder) as box:
            await test(box)

    asyncio.run(run())


async def refused(box: Box, words: str, folder: Path) -> str:
    with pytest.raises(EnrolmentFailed) as caught:
        await box.enrol(words, folder)
    assert caught.value.remedy
    return caught.value.what


def test_both_sides_learn_and_keep_the_others_key(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        shown = await box.enrolment.show()

        remote = await box.enrol(shown.words, tmp_path / "alice")

        alice = FileKey.open_or_make(tmp_path / "alice", now=true_now)
        assert remote.node_id == box.key.node_id
        assert dict(box.operators.pins()) == {alice.node_id: alice.public_der}
        assert box.noted == [("alice", True)]
        again = Operators(box.store, is_node=lambda _: False, note=box._note, now=box.now)
        await again.load()
        assert [(one.name, one.id) for one in again.all()] == [("alice", alice.node_id)]

    with_box(tmp_path, test)


def test_a_code_is_good_once_and_lives_for_fifteen_minutes(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        shown = await box.enrolment.show()
        assert (await box.enrolment.show()).words == shown.words
        left = shown.expires_milliseconds / 1000 - box.now().timestamp()
        assert 14 * 60 < left <= 15 * 60

        await box.enrol(shown.words, tmp_path / "alice")

        assert "used already" in await refused(box, shown.words, tmp_path / "bob")
        second = await box.enrolment.show()
        assert second.words != shown.words
        await box.enrol(second.words, tmp_path / "bob", name="alice")
        assert [one.name for one in box.operators.all()] == ["alice", "alice-2"]

    with_box(tmp_path, test)


def test_the_third_wrong_code_kills_the_right_one(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        shown = await box.enrolment.show()
        for tried in (1, 2, 3):
            assert "is wrong" in await refused(box, SetUpCode.make().words, tmp_path / "mallory")
            if tried < 3:
                assert (await box.enrolment.show()).wrong_codes == tried

        assert "is dead" in await refused(box, shown.words, tmp_path / "alice")
        assert box.operators.count == 0
        assert (await box.enrolment.show()).words != shown.words

    with_box(tmp_path, test)


def test_of_many_guesses_at_once_three_are_judged(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        shown = await box.enrolment.show()
        key = FileKey.open_or_make(tmp_path / "mallory", now=true_now)

        async def guess(channel: Any, certificate: bytes) -> str:
            try:
                await converse(
                    EnrolmentStub(channel),
                    number=0,
                    password=SetUpCode.make().password,
                    seen=leaf_hash(certificate),
                    signer=key,
                    introduction=box.introduce(),
                    refusal=lambda said, error: ConfigError(said),
                )
            except ConfigError as error:
                return error.what
            return "let in"

        async with dial_pairing(f"127.0.0.1:{box.port.number}") as dialled:
            said = await asyncio.gather(*(guess(*dialled) for _ in range(8)))

        assert said.count("WrongCode") == 3
        assert set(said) <= {"WrongCode", "InvitationKilled", "AttemptLost"}
        assert (await box.enrolment.show()).words != shown.words

    with_box(tmp_path, test)


def test_an_expired_code_is_refused_and_its_port_closes(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        shown = await box.enrolment.show()
        box.offset = timedelta(minutes=16)
        assert "expired" in await refused(box, shown.words, tmp_path / "alice")

        # At once it would linger, for who comes late.
        await asyncio.sleep(2.5)
        assert box.port is not None
        box.offset = timedelta(minutes=20)
        await eventually(lambda: box.port is None)
        assert box.operators.count == 0

    with_box(tmp_path, test)


def test_a_renewed_code_ends_the_former_one(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        former = await box.enrolment.show()
        renewed = await box.enrolment.show(renew=True)

        assert renewed.words != former.words
        assert "is wrong" in await refused(box, former.words, tmp_path / "alice")
        await box.enrol(renewed.words, tmp_path / "alice")

    with_box(tmp_path, test)


def test_the_console_gives_no_right_once_an_operator_could(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        shown = await box.enrolment.show(on_console=True)
        await box.enrol(shown.words, tmp_path / "alice")
        with pytest.raises(NotOnConsole, match="an operator already"):
            await box.enrolment.show(on_console=True)
        with pytest.raises(NotOnConsole):
            await box.enrolment.show(on_console=True, renew=True)

        await box.operators.remove("alice")

        assert (await box.enrolment.show(on_console=True)).words

    with_box(tmp_path, test)


def test_a_node_without_a_port_for_operators_has_no_code(tmp_path: Path) -> None:
    async def run() -> None:
        box = Box(tmp_path, listen="")
        with pytest.raises(NotFromAfar):
            await box.enrolment.show()
        box.store.close()

    asyncio.run(run())


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        await box.enrolment.show()
        other = Box(tmp_path / "other", listen=f"127.0.0.1:{box.port.number}")
        with pytest.raises(EnrolmentPortTaken, match="cannot be opened"):
            await other.enrolment.show()
        other.store.close()

    with_box(tmp_path, test)


def test_the_key_of_a_node_is_no_operators(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        shown = await box.enrolment.show()
        peer = FileKey.open_or_make(tmp_path / "peer", now=true_now)
        box.nodes.add(peer.node_id)

        with pytest.raises(EnrolmentFailed, match="that of a node"):
            await box.enrol(shown.words, tmp_path, key=peer)

        assert box.operators.count == 0

    with_box(tmp_path, test)


def test_clocks_that_differ_are_told_and_cost_no_code(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        box.offset = timedelta(minutes=-10)
        shown = await box.enrolment.show()
        assert "clocks" in await refused(box, shown.words, tmp_path / "alice")

        box.offset = timedelta(0)
        await box.enrol(shown.words, tmp_path / "alice")

    with_box(tmp_path, test)


def test_a_name_that_nobody_may_bear_is_refused_before_it_costs_a_try(tmp_path: Path) -> None:
    async def test(box: Box) -> None:
        shown = await box.enrolment.show()
        for name in ("", "a/b", "x" * 65, "ABCDEFG"):
            with pytest.raises(RemoteMistyped):
                await box.enrol(shown.words, tmp_path / "alice", name=name)

        assert (await box.enrolment.show()).wrong_codes == 0

    with_box(tmp_path, test)


def test_the_code_is_never_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def test(box: Box) -> None:
        shown = await box.enrolment.show()
        await refused(box, SetUpCode.make().words, tmp_path / "mallory")
        await box.enrol(shown.words, tmp_path / "alice")

        secret = SetUpCode.parse(shown.words).secret_words
        assert "is an operator now" in caplog.text
        assert not any(f"{one} {other}" in caplog.text for one, other in pairwise(secret))
        assert shown.words not in repr(shown)

    with_box(tmp_path, test)
