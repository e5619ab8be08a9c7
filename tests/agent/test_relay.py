"""The relay carries workers' bytes over streams that drop, and blames peers that misbehave."""

import asyncio
import contextlib
import os
from typing import Any

import grpc
import pytest

from appliance.agent import frames
from appliance.agent.conversation import STATUSES_AT_ONCE, PeerAborted, PeerResumed
from appliance.agent.frames import Abort, AbortCode, Ack, Fin, Open, Status
from appliance.agent.relay import MAX_WAITING_STREAMS
from services.errors import PeerLost, PeerProtocolError
from tests.agent.relay_sides import JOB, Side, read, sides, stream_to, write


def test_bytes_and_ends_pass_both_ways() -> None:
    async def run() -> None:
        async with sides() as (left, right):
            await write(left.workers[1], b"from left", ends=True)
            await write(right.workers[0], b"from right", ends=True)
            both = asyncio.gather(left.relay.finish(JOB), right.relay.finish(JOB))

            assert await read(right.workers[0], 100) == b"from left"
            assert await read(left.workers[1], 100) == b"from right"
            async with asyncio.timeout(30):
                await both
            assert not left.heard.failures and not right.heard.failures

    asyncio.run(run())


def test_a_worker_that_dies_does_not_look_like_one_that_has_finished() -> None:
    async def run() -> None:
        async with sides() as (left, right):
            await write(left.workers[1], b"half of", ends=True)

            assert await read(right.workers[0], 7) == b"half of"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await asyncio.get_running_loop().sock_recv(right.workers[0], 1)

    asyncio.run(run())


def test_the_workers_do_not_notice_when_the_connection_drops_again_and_again() -> None:
    data = [os.urandom(24 << 20) for _ in range(2)]

    async def cut_often(side: Side) -> None:
        while True:
            await asyncio.sleep(0.15)
            side.wire.cut()
            await asyncio.sleep(0.05)
            side.wire.mend()

    async def run() -> None:
        async with sides() as (left, right):
            cutting = asyncio.create_task(cut_often(right))
            writing = asyncio.gather(
                write(left.workers[1], data[0]), write(right.workers[0], data[1])
            )
            read_right, read_left = await asyncio.gather(
                read(right.workers[0], len(data[0])), read(left.workers[1], len(data[1]))
            )
            await writing
            cutting.cancel()

            assert read_right == data[0] and read_left == data[1]
            assert (left.tally.bytes_sent, left.tally.bytes_received) == (24 << 20, 24 << 20)
            assert (right.tally.bytes_sent, right.tally.bytes_received) == (24 << 20, 24 << 20)
            assert (0, False) in right.heard.links and right.heard.links[0] == (0, True)
            assert not left.heard.failures and not right.heard.failures

    asyncio.run(run())


def test_a_worker_that_does_not_read_stops_the_one_that_writes() -> None:
    async def run() -> None:
        async with sides() as (left, _):
            written = 0
            loop = asyncio.get_running_loop()

            with pytest.raises(TimeoutError):
                while True:
                    async with asyncio.timeout(1):
                        await loop.sock_sendall(left.workers[1], bytes(1 << 20))
                    written += 1 << 20

            # A window at either end, and the four sockets' buffers.
            assert written <= 2 * frames.MAX_WINDOW_BYTES + 4 * (8 << 20)

    asyncio.run(run())


def test_a_peer_that_stays_away_is_lost_once_the_grace_time_is_over() -> None:
    async def run() -> None:
        async with sides(grace_seconds=0.5) as (left, right):
            await write(left.workers[1], b"x")
            await read(right.workers[0], 1)

            right.wire.cut()
            errors = [await side.heard.failure() for side in (left, right)]

            assert all(type(error) is PeerLost for error in errors)
            assert "party 1: no connection for 0.5 s" in str(errors[0])

    asyncio.run(run())


