import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc.aio import ServicerContext

from appliance.agent.door import Door
from appliance.agent.guard import Guard, Visitor
from appliance.agent.permissions import Caller, NotAdmitted
from appliance.api import agent_pb2, agent_pb2_grpc
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

    def __init__(self, folder: Path, node: ToyNode, allowed: set[int]) -> None:
        folder.chmod(0o755)
        self.inner = folder / "inner"
        self.inner.mkdir(mode=0o700)
        self.door = Door(folder / "api.sock", self.inner / "agent.sock")
        self.allowed = allowed
        self.server = grpc.aio.server(interceptors=[Guard(self._identify, tell=True)])
        agent_pb2_grpc.add_NodeServicer_to_server(node, self.server)
        self.server.add_insecure_port(f"unix:{self.inner / 'agent.sock'}")
        self.address = f"unix:{folder / 'api.sock'}"

    def _identify(self, context: ServicerContext[Any, Any]) -> Visitor:
        uid = self.door.uid_of(context.peer())
        if uid not in self.allowed:
            raise NotAdmitted(f"uid {uid} may not use this node")
        return Visitor(kind=Caller.LOCAL, name=uid)

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


@pytest.mark.skipif(os.getuid() != 0, reason="only root can take another uid")
def test_another_uid_is_seen_as_itself_and_cannot_pass_the_door_by(tmp_path: Path) -> None:
    probe = (
        "import socket, os; os.setuid(65534); s = socket.socket(socket.AF_UNIX)\n"
        f"s.connect({str(tmp_path / 'api.sock')!r}); print('door open')\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        f"s.connect({str(tmp_path / 'inner' / 'agent.sock')!r})\n"
    )
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)

    async def run() -> tuple[str, set[int]]:
        async with House(tmp_path, ToyNode(), set()) as house:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", probe, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            out, _ = await process.communicate()
            return out.decode(), set(house.door._names.values())

    out, _ = asyncio.run(run())

    assert "door open" in out
    assert "PermissionError" in out


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
