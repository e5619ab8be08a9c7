"""Two real nodes over TLS: what is done at them, and what it takes, agents and workers together."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import tomlkit

from appliance.api import agent_pb2 as pb
from appliance.demo.nodes import Node, running_nodes, wait_for_answers, wait_until
from bench.parties import Measured
from bench.processes import cpu_seconds, family, held_mib, peak_mib, sent_mib
from bench.shaping import Link

_LOOK_SECONDS: Final = 0.1
_LEAVE_SECONDS: Final = 0.4  # in which an agent takes leave of the worker of a job that has ended
_QUIET_SECONDS: Final = 1.0
_QUIET_CPU_SECONDS: Final = 0.05
_MOST_REST_SECONDS: Final = 60.0
_NAMES: Final = ("left", "right")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two paired nodes: the left one proposes, the right one approves."""

    left: Node
    right: Node

    @property
    def nodes(self) -> tuple[Node, Node]:
        """Both, by rank."""
        return self.left, self.right

    def add(self, name: str, tables: Sequence[Path]) -> None:
        """Register a table at each node."""
        for node, path in zip(self.nodes, tables, strict=True):
            node.client.add_dataset(name, path=str(path), key=["id"])

    def publish(self, name: str, payload: Sequence[str]) -> None:
        """Have the left node know of the right one's table, and be allowed these columns of it."""
        self.right.client.publish_dataset(name, [self.left.name], payload=payload)
        self._wait(
            lambda: any(
                one.peer_id and one.name == name
                for one in self.left.client.list_datasets(peers=True)
            )
        )

    def allow(self, dataset: str) -> None:
        """Let each node do anything with the other's table, by jobs that are approved."""
        for node, peer in (self.nodes, self.nodes[::-1]):
            shown = {"uses": "plain", "receivers": [peer.name]}
            found = node.client.get_dataset(dataset)
            policy = {
                "type": "coffer.policy/1",
                "peers": [peer.name],
                "services": [one.name for one in node.client.list_services()],
                "valid_until": datetime(2100, 1, 1, tzinfo=UTC),
                "uses": 1_000_000,
                "smallest_group": 1,
                "smallest_intersection": 0,
                "largest_result": 1_000_000_000_000,
                "security": {"adversary": "semi-honest"},
                "columns": {column.name: shown for column in found.columns},
            }
            node.client.change_policy(dataset, tomlkit.dumps(policy), over=0)

    def propose(
        self, service: str, dataset: str, *, parameters: str, receives: Sequence[str]
    ) -> pb.Job:
        """Propose a job whose result goes to both; return it once it waits for approval."""
        job = self.left.client.submit_job(
            service,
            parties=[
                pb.SubmitParty(dataset=dataset, receives=receives),
                pb.SubmitParty(node=self.right.name, dataset=dataset, receives=receives),
            ],
            parameters=parameters,
        )
        waiting = self.right.client.list_jobs
        self._wait(lambda: any(one.id == job.id for one in waiting(waiting=True).jobs))
        return job

    def finish(self, job: pb.Job) -> pb.JobResult:
        """Approve a job, wait until both sides have its result on disk, and return it."""
        self.right.client.approve_job(job.id, job.digest)
        results = []
        for node in self.nodes:
            *_, ended = node.client.watch_job(job.id)
            if ended.state != "succeeded":
                raise RuntimeError(f"at {node.name} the job {ended.state}: {ended.cause}")
            results.append(node.client.get_result(job.id))
        if results[0].row_counts != results[1].row_counts:
            raise RuntimeError(
                f"the two sides got {results[0].row_counts} and {results[1].row_counts} rows"
            )
        return results[0]

    def rest(self) -> None:
        """Wait until both nodes are quiet: each has another worker ready, as in quiet times."""
        deadline = time.monotonic() + _MOST_REST_SECONDS
        while time.monotonic() < deadline:
            spent = self._cpu_seconds()
            time.sleep(_QUIET_SECONDS)
            is_quiet = self._cpu_seconds() - spent < _QUIET_CPU_SECONDS
            if is_quiet and all(len(family(node.process.pid)) > 1 for node in self.nodes):
                return

    def _cpu_seconds(self) -> float:
        return sum(cpu_seconds(node.process.pid) for node in self.nodes)

    def measure(self, system: str, keys: int, work: Callable[[], int | None]) -> Measured:
        """Measure at both nodes what ``work`` takes there; it returns how many rows came out."""
        agents = [node.process.pid for node in self.nodes]
        spent = self._cpu_seconds()
        sent = [sent_mib(agent) for agent in agents]
        with _watched(agents) as (peaks, held):
            began = time.perf_counter()
            rows = work()
            wall_seconds = time.perf_counter() - began
            time.sleep(_LEAVE_SECONDS)
        return Measured(
            system=system,
            keys=keys,
            wall_seconds=wall_seconds,
            cpu_seconds=self._cpu_seconds() - spent,
            sent_mib=tuple(sent_mib(agent) - was for agent, was in zip(agents, sent, strict=True)),
            peak_mib=tuple(peaks),
            held_mib=tuple(held),
            result_rows=rows,
        )

    def _wait(self, is_so: Callable[[], bool]) -> None:
        wait_until("the nodes agree", lambda: is_so() or None, self.nodes)


@contextmanager
def paired(folder: Path, link: Link | None = None) -> Iterator[Pair]:
    """Start two nodes, pair them, and stop them at the end; ``link`` lies between them if given."""
    ends = count()  # nodes are started by rank

    def reached_by(port: int) -> int:
        return link.relay_to(next(ends), port) if link else port

    with running_nodes(folder, *_NAMES, reached_by=reached_by) as nodes:
        wait_for_answers(nodes)
        left, right = nodes
        right.client.accept(left.client.invite().text)
        wait_until("they know each other", lambda: left.client.list_peers() or None, nodes)
        for node in nodes:
            node.client.confirm(node.client.list_peers()[0].node_id)
        wait_until("they are paired", lambda: all(map(_is_paired, nodes)) or None, nodes)
        yield Pair(left, right)


def _is_paired(node: Node) -> bool:
    return node.client.list_peers()[0].state == "paired"


@contextmanager
def _watched(agents: Sequence[int]) -> Iterator[tuple[list[float], list[float]]]:
    """Watch memory in MiB: the most of one worker of each agent, and of each agent with all."""
    peaks, held = [0.0 for _ in agents], [0.0 for _ in agents]
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(_LOOK_SECONDS):
            for place, agent in enumerate(agents):
                _, *workers = running = family(agent)
                peaks[place] = max(peaks[place], *map(peak_mib, workers), 0.0)
                held[place] = max(held[place], sum(map(held_mib, running)))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield peaks, held
    finally:
        is_over.set()
        looking.join()
