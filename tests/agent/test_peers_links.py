"""Links between nodes over real TLS on loopback, with honest servers and others."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from appliance.api import peer_pb2 as pb
from appliance.api.peer_pb2_grpc import GreetingStub
from appliance.identity.certificates import LeafKeeper
from appliance.identity.keys import FileKey
from appliance.peering import tls
from appliance.peering.diagnosis import Cause
from appliance.peering.errors import PeerNotPaired
from appliance.peering.links import Contact, Links
from tests.agent.linked_nodes import LinkedNode, clock, trouble_of, two_nodes
from tests.agent.pairing_nodes import eventually


def test_each_side_learns_what_the_other_says_of_itself(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            await left.links.channel(right.node_id)

            assert [(who, said.name, inbound) for who, said, inbound in left.book.greetings] == [
                (right.node_id, "laboratory", False)
            ]
            assert [
                (who, said.address, inbound) for who, said, inbound in right.book.greetings
            ] == [(left.node_id, f"127.0.0.1:{left.port}", True)]
            assert left.book.troubles == [None]

    asyncio.run(run())


def test_one_channel_serves_all_who_ask_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            asked = [left.links.channel(right.node_id) for _ in range(8)]
            channels = await asyncio.gather(*asked)

            assert len(set(map(id, channels))) == 1
            assert len(right.book.greetings) == 1
            assert await left.links.channel(right.node_id) is channels[0]

    asyncio.run(run())


def test_a_peer_that_restarted_is_greeted_anew(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            await left.links.channel(right.node_id)
            assert right.server is not None
            await right.server.stop(0)
            await right.start(right.port)
            await asyncio.sleep(0.1)
            await left.links.channel(right.node_id)

            assert len(right.book.greetings) == 2

    asyncio.run(run())


def test_a_peer_that_moved_is_still_the_same_peer(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            await left.links.channel(right.node_id)
            assert right.server is not None
            await right.server.stop(0)
            await right.start()
            left.knows(right)
            await left.links.channel(right.node_id)

            assert left.book.troubles == [None, None]

    asyncio.run(run())


def test_a_renewed_leaf_hurts_no_running_stream_and_serves_the_next_call(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            for node in (left, right):
                node.now = clock(timedelta(hours=-17))
                node.keeper.current()
            old = await left.links.channel(right.node_id)
            stream: Any = old.stream_stream("/test.Echo/Echo")()
            await stream.write(b"before")
            assert await stream.read() == b"before"

            for node in (left, right):
                before = node.keeper.current()
                node.now = clock()
                assert node.keeper.current() is not before
            new = await left.links.channel(right.node_id)
            await stream.write(b"after")

            assert new is not old
            assert await stream.read() == b"after"
            await stream.done_writing()
            assert await stream.read() is grpc.aio.EOF

    asyncio.run(run())


def stopped_at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def test_a_connection_that_outlives_its_certificate_is_nobodys(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            held = await right.links.channel(left.node_id)
            stub: Any = GreetingStub(held)
            hello = pb.HelloRequest(introduction=right.introduce().to_proto())
            await stub.Hello(hello, timeout=5)

            end = right.keeper.current().not_after
            for moment in (end, end + timedelta(days=3), end - timedelta(days=2)):
                left.now = stopped_at(moment)
                with pytest.raises(grpc.aio.AioRpcError):
                    await stub.Hello(hello, timeout=5)
            left.now = stopped_at(end - timedelta(seconds=1))
            await stub.Hello(hello, timeout=5)

    asyncio.run(run())


def test_a_retired_connection_ends_before_its_certificate_and_the_new_one_serves(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            minute = timedelta(minutes=1)
            keeper = LeafKeeper(right.key, now=lambda: right.now(), life=minute)
            right.links = Links(
                keeper=keeper, book=right.book, introduce=right.introduce, now=lambda: right.now()
            )
            leaf = keeper.current()
            old = await right.links.channel(left.node_id)
            stream: Any = old.stream_stream("/test.Echo/Echo")()
            await stream.write(b"x")
            assert await stream.read() == b"x"

            right.now = clock(timedelta(seconds=-10))  # which renews the leaf
            assert keeper.current() is not leaf
            new: Any = await right.links.channel(left.node_id)
            assert new is not old
            assert not stream.done()

            await eventually(stream.done)
            assert right.now() < leaf.not_after
            fresh = new.stream_stream("/test.Echo/Echo")()
            await fresh.write(b"y")
            assert await fresh.read() == b"y"

    asyncio.run(run())


def test_a_message_larger_than_any_frame_or_letter_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            channel = grpc.aio.secure_channel(
                f"127.0.0.1:{left.port}",
                tls.channel_credentials(right.keeper.current(), left.key.certificate_der),
                options=[
                    ("grpc.ssl_target_name_override", left.node_id.dns_name),
                    ("grpc.max_send_message_length", -1),
                ],
            )
            for count, code in ((1 << 20, None), (5 << 18, grpc.StatusCode.RESOURCE_EXHAUSTED)):
                stream: Any = channel.stream_stream("/test.Echo/Echo")()
                await stream.write(bytes(count))
                await stream.done_writing()
                if code is None:
                    assert len(await stream.read()) == count
                else:
                    assert await stream.code() is code
            await channel.close()

    asyncio.run(run())


def test_cutting_ends_streams_in_both_directions(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            outbound: Any = (await left.links.channel(right.node_id)).stream_stream(
                "/test.Echo/Echo"
            )()
            inbound: Any = (await right.links.channel(left.node_id)).stream_stream(
                "/test.Echo/Echo"
            )()
            for stream in (outbound, inbound):
                await stream.write(b"x")
                assert await stream.read() == b"x"

            del left.book.known[right.node_id]
            await left.links.cut(right.node_id)
            await left.links.cut_inbound(right.node_id)

            await eventually(lambda: outbound.done() and inbound.done())
            assert await inbound.code() is grpc.StatusCode.UNAVAILABLE
            with pytest.raises(PeerNotPaired):
                await left.links.channel(right.node_id)
            assert (await trouble_of(right, left)).cause is Cause.REFUSED

    asyncio.run(run())


def test_cutting_one_peer_spares_the_others(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            third = LinkedNode(tmp_path, "clinic")
            third.knows(left)
            left.knows(third, 1)
            streams: dict[str, Any] = {}
            for node in (right, third):
                channel = await node.links.channel(left.node_id)
                stream: Any = channel.stream_stream("/test.Echo/Echo")()
                streams[node.name] = stream
                await stream.write(b"x")
                assert await stream.read() == b"x"

            await left.links.cut_inbound(right.node_id)

            await eventually(streams["laboratory"].done)
            await streams["clinic"].write(b"y")
            assert await streams["clinic"].read() == b"y"
            await third.stop()

    asyncio.run(run())


def test_nobody_listens(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            assert right.server is not None
            await right.server.stop(0)
            trouble = await trouble_of(left, right)

            assert trouble.cause is Cause.SILENT
            assert "nothing listens" in trouble.what
            assert "coffer peers move laboratory" in trouble.remedy

    asyncio.run(run())


def test_a_name_that_does_not_resolve_is_told_apart(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            known = left.book.known[right.node_id]
            left.book.known[right.node_id] = Contact(
                node_id=known.node_id,
                name=known.name,
                address="no-such-name.invalid:7443",
                certificate_der=known.certificate_der,
                public_der=known.public_der,
            )

            assert (await trouble_of(left, right)).cause is Cause.ADDRESS

    asyncio.run(run())


def test_a_peer_with_a_changed_key_is_not_the_peer(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path / "first") as (left, right):
            anew = LinkedNode(tmp_path / "second", "laboratory")
            anew.knows(left)
            await anew.start()
            left.knows(right, anew.port)
            trouble = await trouble_of(left, right)
            await anew.stop()

            assert trouble.cause is Cause.OTHER_NODE
            assert anew.node_id.short in trouble.what
            assert right.node_id.short in trouble.what
            assert "pair again" in trouble.remedy
            assert left.book.greetings == []

    asyncio.run(run())


class Impostor:
    """Issues leaves in another node's name under a key of its own."""

    def __init__(self, victim: FileKey, own: FileKey) -> None:
        self.certificate_der = victim.certificate_der
        self._victim, self._own = victim, own

    def issue_leaf(self, public: Any, not_before: datetime, not_after: datetime) -> bytes:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        model = x509.load_der_x509_certificate(
            self._victim.issue_leaf(public, not_before, not_after)
        )
        builder = x509.CertificateBuilder(
            issuer_name=model.issuer,
            subject_name=model.subject,
            public_key=public,
            serial_number=model.serial_number,
            not_valid_before=not_before,
            not_valid_after=not_after,
            extensions=list(model.extensions),
        )
        key = ec.generate_private_key(ec.SECP256R1())
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_a_server_that_claims_a_peers_name_without_its_key_is_exposed(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            other = LinkedNode(tmp_path, "mallory")
            other.keeper = LeafKeeper(Impostor(right.key, other.key), now=clock())
            other.knows(left)
            await other.start()
            left.knows(right, other.port)
            trouble = await trouble_of(left, right)
            await other.stop()

            assert trouble.cause is Cause.OTHER_NODE
            assert "does not hold its key" in trouble.what
            assert "in the middle" in trouble.remedy

    asyncio.run(run())


def test_a_client_that_claims_a_peers_name_without_its_key_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            right.keeper = LeafKeeper(Impostor(right.key, right.key), now=clock())
            right.links = Links(
                keeper=right.keeper, book=right.book, introduce=right.introduce, now=right.now
            )
            assert (await trouble_of(right, left)).cause is Cause.REFUSED

            assert left.book.greetings == []

    asyncio.run(run())


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_off_by_a_day_is_named(tmp_path: Path, days: int) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path, timedelta(days=days)) as (left, right):
            trouble = await trouble_of(left, right)
            mirrored = await trouble_of(right, left)

            assert {trouble.cause, mirrored.cause} == {Cause.CLOCK}
            direction = ("ahead of", "behind") if days > 0 else ("behind", "ahead of")
            assert "clock of laboratory is at least" in trouble.what
            assert direction[0] in trouble.what
            assert direction[1] in mirrored.what

    asyncio.run(run())


