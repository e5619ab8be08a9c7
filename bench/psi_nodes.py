"""psi.intersect as people use it: two nodes over TLS, from Parquet files to result files."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from appliance.api import agent_pb2 as pb
from appliance.demo.nodes import Node, running_nodes, wait_for_answers, wait_until
from bench import first_byte
from bench.parties import Measured, cpu_seconds, loopback_bytes
from bench.psi_party import starts

_MIB: Final = 1 << 20
_LOOK_SECONDS: Final = 0.2
NUMBERS: Final = "numbers"
FEW: Final = "few"


def run(folder: Path, items: int, common: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Measure registering both tables and running one job whose result goes to both sides.

    Returns those two runs, and how long the first byte of a small job's protocol took.
    """
    tables = [_write(folder / f"{start}.parquet", start, items) for start in starts(items, common)]
    with running_nodes(folder, "left", "right") as nodes:
        wait_for_answers(nodes)
        left, right = nodes
        _pair(left, right)
        _add(nodes, [_write(folder / "few.parquet", 0, first_byte.KEYS)] * 2, FEW)
        _publish(right, left, FEW)
        waited = first_byte.run(nodes, lambda: _propose(left, right, FEW))
        registered = _measure(
            "registering both tables", items, nodes, lambda: _add(nodes, tables, NUMBERS)
        )
        _publish(right, left, NUMBERS)
        job = _propose(left, right, NUMBERS)
        ran = _measure(
            "coffer, two nodes, approval to both results",
            items,
            nodes,
            lambda: _run_job(nodes, job),
        )
    return [registered.as_dict(), ran.as_dict()], waited


def _write(path: Path, start: int, items: int) -> Path:
    ids = pa.array([f"{number:016d}" for number in range(start, start + items)])
    table = pa.table({"id": ids, "value": pa.array(list(range(items)))})
    pq.write_table(table, path)
    return path


def _pair(left: Node, right: Node) -> None:
    right.client.accept(left.client.invite().text)
    _wait((left, right), lambda: bool(left.client.list_peers()))
    for node in (left, right):
        node.client.confirm(node.client.list_peers()[0].node_id)
    _wait((left, right), lambda: all(map(_is_paired, (left, right))))


def _is_paired(node: Node) -> bool:
    return node.client.list_peers()[0].state == "paired"


def _add(nodes: Sequence[Node], tables: Sequence[Path], name: str) -> int:
    for node, path in zip(nodes, tables, strict=True):
        node.client.add_dataset(name, path=str(path), key=["id"])
    return 0


def _publish(owner: Node, reader: Node, name: str) -> None:
    owner.client.publish_dataset(name, [reader.name])
    nodes = (owner, reader)
    _wait(
        nodes,
        lambda: any(
            one.peer_id and one.name == name for one in reader.client.list_datasets(peers=True)
        ),
    )


def _propose(left: Node, right: Node, dataset: str) -> pb.Job:
    """Propose a job whose result goes to both, and return it once it waits for the other's word."""
    job = left.client.submit_job(
        "psi.intersect",
        parties=[
            pb.SubmitParty(dataset=dataset, receives=["intersection"]),
            pb.SubmitParty(node=right.name, dataset=dataset, receives=["intersection"]),
        ],
    )
    _wait(
        (left, right),
        lambda: any(one.id == job.id for one in right.client.list_jobs(waiting=True).jobs),
    )
    return job


def _run_job(nodes: Sequence[Node], job: pb.Job) -> int:
    """Approve the job, wait until both sides have it, and return how many rows each got."""
    nodes[1].client.approve_job(job.id, job.digest)
    counts = []
    for node in nodes:
        *_, ended = node.client.watch_job(job.id)
        if ended.state != "succeeded":
            raise RuntimeError(f"at {node.name} the job {ended.state}: {ended.cause}")
        counts.append(node.client.get_result(job.id).row_counts["intersection"])
    if counts[0] != counts[1]:
        raise RuntimeError(f"the two sides got {counts[0]} and {counts[1]} rows")
    return int(counts[0])


def _wait(nodes: Sequence[Node], is_so: Callable[[], bool]) -> None:
    wait_until("the nodes agree", lambda: is_so() or None, nodes)


def _measure(system: str, items: int, nodes: Sequence[Node], work: Callable[[], int]) -> Measured:
    agents = [psutil.Process(_agent_of(node)) for node in nodes]
    spent, crossed = sum(map(cpu_seconds, agents)), loopback_bytes()
    with _peaks(agents) as peaks:
        began = time.perf_counter()
        rows = work()
        wall_seconds = time.perf_counter() - began
        time.sleep(2 * _LOOK_SECONDS)  # until the agents have taken leave of their workers
    return Measured(
        system=system,
        items=items,
        wall_seconds=wall_seconds,
        cpu_seconds=sum(map(cpu_seconds, agents)) - spent,
        traffic_mib=(loopback_bytes() - crossed) / _MIB,
        peak_mib=tuple(peaks),
        result_rows=rows,
        items_per_second=items / wall_seconds,
    )


def _agent_of(node: Node) -> int:
    return node.process.pid


@contextmanager
def _peaks(agents: Sequence[psutil.Process]) -> Iterator[list[float]]:
    """Watch the memory that each agent and its processes take together, in MiB."""
    peaks = [0.0 for _ in agents]
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(_LOOK_SECONDS):
            for place, agent in enumerate(agents):
                peaks[place] = max(peaks[place], _memory_bytes(agent) / _MIB)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield peaks
    finally:
        is_over.set()
        looking.join()


def _memory_bytes(agent: psutil.Process) -> int:
    total = 0
    for process in (agent, *agent.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
