"""How long two nodes take from a job's last approval to the first byte of its protocol.

Both are real nodes over TLS with a worker each that is ready, as a node has in quiet times. The
clock runs from when the approval has returned to the approver until the watchers of the job at both
nodes have been told that their worker's bytes have passed. The tables are small, as workers tell of
bytes only with other news; so the figure is an upper bound.
"""

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from appliance.api import agent_pb2 as pb
from appliance.demo.nodes import Node
from bench.bars import Bar
from bench.psi.nodes import Pair

REPEATS: Final = 5
REQUIRED_SECONDS: Final = 1.0


def run(pair: Pair, propose: Callable[[], pb.Job]) -> list[Bar]:
    """Run the job that ``propose`` gives several times; the last node approves it."""
    waits = []
    for _ in range(REPEATS):
        job = propose()
        pair.rest()
        waits.append(_wait(pair.nodes, job))
    what = f"seconds from approval to first byte, {REPEATS} jobs"
    return [
        Bar(what=f"{what}, the median", figure=statistics.median(waits)),
        Bar(what=f"{what}, the worst", figure=max(waits), limit=REQUIRED_SECONDS),
    ]


def _wait(nodes: Sequence[Node], job: pb.Job) -> float:
    """Approve a job, and return how long after that bytes had passed at the later of the nodes."""
    seen: dict[str, float] = {}
    ends: dict[str, str] = {}

    def watch(node: Node) -> None:
        for view in node.client.watch_job(job.id):
            if view.progress.bytes_sent or view.state in ("settling", "succeeded"):
                seen.setdefault(node.name, time.perf_counter())
            ends[node.name] = view.state

    watching = [threading.Thread(target=watch, args=(node,)) for node in nodes]
    for one in watching:
        one.start()
    nodes[-1].client.approve_job(job.id, job.digest)
    approved = time.perf_counter()
    for one in watching:
        one.join()
    if ends != {node.name: "succeeded" for node in nodes}:
        raise RuntimeError(f"the job ended as {ends}")
    return max(seen.values()) - approved
