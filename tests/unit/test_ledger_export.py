"""The ledger is sent to a receiver that proves who it is: byte for byte, in order, nothing lost."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from appliance.governance.export import Export, Pace, is_warned_of, message
from appliance.governance.receiver import Receiver as Directed
from appliance.governance.receiver import keep_receiver
from appliance.ledger import store as table
from appliance.ledger.facts import (
    Facts,
    JobDecided,
    Kind,
    LedgerRefused,
    LoginFailed,
    NodeStarted,
)
from appliance.store.database import Store
from tests.unit.ledger_doubles import ACTOR, DIGEST, LedgerNode
from tests.unit.syslog_receiver import MESSAGE, Authority, Receiver

HASTE = Pace(first=0.02, longest=0.2, settle=0.2, stalled=2.0, poll=0.02, shutdown=0.2)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LedgerNode]:
    node = LedgerNode(tmp_path / "node")
    yield node
    node.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def exporting(
    node: LedgerNode, port: int, trusted: Path, host: str = "127.0.0.1"
) -> AsyncIterator[None]:
    await direct(node, port, trusted, host)
    work = asyncio.create_task(Export(node.store, node.id, HASTE).run())
    try:
        yield
        assert not work.done(), work
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def direct(node: LedgerNode, port: int, trusted: Path, host: str = "127.0.0.1") -> None:
    """Have the node's ledger sent to whom this CA vouches for."""
    receiver = Directed(
        address=f"{host}:{port}",
        authority=trusted.read_text("ascii"),
        set_by="auditor",
        set_milliseconds=1,
    )
    await node.store.run(lambda session: keep_receiver(session, receiver))


def contents(node: LedgerNode) -> list[bytes]:
    """Return what each entry was hashed as."""
    return node.run(lambda s: [row[4] or b"" for row in table.entries_from(s, 0, 10**6)])


def said(messages: list[bytes]) -> list[bytes]:
    found = [MESSAGE.fullmatch(one) for one in messages]
    return [one["said"] for one in found if one is not None]


def position(node: LedgerNode, port: int, host: str = "127.0.0.1") -> int:
    return node.run(lambda s: table.export_position(s, f"{host}:{port}"))


async def reaches(node: LedgerNode, port: int, number: int) -> None:
    """Wait until a receiver counts as having all entries before this one."""
    async with asyncio.timeout(20):
        while True:
            found = await node.store.run(lambda s: table.export_position(s, f"127.0.0.1:{port}"))
            if found == number:
                return
            await asyncio.sleep(0.01)


def test_all_entries_arrive_in_order_byte_for_byte_and_new_ones_follow(
    node: LedgerNode, authority: Authority
) -> None:
    node.run_job()
    node.start(1500)
    receiver = Receiver(authority.vouch_for("127.0.0.1"))

    async def run() -> None:
        async with receiver.listening(), exporting(node, receiver.port, authority.file):
            await receiver.has(1506)
            await node.store.run(
                lambda s: node.ledger.append(s, Kind.NODE_STARTED, NodeStarted(version="2"), ACTOR)
            )
            await reaches(node, receiver.port, 1507)

    asyncio.run(run())

    assert said(receiver.messages) == contents(node)
    assert receiver.connections == 1
    assert receiver.versions == {"TLSv1.3"}
    first = MESSAGE.fullmatch(receiver.messages[0])
    assert first is not None
    assert first["host"].decode() == node.id.text
    assert (first["app"], first["process"], first["kind"]) == (b"coffer", b"-", b"ledger.begun")
    assert first["time"].startswith(b"2026-11-30T12:00:")


