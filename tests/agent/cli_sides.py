"""What tests of the command line share: what an agent answers, and a terminal."""

import contextlib
import os
import pty
import subprocess
import sys

from appliance.api import agent_pb2 as pb
from appliance.cli.__main__ import run
from tests.doubles import FakeAgent

JOB_ID = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
WORDS = "apple bacon cabin dance eagle fabric"


def coffer(agent: FakeAgent, *words: str) -> int:
    return run(["--state", str(agent.state), *words])


def a_job(state: str = "waiting_approval", **more: object) -> pb.Job:
    return pb.Job(
        id=JOB_ID,
        service="psi.intersect",
        state=state,
        digest="d" * 64,
        expires_milliseconds=2**42,
        parties=[
            pb.JobParty(rank=0, name="hospital", dataset="patients", row_count=500, signed=True),
            pb.JobParty(rank=1, name="laboratory", dataset="samples", row_count=480, here=True),
        ],
        disclosure=[
            pb.DisclosureLine(
                learner=0, text="hospital learns which of its own rows laboratory has"
            ),
            pb.DisclosureLine(learner=1, text="you learn which of your own rows hospital has"),
            pb.DisclosureLine(learner=-1, about=-1, topic="dealer", text="dealer: none"),
        ],
        **more,  # type: ignore[arg-type]
    )


def a_peer(state: str = "confirming", **more: object) -> pb.Peer:
    words = WORDS if state == "confirming" else ""
    return pb.Peer(
        node_id="AAAAAAA-BBBBBBB", name="laboratory", state=state, authentication_string=words,
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def lay_services(agent: FakeAgent) -> None:
    view = pb.ServiceView(name="psi.intersect", title="Private set intersection", outputs=["rows"])
    agent.lay("Node/ListServices", pb.ListServicesReply(services=[view]))
    agent.lay("Node/ShowNode", pb.NodeView(name="hospital", node_id="AAAAAAA-CCCCCCC"))


def at_a_terminal(agent: FakeAgent, *words: str) -> str:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance.cli", "--state", str(agent.state), *words],
        stdin=follower, stdout=follower, stderr=follower, env=os.environ | {"TERM": "xterm"},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # the kernel's way to say that the other end is closed
        while True:
            shown += os.read(leader, 1 << 16)
    process.wait()
    os.close(leader)
    return shown.decode()
