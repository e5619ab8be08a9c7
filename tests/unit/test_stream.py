import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from services.errors import PeerLost, PeerProtocolError
from services.transport.stream import Stream

MIB = 2**20


def with_streams(talk: Callable[[Stream, Stream], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        left, right = socket.socketpair()
        near, far = Stream(left, peer=1), Stream(right, peer=0)
        try:
            async with asyncio.timeout(30):
                return await talk(near, far)
        finally:
            near.close()
            far.close()

    return asyncio.run(run())


def with_raw_peer(sent: bytes, *, hangs_up: bool = True) -> Any:
    """Receive from a peer that writes these bytes to its socket."""

    async def run() -> Any:
        left, right = socket.socketpair()
        stream = Stream(left, peer=3)
        try:
            right.sendall(sent)
            if hangs_up:
                right.close()
            async with asyncio.timeout(30):
                return bytes(await stream.receive(100))
        finally:
            stream.close()
            right.close()

    return asyncio.run(run())


def test_large_messages_in_parts_arrive_whole_and_in_order() -> None:
    rows = np.random.default_rng(1).integers(0, 256, 3 * MIB, np.uint8)

    async def talk(near: Stream, far: Stream) -> list[bytes]:
        async def say() -> None:
            await near.send([b"first", rows.data])
            await near.send([b""])
            await near.send([b"", b"last"])

        saying = asyncio.create_task(say())
        heard = [bytes(await far.receive(4 * MIB)) for _ in range(3)]
        await saying
        return heard

    assert with_streams(talk) == [b"first" + rows.tobytes(), b"", b"last"]


def test_both_ends_may_send_much_at_once_while_both_listen() -> None:
    data = bytes(8 * MIB)

    async def talk(near: Stream, far: Stream) -> None:
        async def speak(end: Stream) -> None:
            for _ in range(4):
                await end.send([data])

        async def listen(end: Stream) -> None:
            for _ in range(4):
                assert len(await end.receive(8 * MIB)) == 8 * MIB

        await asyncio.gather(speak(near), listen(near), speak(far), listen(far))

    with_streams(talk)


def test_a_slow_peer_holds_the_sender_up() -> None:
    async def talk(near: Stream, far: Stream) -> int:
        sent = 0

        async def say() -> None:
            nonlocal sent
            for _ in range(64):
                await near.send([bytes(MIB)])
                sent += 1

        saying = asyncio.create_task(say())
        await asyncio.sleep(0.2)
        waiting = sent
        for _ in range(64):
            await far.receive(MIB)
        await saying
        return waiting

    assert with_streams(talk) < 16


def test_a_peer_that_hangs_up_is_lost() -> None:
    with pytest.raises(PeerLost, match="party 3: the connection was closed"):
        with_raw_peer(b"")


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 13])
def test_a_truncated_frame_loses_the_peer(cut: int) -> None:
    with pytest.raises(PeerLost, match="party 3"):
        with_raw_peer((struct.pack(">I", 10) + b"0123456789")[:cut])


def test_what_was_sent_before_hanging_up_is_still_received() -> None:
    assert with_raw_peer(struct.pack(">I", 2) + b"ok") == b"ok"


def test_an_announced_length_over_the_limit_is_blamed_before_the_message_comes() -> None:
    with pytest.raises(
        PeerProtocolError, match="party 3: a message of 4294967295 bytes, at most 100"
    ):
        with_raw_peer(b"\xff\xff\xff\xff", hangs_up=False)


def test_sending_to_a_peer_that_hung_up_loses_it() -> None:
    async def talk(near: Stream, far: Stream) -> None:
        far.close()
        for _ in range(3):
            await near.send([bytes(MIB)])

    with pytest.raises(PeerLost, match="party 1"):
        with_streams(talk)


def test_a_cancelled_receive_leaves_the_stream_usable() -> None:
    async def talk(near: Stream, far: Stream) -> bytes:
        waiting = asyncio.create_task(far.receive(10))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
        await near.send([b"after"])
        return bytes(await far.receive(10))

    assert with_streams(talk) == b"after"
