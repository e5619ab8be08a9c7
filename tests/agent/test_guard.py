"""The guard bounds what each visitor may ask, and tells peers no more than a word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from appliance.agent import guard
from appliance.agent.guard import Guard, Quota, Visitor
from appliance.agent.permissions import Caller
from appliance.api import peer_pb2 as pb
from appliance.api.conventions import ERROR_KEY, REMEDY_KEY
from appliance.api.peer_pb2_grpc import (
    GreetingServicer,
    GreetingStub,
    add_GreetingServicer_to_server,
)
from appliance.peering.errors import ClockSkewed, InvitationUsed
from appliance.store.errors import StoreFull
from services.errors import PeerProtocolError

HELLO = "/coffer.peer.v1.Greeting/Hello"


class Greeter(GreetingServicer):
    """Answers when it is let, or with a fault."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.count = 0
        self.may_answer = asyncio.Event()

    async def Hello(self, request: pb.HelloRequest, context: Any) -> pb.HelloReply:  # noqa: N802
        self.count += 1
        if self.fault is not None:
            raise self.fault
        await self.may_answer.wait()
        return pb.HelloReply()


def identify(context: Any) -> Visitor:
    """Who calls, as a test says it: the first word of the user agent."""
    agent = dict(context.invocation_metadata())["user-agent"]
    return Visitor(kind=Caller.PAIRED, name=str(agent).split()[0])


@asynccontextmanager
async def served(greeter: Greeter, quota: Quota, *, tell: bool = False) -> AsyncIterator[int]:
    guarding = Guard(identify, tell=tell, quotas={Caller.PAIRED: quota})
    server = grpc.aio.server(interceptors=[guarding])
    add_GreetingServicer_to_server(greeter, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


def dial(port: int, name: str = "hospital") -> grpc.aio.Channel:
    options = [("grpc.primary_user_agent", name), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)


async def refusal(call: Any) -> tuple[grpc.StatusCode, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    metadata = dict(caught.value.trailing_metadata() or ())
    assert REMEDY_KEY not in metadata
    return caught.value.code(), str(metadata.get(ERROR_KEY, "")), caught.value.details() or ""


async def until(greeter: Greeter, count: int) -> None:
    async with asyncio.timeout(10):
        while greeter.count < count:
            await asyncio.sleep(0.01)


WIDE = Quota(most_open=8, per_second=1000, burst=1000)


def test_a_visitor_with_too_many_calls_open_is_refused_and_others_are_not() -> None:
    async def run() -> None:
        greeter = Greeter()
        quota = Quota(most_open=2, per_second=1000, burst=1000)
        async with served(greeter, quota) as port, dial(port) as ours, dial(port, "bank") as others:
            stub: Any = GreetingStub(ours)
            held = [asyncio.ensure_future(stub.Hello(pb.HelloRequest())) for _ in range(2)]
            await until(greeter, 2)
            code, word, text = await refusal(stub.Hello(pb.HelloRequest()))
            other = asyncio.ensure_future(GreetingStub(others).Hello(pb.HelloRequest()))
            await until(greeter, 3)
            greeter.may_answer.set()
            await asyncio.gather(*held, other)

            assert (code, word, text) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TooManyCalls", "")
            await stub.Hello(pb.HelloRequest())

    asyncio.run(run())


def test_calls_that_send_nothing_are_counted_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "REQUEST_SECONDS", 0.5)

    async def run() -> None:
        greeter = Greeter()
        greeter.may_answer.set()
        quota = Quota(most_open=2, per_second=1000, burst=1000)
        async with served(greeter, quota) as port, dial(port) as channel:
            method: Any = channel.stream_unary(HELLO)
            silent = [method() for _ in range(2)]
            await asyncio.sleep(0.2)
            stub: Any = GreetingStub(channel)
            assert (await refusal(stub.Hello(pb.HelloRequest())))[1] == "TooManyCalls"

            for call in silent:
                assert await refusal(call) == (grpc.StatusCode.INVALID_ARGUMENT, "Refused", "")
            await stub.Hello(pb.HelloRequest())
            assert greeter.count == 1

    asyncio.run(run())


def test_calls_that_are_too_frequent_wait_for_their_turn() -> None:
    async def run() -> None:
        greeter = Greeter()
        greeter.may_answer.set()
        quota = Quota(most_open=8, per_second=10, burst=2)
        async with served(greeter, quota) as port, dial(port) as channel:
            stub: Any = GreetingStub(channel)
            began = asyncio.get_running_loop().time()
            await asyncio.gather(*(stub.Hello(pb.HelloRequest()) for _ in range(6)))

            assert asyncio.get_running_loop().time() - began > 0.35
            assert greeter.count == 6

    asyncio.run(run())


@pytest.mark.parametrize("raw", [b"\x00" * 101, b"\xff\xff\xff"], ids=["too large", "junk"])
def test_a_request_that_is_too_large_or_junk_never_reaches_its_method(raw: bytes) -> None:
    async def run() -> None:
        greeter = Greeter()
        quota = Quota(most_open=8, per_second=1000, burst=1000, request_bytes={HELLO: 100})
        async with served(greeter, quota) as port, dial(port) as channel:
            method: Any = channel.unary_unary(HELLO)

            assert await refusal(method(raw)) == (grpc.StatusCode.INVALID_ARGUMENT, "Refused", "")
            assert greeter.count == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (ClockSkewed("the clock is wrong"), "ClockSkewed"),
        (InvitationUsed(), "InvitationUsed"),
        (StoreFull(Path("/var/lib/coffer")), "Refused"),
        (PeerProtocolError(3, "detail"), "Refused"),
        (KeyError("detail"), ""),
    ],
)
def test_peers_hear_a_word_of_a_closed_list(fault: Exception, word: str) -> None:
    async def run() -> None:
        async with served(Greeter(fault), WIDE) as port, dial(port) as channel:
            stub: Any = GreetingStub(channel)
            _, said, text = await refusal(stub.Hello(pb.HelloRequest()))

            assert said == word
            assert "detail" not in text and "coffer" not in text

    asyncio.run(run())