def test_a_peer_that_never_comes_is_lost_with_the_cause() -> None:
    async def run() -> None:
        async with sides(opens=False) as (left, _):
            left.others = {}
            left.open([0, 1], grace_seconds=0.3)

            error = await left.heard.failure()

            assert isinstance(error, PeerLost)
            assert "nobody knows the way" in error.what

    asyncio.run(run())


def test_a_peer_that_begins_a_little_later_is_waited_for() -> None:
    async def run() -> None:
        async with sides(opens=False) as (left, right):
            left.open([0, 1], grace_seconds=5)
            await write(left.workers[1], b"early")
            await asyncio.sleep(0.3)
            right.open([0, 1], grace_seconds=5)

            assert await read(right.workers[0], 5) == b"early"

    asyncio.run(run())


@pytest.mark.parametrize("code", list(AbortCode))
def test_a_peer_hears_a_code_and_no_more_when_a_job_is_ended(code: AbortCode) -> None:
    async def run() -> None:
        async with sides() as (left, right):
            await write(left.workers[1], b"x")
            await read(right.workers[0], 1)

            await left.relay.abort(JOB, code)
            error = await right.heard.failure()

            assert isinstance(error, PeerAborted)
            assert (error.rank, error.code) == (0, code)

    asyncio.run(run())


def test_only_the_culprit_hears_that_it_broke_the_rules() -> None:
    async def run() -> None:
        async with sides(3) as (first, second, third):
            for other in (second, third):
                await write(first.workers[other.rank], b"x")
                await read(other.workers[0], 1)

            await first.relay.abort(JOB, AbortCode.FAILED, culprit=2)
            errors = [await side.heard.failure() for side in (second, third)]

            assert [getattr(error, "code", None) for error in errors] == [
                AbortCode.FAILED,
                AbortCode.BROKE_RULES,
            ]

    asyncio.run(run())


def test_three_parties_each_have_a_channel_to_each_other() -> None:
    async def run() -> None:
        async with sides(3) as every:
            for one in every:
                for peer, end in one.workers.items():
                    await write(end, bytes([one.rank, peer]))

            for one in every:
                for peer, end in one.workers.items():
                    assert await read(end, 2) == bytes([peer, one.rank])
                assert (one.tally.bytes_sent, one.tally.bytes_received) == (4, 4)

    asyncio.run(run())


def test_the_peer_hears_how_far_our_worker_is() -> None:
    async def run() -> None:
        async with sides() as (left, right):
            left.relay.tell_progress(JOB, Status(stage="blind", fraction=0.25))
            async with asyncio.timeout(30):
                while not right.heard.statuses:
                    await asyncio.sleep(0.01)

            assert right.heard.statuses[-1] == (0, Status(stage="blind", fraction=0.25))

    asyncio.run(run())


def opening_of(attempt: int) -> bytes:
    return frames.encode(
        Open(job_id=JOB, attempt=attempt, expected=0, window_bytes=frames.MIN_WINDOW_BYTES)
    )


OPENING = opening_of(0)


def data(offset: int, payload: bytes) -> bytes:
    return frames.encode_data(offset, memoryview(payload))


MISBEHAVIOURS: dict[str, tuple[list[bytes], str]] = {
    "a replayed frame": ([data(0, b"abc"), data(0, b"abc")], "data at 0, 3 was due"),
    "a skipped frame": ([data(3, b"def")], "data at 3, 0 was due"),
    "frames out of order": ([data(3, b"def"), data(0, b"abc")], "data at 3, 0 was due"),
    "a frame cut short": ([data(0, b"abc")[:5]], "a frame of 5 bytes is cut short"),
    "a frame without bytes": ([data(0, b"")], "a data frame of 0 bytes"),
    "an oversized frame": (
        [data(0, bytes(frames.MAX_PAYLOAD_BYTES + 1))],
        "a data frame of 1048577 bytes",
    ),
    "an unknown type": ([b"\x09" + bytes(8)], "unknown type 9"),
    "a second opening": ([OPENING], "a second opening"),
    "an acknowledgement of what was never sent": ([frames.encode(Ack(5))], "acknowledges 5"),
    "an end in the wrong place": ([frames.encode(Fin(7))], "an end at 7, 0 was due"),
    "data after the end": ([frames.encode(Fin(0)), data(1, b"x")], "data after the end"),
    "a status of no stage": ([frames.encode(Status(stage="x", fraction=0.5))], "unknown stage"),
    "a status beyond all": ([frames.encode(Status(stage="blind", fraction=9))], "malformed status"),
    "an unknown code": ([frames.encode(Abort(AbortCode.FAILED))[:-1] + b"\x63"], "unknown code"),
    "more statuses than any worker gives": (
        [frames.encode(Status(stage="blind", fraction=0.5))] * (STATUSES_AT_ONCE + 1000),
        "more statuses",
    ),
    "an acknowledgement of nothing": ([frames.encode(Ack(0))] * 2, "acknowledges nothing new"),
    "an offset out of range": ([b"\x02" + b"\xff" * 8 + b"x"], "out of range"),
}