def test_what_somebody_should_look_at_is_a_warning(node: LedgerNode) -> None:
    def decided(decision: Literal["allowed", "refused"]) -> JobDecided:
        return JobDecided(digest=DIGEST, node=node.id.text, decision=decision, rule="service")

    recorded: list[tuple[Kind, Facts, int]] = [
        (Kind.NODE_STARTED, NodeStarted(version="1"), 110),
        (Kind.JOB_DECIDED, decided("allowed"), 110),
        (Kind.JOB_DECIDED, decided("refused"), 108),
        (Kind.LOGIN_FAILED, LoginFailed(reason="wrong-password-or-code"), 108),
        (Kind.LEDGER_REFUSED, LedgerRefused(peer=node.id.text, reason="it forked"), 108),
    ]
    for kind, facts, _ in recorded:
        node.record(kind, facts)

    rows = node.run(lambda s: table.entries_from(s, 1, 9))
    sent = [message(node.id, row[1], row[2], row[4] or b"") for row in rows]

    found = [MESSAGE.fullmatch(one) for one in sent]
    assert [(one["kind"].decode(), int(one["priority"])) for one in found if one] == [
        (kind.value, priority) for kind, _, priority in recorded
    ]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"facts":[]}', b"[" * 9000])
def test_an_entry_that_was_changed_is_sent_as_it_is_and_warned_of(
    node: LedgerNode, content: bytes
) -> None:
    assert is_warned_of("job.decided", content)
    sent = message(node.id, 10**17, "job decided\n", content)

    assert sent.startswith(b"<108>1 - ")
    assert sent.endswith(b" coffer - - - " + content)