@pytest.mark.parametrize("seconds", [400, -400])
def test_a_clock_off_by_minutes_is_named_by_the_greeting(tmp_path: Path, seconds: int) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path, timedelta(seconds=seconds)) as (left, right):
            trouble = await trouble_of(left, right)

            assert trouble.cause is Cause.CLOCK
            assert "7 minutes" in trouble.what

    asyncio.run(run())


def test_two_versions_without_a_common_interface_part_with_the_reason(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            right.interfaces = (2, 3)
            trouble = await trouble_of(left, right)

            assert trouble.cause is Cause.VERSION
            assert "update this node" in trouble.remedy

    asyncio.run(run())


def test_a_malformed_answer_to_a_greeting_is_no_greeting(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            right.interfaces = (0, 0)

            assert (await trouble_of(left, right)).cause is Cause.REFUSED
            assert left.book.greetings == []

    asyncio.run(run())


def test_a_node_that_is_no_peer_is_refused_with_a_clear_cause(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            del right.book.known[left.node_id]
            trouble = await trouble_of(left, right)

            assert trouble.cause is Cause.REFUSED
            assert "still paired" in trouble.remedy

    asyncio.run(run())


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 65},
        {"name": "a/b"},
        {"name": "hospital\n"},
        {"name": "hos‮latip"},
        {"address": "nowhere"},
        {"address": "a" * 300 + ":1"},
        {"version": "x" * 65},
        {"version": "\x1b[31m"},
        {"lowest_interface": 3, "highest_interface": 2},
        {"clock_milliseconds": -1},
        {"clock_milliseconds": 2**62},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_introduction_out_of_bounds_is_refused(
    tmp_path: Path, change: dict[str, str | int]
) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, right):
            channel = await left.links.channel(right.node_id)
            message = left.introduce().to_proto()
            for field, value in change.items():
                setattr(message, field, value)
            stub: Any = GreetingStub(channel)

            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Hello(pb.HelloRequest(introduction=message), timeout=3)
            assert len(right.book.greetings) == 1

    asyncio.run(run())


def test_links_stay_in_touch_and_survive_a_peer_that_is_away(tmp_path: Path) -> None:
    async def run() -> None:
        async with two_nodes(tmp_path) as (left, _):
            away = LinkedNode(tmp_path, "away")
            left.knows(away, 1)
            task = asyncio.create_task(left.links.run())
            await eventually(lambda: len(left.book.troubles) == 2)
            task.cancel()

            causes = {trouble and trouble.cause for trouble in left.book.troubles}
            assert causes == {None, Cause.SILENT}

    asyncio.run(run())