@pytest.mark.parametrize("what", MISBEHAVIOURS)
def test_a_peer_that_misbehaves_is_blamed_and_hears_only_that_it_broke_the_rules(what: str) -> None:
    junk, blame = MISBEHAVIOURS[what]

    async def run() -> None:
        async with sides(opens=False) as (_, right):
            right.open([0, 1], grace_seconds=5)
            channel, stream = stream_to(right, as_rank=0)
            with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError):
                for raw in [OPENING, *junk]:
                    await stream.write(raw)
            error = await right.heard.failure(20)
            last = [raw async for raw in stream][-1]
            await channel.close()

            assert isinstance(error, PeerProtocolError)
            assert error.rank == 0
            assert blame in error.what
            assert last == frames.encode(Abort(AbortCode.BROKE_RULES))

    asyncio.run(run())


def test_as_many_statuses_as_a_link_may_have_held_up_are_taken() -> None:
    async def run() -> None:
        async with sides(opens=False) as (_, right):
            right.open([0, 1], grace_seconds=5)
            channel, stream = stream_to(right, as_rank=0)
            await stream.write(OPENING)
            for _ in range(STATUSES_AT_ONCE):
                await stream.write(frames.encode(Status(stage="blind", fraction=0.5)))
            await stream.write(data(0, b"x"))

            assert await read(right.workers[0], 1) == b"x"
            assert not right.heard.failures
            await channel.close()

    asyncio.run(run())


def test_streams_that_wait_for_jobs_are_counted_one_by_one() -> None:
    async def run() -> None:
        async with sides(opens=False, opening_seconds=30) as (_, right):
            pairs = [stream_to(right, as_rank=0) for _ in range(MAX_WAITING_STREAMS + 1)]
            for _, stream in pairs:
                await stream.write(OPENING)
            waiting = [asyncio.create_task(refusal(stream)) for _, stream in pairs]
            refused, _ = await asyncio.wait(
                waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED
            )

            assert len(refused) == 1
            for task in waiting:
                task.cancel()
            for channel, _ in pairs:
                await channel.close()

    asyncio.run(run())


def test_a_stream_that_waits_no_longer_leaves_the_others_waiting() -> None:
    async def run() -> None:
        async with sides(opens=False) as (_, right):
            gone_channel, gone = stream_to(right, as_rank=0)
            await gone.write(OPENING)
            await asyncio.sleep(0.2)
            channel, stream = stream_to(right, as_rank=0)
            await stream.write(OPENING)
            await stream.write(data(0, b"x"))
            await asyncio.sleep(0.05)
            gone.cancel()
            await asyncio.sleep(0.05)
            right.open([0, 1], grace_seconds=5)

            assert await read(right.workers[0], 1) == b"x"
            for each in (gone_channel, channel):
                await each.close()

    asyncio.run(run())


