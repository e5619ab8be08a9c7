"""Real nodes for whole-product tests: agents as processes, asked through their Unix sockets."""

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc
import tomlkit

from appliance.api import agent_pb2 as pb
from appliance.api import agent_pb2_grpc as stubs

T = TypeVar("T")
PATIENCE_SECONDS: Final = 90.0

LONG: Final = 60_000
"""Ids whose intersection by SLOW lasts some seconds, in partitions of which some are done soon."""
SLOW: Final = '{"protocol": "ecdh", "partitions": 12}'


_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS: Final = range(18_000 + 3_000 * (_WORKER % 4), 21_000 + 3_000 * (_WORKER % 4), 2)
"""Where this test process takes its ports from.

Below those that the kernel gives to outgoing connections: a pairing port is opened long after it
was chosen, and must still be free then. Each process of a test run has its own.
"""
_next_ports: Final = itertools.cycle(random.sample(_PORTS, len(_PORTS)))


def free_port_pair() -> int:
    """Return a port that is free on loopback together with the next one, the pairing port."""
    for port in itertools.islice(_next_ports, len(_PORTS)):
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError(f"no two free ports between {_PORTS.start} and {_PORTS.stop}")


def eventually(ask: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """Return the first true answer of ``ask``; fail if none comes in time."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return answer


class Node:
    """One agent process with its own state folder; it can be killed and started again."""

    def __init__(self, folder: Path, name: str, state: Path | None = None) -> None:
        self.name = name
        self.state = state or folder / name
        self.port = free_port_pair()
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.channel = grpc.insecure_channel(
            f"unix:{self.state / 'api.sock'}",
            options=[
                ("grpc.initial_reconnect_backoff_ms", 50),
                ("grpc.max_reconnect_backoff_ms", 200),
            ],
        )
        self.node = stubs.NodeStub(self.channel)
        self.peers = stubs.PeersStub(self.channel)
        self.datasets = stubs.DatasetsStub(self.channel)
        self.policies = stubs.PoliciesStub(self.channel)
        self.jobs = stubs.JobsStub(self.channel)

    def start(self, *options: str) -> "Node":
        self._launch(*options)
        eventually(self.answers)
        return self

    def run_to_its_end(self) -> int:
        """Start an agent that should refuse to run, and return its exit code."""
        return self._launch().wait(timeout=PATIENCE_SECONDS)

    def _launch(self, *options: str) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "appliance.agent", "--state", str(self.state)),
                    *("--name", self.name, "--listen", f"127.0.0.1:{self.port}", *options),
                ],
                stdout=log,
                stderr=log,
            )
        return self.process

    def answers(self) -> bool:
        """Tell whether the agent serves; fail at once if it has died."""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            self.node.ShowNode(pb.ShowNodeRequest(), timeout=2)
        except grpc.RpcError:
            return False
        return True

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask the agent to stop, as systemd would, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def add(self, name: str, path: Path, key: str = "id", *normal_form: str) -> pb.Dataset:
        request = pb.AddDatasetRequest(
            name=name, path=str(path), key=[key], normal_form=normal_form
        )
        added: pb.Dataset = self.datasets.AddDataset(request)
        return added

    def job(self, job_id: str) -> pb.Job:
        found: pb.Job = self.jobs.GetJob(pb.GetJobRequest(id=job_id))
        return found

    def workers(self) -> list[int]:
        """Return the pids of the worker processes below this agent."""
        import psutil

        assert self.process is not None
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]


@contextmanager
def fleet(folder: Path, *names: str) -> Iterator[list[Node]]:
    """Start a node for each name, and leave no process behind."""
    nodes = [Node(folder, name) for name in names]
    try:
        for node in nodes:
            node.start()
        yield nodes
    finally:
        for node in nodes:
            node.close()


def pair(inviter: Node, guest: Node) -> None:
    """Pair two nodes by invitation, with both operators' confirmation."""
    invitation = inviter.peers.Invite(pb.InviteRequest())
    met = guest.peers.Accept(pb.AcceptRequest(invitation=invitation.text))
    seen = eventually(
        lambda: next(
            (
                p
                for p in inviter.peers.ListPeers(pb.ListPeersRequest()).peers
                if p.name == guest.name and p.state == "confirming"
            ),
            None,
        )
    )
    assert seen.authentication_string == met.authentication_string
    inviter.peers.Confirm(pb.ConfirmRequest(peer=guest.name))
    guest.peers.Confirm(pb.ConfirmRequest(peer=inviter.name))
    for one, other in ((inviter, guest), (guest, inviter)):
        eventually(lambda: one.peers.GetPeer(pb.GetPeerRequest(peer=other.name)).state == "paired")  # noqa: B023


def publish(owner: Node, dataset: str, reader: Node, **terms: Any) -> None:
    """Publish a dataset to another node, allow its jobs, and wait until it is known there."""
    allow(owner, dataset)
    owner.datasets.PublishDataset(
        pb.PublishDatasetRequest(name=dataset, peers=[reader.name], **terms)
    )
    eventually(
        lambda: any(
            d.name == dataset and d.peer_name == owner.name
            for d in reader.datasets.ListDatasets(pb.ListDatasetsRequest(peers=True)).datasets
        )
    )


def allow(node: Node, dataset: str, **changes: Any) -> pb.Policy:
    """Set a policy for one of a node's datasets: all jobs with its peers, but for the changes.

    A change to None leaves a key out.
    """
    found = node.datasets.GetDataset(pb.GetDatasetRequest(name=dataset))
    everyone = [
        peer.node_id
        for peer in node.peers.ListPeers(pb.ListPeersRequest()).peers
        if peer.state == "paired"
    ]
    shown = {"uses": "plain", "receivers": everyone}
    said: dict[str, Any] = {
        "type": "coffer.policy/1",
        "peers": everyone,
        "services": ["psi.intersect", "psi.cardinality", "psi.sum"],
        "valid_until": datetime(2100, 1, 1, tzinfo=UTC),
        "uses": 1000,
        "smallest_group": 1,
        "smallest_intersection": 0,
        "largest_result": 1_000_000_000,
        "security": {"adversary": "semi-honest"},
        "columns": {one.name: shown for one in found.columns},
    }
    try:
        known = node.policies.ShowPolicy(pb.ShowPolicyRequest(dataset=dataset))
    except grpc.RpcError:
        known = pb.Policy()
    text = tomlkit.dumps({k: v for k, v in (said | changes).items() if v is not None})
    request = pb.ChangePolicyRequest(dataset=dataset, text=text, over=known.version)
    changed: pb.Policy = node.policies.ChangePolicy(request)
    return changed


def submit(
    proposer: Node,
    ours: str,
    peer: Node,
    theirs: str,
    *receivers: Node,
    parameters: str = "{}",
    **terms: Any,
) -> pb.Job:
    """Propose an intersection whose result ``receivers`` get, which our own policy allows."""

    def receives(node: Node) -> list[str]:
        return ["intersection"] if node in receivers else []

    allow(proposer, ours)
    made: pb.Job = proposer.jobs.SubmitJob(
        pb.SubmitJobRequest(
            service="psi.intersect",
            parameters=parameters,
            parties=[
                pb.SubmitParty(dataset=ours, receives=receives(proposer)),
                pb.SubmitParty(node=peer.name, dataset=theirs, receives=receives(peer)),
            ],
            **terms,
        )
    )
    return made


def arrived(node: Node, job: pb.Job) -> pb.Job:
    """Wait until the proposal is in the node's inbox, and return it as seen there."""

    def find() -> pb.Job | None:
        jobs = node.jobs.ListJobs(pb.ListJobsRequest(waiting=True)).jobs
        return next((each for each in jobs if each.id == job.id), None)

    found = eventually(find)
    assert found is not None
    return found


def approve(node: Node, job: pb.Job) -> None:
    seen = arrived(node, job)
    node.jobs.ApproveJob(pb.ApproveJobRequest(id=job.id, digest=seen.digest))


def ended(node: Node, job: pb.Job) -> pb.Job:
    """Wait until the job has ended at the node and all verdicts are known there."""

    def seal() -> pb.Job | None:
        seen = node.job(job.id)
        return seen if seen.ended and seen.record else None

    sealed = eventually(seal)
    assert sealed is not None
    return sealed


def write_ids(path: Path, ids: range) -> Path:
    """Write a CSV of ids, each with a value that tells its row."""
    lines = ["id,value", *(f"item-{i:08d},{i % 97}" for i in ids)]
    path.write_text("\n".join(lines) + "\n")
    return path


def pid_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
