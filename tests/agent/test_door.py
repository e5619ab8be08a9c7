import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc.aio import ServicerContext

from appliance.accounts.roles import ALL_POWERS, NO_POWERS, Power
from appliance.agent.door import Door
from appliance.agent.guard import Guard, Visitor
from appliance.agent.permissions import Caller, NotAdmitted
from appliance.api import agent_pb2, agent_pb2_grpc
from appliance.api.conventions import REMEDY_KEY
from services.errors import ConfigError, ServiceError

NOBODY = 65534


class Told(Exception):
    """What no table lists."""


class ToyNode(agent_pb2_grpc.NodeServicer):
    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault

    async def ShowNode(  # noqa: N802
        self, request: agent_pb2.ShowNodeRequest, context: ServicerContext[Any, Any]
    ) -> agent_pb2.NodeView:
        if self.fault:
            raise self.fault
        return agent_pb2.NodeView(name=context.peer())


class House:
    """An agent's local side in small: door, guard, one servicer."""

    def __init__(
        self,
        folder: Path,
        node: ToyNode,
        allowed: set[int],
        powers: frozenset[Power] = ALL_POWERS,
    ) -> None:
        folder.chmod(0o755)
        self.inner = folder / "inner"
        self.inner.mkdir(mode=0o700)
        self.door = Door(folder / "api.sock", self.inner / "agent.sock")
        self.allowed = allowed
        self.powers = powers
        self.server = grpc.aio.server(interceptors=[Guard(self._identify, tell=True)])
        agent_pb2_grpc.add_NodeServicer_to_server(node, self.server)
        self.server.add_insecure_port(f"unix:{self.inner / 'agent.sock'}")
        self.address = f"unix:{folder / 'api.sock'}"

    def _identify(self, context: ServicerContext[Any, Any]) -> Visitor:
        uid = self.door.uid_of(context.peer())
        if uid not in self.allowed:
            raise NotAdmitted(f"uid {uid} may not use this node")
        return Visitor(kind=Caller.LOCAL, name=uid, powers=self.powers)

    async def __aenter__(self) -> "House":
        await self.server.start()
        await self.door.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.door.close()
        await self.server.stop(None)

    async def call(self) -> agent_pb2.NodeView:
        async with grpc.aio.insecure_channel(self.address) as channel:
            stub = agent_pb2_grpc.NodeStub(channel)
            seen: agent_pb2.NodeView = await stub.ShowNode(agent_pb2.ShowNodeRequest(), timeout=10)
            return seen


def test_the_door_tells_the_callers_uid(tmp_path: Path) -> None:
    async def run() -> str:
        async with House(tmp_path, ToyNode(), {os.getuid()}) as house:
            return (await house.call()).name

    assert asyncio.run(run()).startswith(f"unix-abstract:coffer-uid-{os.getuid()}-")


def test_a_uid_that_is_not_allowed_is_refused_by_name(tmp_path: Path) -> None:
    async def run() -> grpc.aio.AioRpcError:
        async with House(tmp_path, ToyNode(), set()) as house:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await house.call()
        return caught.value

    error = asyncio.run(run())

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == f"uid {os.getuid()} may not use this node"


def test_a_caller_without_the_power_is_told_whose_it_is(tmp_path: Path) -> None:
    async def run() -> grpc.aio.AioRpcError:
        async with House(tmp_path, ToyNode(), {os.getuid()}, NO_POWERS) as house:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await house.call()
        return caught.value

    error = asyncio.run(run())

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == f"you may not {Power.READ_NODE.value}"
    assert b"auditor" in dict(error.trailing_metadata() or ())[REMEDY_KEY]


# Asks as another user, having loaded all that this user may not be able to read.
PROBE = """
import os, sys, grpc
from appliance.api import agent_pb2, agent_pb2_grpc
grpc.insecure_channel("unix:/nowhere").close()
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
for name in sys.argv[1:]:
    with grpc.insecure_channel("unix:" + name) as channel:
        try:
            agent_pb2_grpc.NodeStub(channel).ShowNode(agent_pb2.ShowNodeRequest(), timeout=10)
        except grpc.RpcError as error:
            print(error.code().name, error.details())
"""


def run_again_as_root_of_a_namespace(test: str) -> None:
    """Run this test where this user is root and has a second uid."""
    command = ["unshare", "--map-root-user", "--map-auto", sys.executable, "-m", "pytest", "-q"]
    run = subprocess.run([*command, f"{__file__}::{test}"], capture_output=True, text=True)

    assert run.returncode == 0, (
        "taking another uid needs root, or a range of own uids in /etc/subuid and the package "
        f"uidmap; as neither is here, run this test as root\n{run.stdout}{run.stderr}"
    )


def test_another_uid_is_seen_as_itself_and_cannot_pass_the_door_by(tmp_path: Path) -> None:
    if os.getuid() != 0:
        run_again_as_root_of_a_namespace(
            "test_another_uid_is_seen_as_itself_and_cannot_pass_the_door_by"
        )
        return
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)

    async def run() -> list[str]:
        async with House(tmp_path, ToyNode(), {0}) as house:
            inner = house.inner / "agent.sock"
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-c", PROBE, str(tmp_path / "api.sock"), str(inner)),
                stdout=subprocess.PIPE,
            )
            out, _ = await process.communicate()
            return out.decode().splitlines()

    by_the_door, past_the_door = asyncio.run(run())

    assert by_the_door == f"PERMISSION_DENIED uid {NOBODY} may not use this node"
    assert past_the_door.startswith("UNAVAILABLE")
    assert "Permission denied" in past_the_door


def test_a_call_without_a_request_is_refused(tmp_path: Path) -> None:
    async def run() -> grpc.aio.AioRpcError:
        async with (
            House(tmp_path, ToyNode(), {os.getuid()}) as house,
            grpc.aio.insecure_channel(house.address) as channel,
        ):
            method: Any = channel.stream_unary("/coffer.agent.v1.Node/ShowNode")
            call = method()
            await call.done_writing()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
        return caught.value

    assert asyncio.run(run()).details() == "a call ended without a request"


@pytest.mark.parametrize(
    ("fault", "code", "text"),
    [
        (
            ConfigError("no such peer", remedy="look"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "no such peer",
        ),
        (ServiceError("odd"), grpc.StatusCode.FAILED_PRECONDITION, "odd"),
        (Told("secret detail"), grpc.StatusCode.INTERNAL, "the agent failed; its log says why"),
    ],
)
def test_errors_become_statuses_and_unlisted_ones_tell_nothing(
    tmp_path: Path, fault: Exception, code: grpc.StatusCode, text: str
) -> None:
    async def run() -> grpc.aio.AioRpcError:
        async with House(tmp_path, ToyNode(fault), {os.getuid()}) as house:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await house.call()
        return caught.value

    error = asyncio.run(run())

    assert (error.code(), error.details()) == (code, text)