def test_a_stream_ends_when_its_caller_is_no_peer_any_more_and_goes_on_when_it_is() -> None:
    async def run() -> None:
        async with sides() as (left, right):
            await write(left.workers[1], b"before")
            assert await read(right.workers[0], 6) == b"before"

            right.strangers.add(left.id)
            async with asyncio.timeout(10):
                while (0, False) not in right.heard.links:
                    await asyncio.sleep(0.01)
            await write(left.workers[1], b"meanwhile")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await asyncio.get_running_loop().sock_recv(right.workers[0], 1)
            right.strangers.clear()

            assert await read(right.workers[0], 9) == b"meanwhile"
            assert not left.heard.failures and not right.heard.failures

    asyncio.run(run())


def test_a_peer_that_sends_more_than_the_window_is_blamed() -> None:
    async def run() -> None:
        async with sides(opens=False) as (_, right):
            right.open([0, 1], grace_seconds=5)
            channel, stream = stream_to(right, as_rank=0)
            await stream.write(OPENING)

            async def flood() -> None:
                offset = 0
                while True:
                    await stream.write(data(offset, bytes(frames.MAX_PAYLOAD_BYTES)))
                    offset += frames.MAX_PAYLOAD_BYTES

            flooding = asyncio.create_task(flood())
            error = await right.heard.failure()
            await channel.close()
            await asyncio.gather(flooding, return_exceptions=True)

            assert isinstance(error, PeerProtocolError)
            assert "more data than the window admits" in error.what

    asyncio.run(run())


async def begin_again(side: Side, attempt: int, grace_seconds: float = 5) -> None:
    """Give an attempt up, as after a crash, and begin another."""
    await side.relay.leave(JOB)
    for end in side.workers.values():
        end.close()
    side.open([0, 1], grace_seconds, attempt=attempt, last_attempt=3)


@pytest.mark.parametrize("first", [0, 1])
def test_a_side_that_begins_again_takes_the_other_along_and_bytes_do_not_mix(first: int) -> None:
    async def run() -> None:
        async with sides(opens=False) as both:
            here, there = both[first], both[1 - first]
            for side in both:
                side.open([0, 1], 5, last_attempt=3)
            await write(here.workers[there.rank], b"old")
            assert await read(there.workers[here.rank], 3) == b"old"
            await write(here.workers[there.rank], b"lost")
            await write(there.workers[here.rank], b"lost too")

            await begin_again(here, 2)
            await write(here.workers[there.rank], b"new")
            error = await there.heard.failure()
            assert isinstance(error, PeerResumed)
            assert (error.rank, error.attempt) == (first, 2)
            assert not here.heard.failures
            await begin_again(there, 2)
            await write(there.workers[here.rank], b"new too")

            assert await read(there.workers[here.rank], 3) == b"new"
            assert await read(here.workers[there.rank], 7) == b"new too"

    asyncio.run(run())


@pytest.mark.parametrize("attempt", [4, 5, 255])
def test_a_peer_that_calls_with_an_attempt_beyond_the_last_is_blamed(attempt: int) -> None:
    async def run() -> None:
        async with sides(opens=False) as (_, right):
            right.open([0, 1], grace_seconds=5, attempt=1, last_attempt=3)
            channel, stream = stream_to(right, as_rank=0)
            await stream.write(opening_of(attempt))
            error = await right.heard.failure()
            last = [raw async for raw in stream][-1]
            await channel.close()

            assert type(error) is PeerProtocolError
            assert f"begins attempt {attempt + 1} of at most 4" in error.what
            assert last == frames.encode(Abort(AbortCode.BROKE_RULES))

    asyncio.run(run())


def test_a_peer_that_answers_with_an_attempt_of_a_service_without_any_is_blamed() -> None:
    async def run() -> None:
        async with sides(opens=False) as (left, right):
            right.open([0, 1], grace_seconds=5, attempt=1, last_attempt=3)
            left.open([0, 1], grace_seconds=5)

            error = await left.heard.failure()

            assert type(error) is PeerProtocolError
            assert "begins attempt 2 of at most 1" in error.what

    asyncio.run(run())