def test_who_is_not_vouched_for_by_the_ca_is_sent_nothing(
    node: LedgerNode, authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node.start(3)
    other = Authority(tmp_path, "other")
    receiver = Receiver(other.vouch_for("127.0.0.1"))

    asyncio.run(is_refused(node, receiver, authority.file))

    assert receiver.messages == []
    assert position(node, receiver.port) == 0
    assert warnings(caplog) == 1
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_who_has_another_name_is_sent_nothing(
    node: LedgerNode, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    node.start(3)
    receiver = Receiver(authority.vouch_for("collector.example", "192.0.2.1"))

    asyncio.run(is_refused(node, receiver, authority.file))

    assert receiver.messages == []
    assert warnings(caplog) == 1
    assert "IP address mismatch" in caplog.text


def test_a_host_is_known_by_its_name(node: LedgerNode, authority: Authority) -> None:
    node.start(3)
    receiver = Receiver(authority.vouch_for("localhost"))

    async def run() -> None:
        async with (
            receiver.listening(),
            exporting(node, receiver.port, authority.file, host="localhost"),
        ):
            await receiver.has(4)

    asyncio.run(run())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_of_tls_are_refused(
    node: LedgerNode, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    node.start(3)
    context = authority.vouch_for("127.0.0.1")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    receiver = Receiver(context)

    asyncio.run(is_refused(node, receiver, authority.file))

    assert receiver.messages == []
    assert warnings(caplog) == 1


async def is_refused(node: LedgerNode, receiver: Receiver, trusted: Path) -> None:
    """Let the export try some times."""
    async with receiver.listening(), exporting(node, receiver.port, trusted):
        await asyncio.sleep(1)


def warnings(caplog: pytest.LogCaptureFixture) -> int:
    ours = [one for one in caplog.records if one.name == "appliance.governance.export"]
    return sum(one.levelno == logging.WARNING for one in ours)


@pytest.mark.parametrize("size", [40, 3000])
def test_a_receiver_that_dies_midway_and_comes_back_misses_nothing(
    node: LedgerNode, authority: Authority, size: int
) -> None:
    node.start(size - 1)
    receiver = Receiver(authority.vouch_for("127.0.0.1"), dies_after=7)

    async def run() -> None:
        async with exporting(node, port := await free_port(), authority.file):
            receiver.port = port
            for _ in range(3):
                async with receiver.listening():
                    await receiver.has(7 * (receiver.connections + 1))
                await asyncio.sleep(0.1)
            assert await node.store.run(
                lambda s: table.export_position(s, f"127.0.0.1:{port}")
            ) <= len(receiver.messages)
            receiver.dies_after = None
            async with receiver.listening():
                await reaches(node, port, size)

    asyncio.run(run())

    # Again from the last position that was sure, so some twice; and none left out or out of turn.
    assert list(dict.fromkeys(said(receiver.messages))) == contents(node)
    assert receiver.connections >= 4


def test_a_restart_goes_on_from_where_it_stood(
    node: LedgerNode, authority: Authority, tmp_path: Path
) -> None:
    node.start(4)
    receiver = Receiver(authority.vouch_for("127.0.0.1"))

    async def export_to(number: int) -> None:
        async with receiver.listening(), exporting(node, receiver.port, authority.file):
            await reaches(node, receiver.port, number)

    asyncio.run(export_to(5))
    node.close()
    node.store = Store.open(tmp_path / "node")
    node.start(3)
    asyncio.run(export_to(8))

    assert said(receiver.messages) == contents(node)


def test_a_receiver_that_reads_nothing_is_given_up(
    node: LedgerNode, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    # More than the kernels' buffers hold, so that it shows.
    node.start(20_000)
    receiver = Receiver(authority.vouch_for("127.0.0.1"), takes=False)

    async def run() -> None:
        async with receiver.listening(), exporting(node, receiver.port, authority.file):
            async with asyncio.timeout(30):
                while warnings(caplog) == 0:
                    await asyncio.sleep(0.05)

    asyncio.run(run())

    assert "it did not answer in time" in caplog.text


def test_trouble_is_logged_when_it_changes_not_at_each_try(
    node: LedgerNode, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    node.start(2)
    receiver = Receiver(authority.vouch_for("127.0.0.1"))

    async def run() -> None:
        receiver.port = await free_port()
        async with exporting(node, receiver.port, authority.file):
            await asyncio.sleep(0.7)
            async with receiver.listening():
                await reaches(node, receiver.port, 3)

    asyncio.run(run())

    told = [one.message for one in caplog.records if one.name == "appliance.governance.export"]
    assert len(told) == 2, told
    assert "is not exported" in told[0]
    assert "exported" in told[1] and "again" in told[1]


def test_another_receiver_takes_the_place_of_one_that_works_or_fails_and_nobody_can(
    node: LedgerNode, authority: Authority
) -> None:
    node.start(5)
    first = Receiver(authority.vouch_for("127.0.0.1"))
    second = Receiver(authority.vouch_for("127.0.0.1"))

    async def run() -> None:
        async with (
            first.listening(),
            second.listening(),
            exporting(node, first.port, authority.file),
        ):
            await reaches(node, first.port, 6)
            await direct(node, await free_port(), authority.file)
            await asyncio.sleep(0.3)
            await direct(node, second.port, authority.file)
            await reaches(node, second.port, 6)
            await node.store.run(lambda session: keep_receiver(session, None))
            await asyncio.sleep(0.2)
            await node.store.run(
                lambda s: node.ledger.append(s, Kind.NODE_STARTED, NodeStarted(version="2"), ACTOR)
            )
            await asyncio.sleep(0.3)

    asyncio.run(run())

    assert said(first.messages) == said(second.messages) == contents(node)[:-1]
    assert (first.connections, second.connections) == (1, 1)


@pytest.mark.parametrize("host", ["x" * 70, ".example"])
def test_a_host_that_can_be_none_is_trouble_and_no_end(
    node: LedgerNode, authority: Authority, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    async def run() -> None:
        async with exporting(node, 9, authority.file, host=host):
            await asyncio.sleep(0.3)

    asyncio.run(run())

    assert warnings(caplog) == 1
    assert "is not exported" in caplog.text


def test_what_was_pruned_before_is_passed_over_and_said(
    node: LedgerNode, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    node.start(9)
    node.time += timedelta(days=200)
    cut = node.time - timedelta(days=190)
    node.start(2)
    node.run(lambda s: node.ledger.prune(s, cut, ACTOR))
    receiver = Receiver(authority.vouch_for("127.0.0.1"))

    async def run() -> None:
        async with receiver.listening(), exporting(node, receiver.port, authority.file):
            await reaches(node, receiver.port, 13)

    asyncio.run(run())

    assert said(receiver.messages) == contents(node)[10:]
    assert "entries up to 9 were pruned" in caplog.text


async def free_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