def test_a_peer_that_calls_with_an_earlier_attempt_hears_ours_and_is_given_nothing() -> None:
    async def run() -> None:
        async with sides(opens=False) as (_, right):
            right.open([0, 1], grace_seconds=1, attempt=2, last_attempt=3)
            await write(right.workers[0], b"for attempt 3 alone")
            channel, stream = stream_to(right, as_rank=0)
            for raw in (opening_of(1), data(0, b"late"), opening_of(2), data(0, b"later")):
                with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError):
                    await stream.write(raw)
            heard = [raw async for raw in stream]
            await channel.close()

            assert heard == [
                frames.encode(
                    Open(job_id=JOB, attempt=2, expected=0, window_bytes=frames.MAX_WINDOW_BYTES)
                )
            ]
            assert not right.heard.links
            # It may call as long as it likes: the grace time ends all the same.
            assert type(await right.heard.failure()) is PeerLost

    asyncio.run(run())


def test_a_stale_stream_does_not_disturb_the_present_attempt() -> None:
    async def run() -> None:
        async with sides(opens=False) as (left, right):
            for side in (left, right):
                side.open([0, 1], grace_seconds=5, attempt=1, last_attempt=3)
            await write(left.workers[1], b"x")
            assert await read(right.workers[0], 1) == b"x"

            channel, stream = stream_to(right, as_rank=0)
            await stream.write(opening_of(0))
            assert len([raw async for raw in stream]) == 1
            await channel.close()

            assert right.heard.links == [(0, True)]
            assert not right.heard.failures

    asyncio.run(run())


async def refusal(stream: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(15):
            async for _ in stream:
                pass
    return caught.value.code()


@pytest.mark.parametrize(
    "first",
    [b"", b"\x01", data(0, b"x"), OPENING[:-1], OPENING.replace(b"\x02\x00\x10", b"\x01\x00\x10")],
    ids=["nothing", "cut short", "data", "another job", "another version"],
)
def test_a_stream_that_does_not_begin_as_it_must_is_refused_and_hurts_no_one(
    first: bytes,
) -> None:
    async def run() -> None:
        async with sides() as (left, right):
            channel, stream = stream_to(right, as_rank=0)
            await stream.write(first)
            await refusal(stream)
            await channel.close()

            await write(left.workers[1], b"still here")
            assert await read(right.workers[0], 10) == b"still here"
            assert not right.heard.failures

    asyncio.run(run())


def test_another_node_cannot_join_a_conversation_by_its_job_id() -> None:
    async def run() -> None:
        async with sides(opens=False) as (_, right):
            right.open([0, 1], grace_seconds=5)
            channel, stream = stream_to(right, as_rank=7)
            await stream.write(OPENING)
            await stream.write(data(0, b"forged"))
            await refusal(stream)
            await channel.close()

            assert not right.heard.links
            assert not right.heard.failures

    asyncio.run(run())


def test_a_peer_that_is_dialled_may_not_dial() -> None:
    async def run() -> None:
        async with sides(opens=False) as (left, _):
            left.open([0, 1], grace_seconds=5)
            channel, stream = stream_to(left, as_rank=1)
            await stream.write(OPENING)
            await refusal(stream)
            await channel.close()

            assert not left.heard.failures

    asyncio.run(run())


def test_a_new_stream_of_the_peer_takes_the_place_of_a_stale_one() -> None:
    async def run() -> None:
        async with sides(opens=False) as (_, right):
            right.open([0, 1], grace_seconds=5)
            stale_channel, stale = stream_to(right, as_rank=0)
            await stale.write(OPENING)
            await stale.write(data(0, b"one "))
            assert await read(right.workers[0], 4) == b"one "

            channel, stream = stream_to(right, as_rank=0)
            await stream.write(OPENING)
            assert frames.parse_frame(await stream.read(), require) == Open(
                job_id=JOB, attempt=0, expected=4, window_bytes=frames.MAX_WINDOW_BYTES
            )
            await stream.write(data(4, b"two"))

            assert await read(right.workers[0], 3) == b"two"
            for each in (stale_channel, channel):
                await each.close()

    asyncio.run(run())


def require(condition: bool, what: str) -> None:
    assert condition, what
