"""What becomes of a job when something dies under it: the truth, on both nodes alike."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from appliance.api import agent_pb2 as pb
from tests.fleet.nodes import (
    LONG,
    SLOW,
    Node,
    approve,
    arrived,
    ended,
    eventually,
    fleet,
    pair,
    pid_alive,
    publish,
    submit,
    write_ids,
)
from tests.fleet.test_jobs import ids_in_result
from tests.fleet.wire import Wire, wire_to


@pytest.fixture
def long(tmp_path: Path) -> Iterator[list[Node]]:
    """Two paired nodes whose intersection takes long enough to be hit in the middle."""
    with fleet(tmp_path, "hospital", "laboratory") as nodes:
        prepare_long(tmp_path, *nodes)
        yield nodes


def prepare_long(folder: Path, hospital: Node, laboratory: Node) -> None:
    pair(hospital, laboratory)
    hospital.add("patients", write_ids(folder / "h.csv", range(LONG)))
    laboratory.add("samples", write_ids(folder / "l.csv", range(LONG // 2, LONG + LONG // 2)))
    publish(hospital, "patients", laboratory)
    publish(laboratory, "samples", hospital)


def cause_at(node: Node, job: pb.Job) -> str:
    return node.job(job.id).cause


def has_done(node: Node, job: pb.Job, fraction: float) -> bool:
    return node.job(job.id).progress.fraction > fraction


def running(hospital: Node, laboratory: Node, *, fraction: float = 0.1) -> pb.Job:
    """Return a job of which both sides have done the fraction."""
    job = submit(hospital, "patients", laboratory, "samples", hospital, laboratory, parameters=SLOW)
    approve(laboratory, job)
    for node in (hospital, laboratory):
        eventually(partial(has_done, node, job, fraction))
    return job


def check_resumed(nodes: list[Node], job: pb.Job) -> None:
    """Wait until the job has ended, and see that its result is exact and that it went on."""
    ends = [ended(node, job) for node in nodes]
    assert [end.state for end in ends] == ["succeeded", "succeeded"], ends
    assert ends[0].record == ends[1].record
    expected = {f"item-{i:08d}" for i in range(LONG // 2, LONG)}
    assert [ids_in_result(node, job) for node in nodes] == [expected, expected]
    for end in ends:
        assert end.attempt > 0
        told = [event.text for event in end.events]
        assert (
            f"the computation goes on from its last checkpoint: attempt {end.attempt + 1}" in told
        )
    for node in nodes:
        assert eventually(lambda: not list((node.state / "jobs" / job.id).glob("scratch")), 10)  # noqa: B023


def kept_by(node: Node, job: pb.Job) -> dict[str, int]:
    """Return of each finished partition which file holds its outcome."""
    kept = (node.state / "jobs" / job.id / "scratch" / "kept").glob("matched-*")
    return {path.name: path.stat().st_ino for path in kept}


@pytest.mark.parametrize("victim", [0, 1])
def test_a_job_goes_on_when_an_agent_that_was_killed_comes_back(
    long: list[Node], victim: int
) -> None:
    job = running(*long, fraction=0.4)
    workers = long[victim].workers()

    long[victim].kill()
    eventually(lambda: not any(map(pid_alive, workers)), 10)
    before = [kept_by(node, job) for node in long]
    long[victim].start()

    finished = min(map(len, before))
    assert finished >= 2
    eventually(lambda: all(len(kept_by(node, job)) > finished + 1 for node in long))
    for node, had in zip(long, before, strict=True):
        have = kept_by(node, job)
        assert all(have[f"matched-{n}"] == had[f"matched-{n}"] for n in range(finished)), (
            "a partition was computed again"
        )
    check_resumed(long, job)


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("fraction", [0.0, 0.4, 0.7])
def test_a_job_goes_on_when_a_worker_was_killed_at_any_stage(
    long: list[Node], victim: int, fraction: float
) -> None:
    job = running(*long, fraction=fraction)

    kill_the_workers_of(long[victim])

    check_resumed(long, job)
    assert all(node.answers() for node in long)


def test_a_job_goes_on_when_both_agents_were_killed(long: list[Node]) -> None:
    job = running(*long, fraction=0.4)

    for node in long:
        node.kill()
    for node in long:
        node.start()

    check_resumed(long, job)


def test_a_job_goes_on_when_an_agent_was_stopped_for_an_update(long: list[Node]) -> None:
    job = running(*long, fraction=0.4)

    assert long[0].stop() == 0
    long[0].start()

    check_resumed(long, job)


def kill_the_workers_of(node: Node) -> None:
    """Kill the worker of the running job, and the one that is kept ready."""
    for pid in node.workers():
        os.kill(pid, signal.SIGKILL)


def test_a_cancelled_job_stops_both_workers_and_ends_cancelled_on_both(long: list[Node]) -> None:
    job = running(*long)
    begun = time.monotonic()

    long[1].jobs.CancelJob(pb.CancelJobRequest(id=job.id))

    ends = [ended(node, job) for node in long]
    assert [end.state for end in ends] == ["cancelled", "cancelled"]
    assert ends[0].record == ends[1].record
    assert time.monotonic() - begun < 5
    assert not any(list((node.state / "jobs").rglob("*.parquet")) for node in long)


def test_unpairing_cuts_a_running_job_within_five_seconds(long: list[Node]) -> None:
    job = running(*long)
    begun = time.monotonic()

    long[0].peers.Unpair(pb.UnpairRequest(peer="laboratory"))

    assert [ended(node, job).state for node in long] == ["cancelled", "cancelled"]
    eventually(
        lambda: long[1].peers.GetPeer(pb.GetPeerRequest(peer="hospital")).state == "unpaired", 5
    )
    assert time.monotonic() - begun < 5


def test_an_agent_killed_after_its_part_was_done_ends_as_its_peer(long: list[Node]) -> None:
    hospital, laboratory = long
    job = running(hospital, laboratory, fraction=0.5)
    eventually(lambda: hospital.job(job.id).state in ("settling", "succeeded"))

    hospital.kill()
    hospital.start()

    ends = [ended(node, job) for node in long]
    assert ends[0].state == ends[1].state
    assert ends[0].record == ends[1].record
    if ends[0].state == "succeeded":
        assert len(ids_in_result(hospital, job)) == LONG // 2


def test_both_agents_killed_before_approval_lose_nothing(long: list[Node]) -> None:
    hospital, laboratory = long
    job = submit(hospital, "patients", laboratory, "samples", hospital)
    arrived(laboratory, job)
    for node in long:
        node.kill()
    for node in long:
        node.start()

    approve(laboratory, job)

    assert [ended(node, job).state for node in long] == ["succeeded", "succeeded"]


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[tuple[list[Node], list[Wire]]]:
    """Two nodes that reach each other only over wires that can be cut."""
    nodes = [Node(tmp_path, "hospital"), Node(tmp_path, "laboratory")]
    with wire_to(nodes[0].port) as to_hospital, wire_to(nodes[1].port) as to_laboratory:
        wires = [to_hospital, to_laboratory]
        try:
            for node, wire in zip(nodes, wires, strict=True):
                node.start("--advertise", f"127.0.0.1:{wire.port}")
            prepare_long(tmp_path, *nodes)
            yield nodes, wires
        finally:
            for node in nodes:
                node.close()


def test_a_dropped_connection_is_resumed_and_the_result_is_exact(
    wired: tuple[list[Node], list[Wire]],
) -> None:
    nodes, wires = wired
    job = running(*nodes)

    for _ in range(3):
        for wire in wires:
            wire.cut()
        time.sleep(0.4)

    assert [ended(node, job).state for node in nodes] == ["succeeded", "succeeded"]
    expected = {f"item-{i:08d}" for i in range(LONG // 2, LONG)}
    assert [ids_in_result(node, job) for node in nodes] == [expected, expected]


def test_a_link_that_stays_down_beyond_the_grace_fails_the_job_on_both(
    wired: tuple[list[Node], list[Wire]],
) -> None:
    nodes, wires = wired
    # The two workers must meet within it too, on a machine that is busy.
    job = submit(
        nodes[0], "patients", nodes[1], "samples", nodes[0], parameters=SLOW, grace_seconds=10
    )
    approve(nodes[1], job)
    eventually(lambda: nodes[1].job(job.id).progress.fraction > 0.05)

    for wire in wires:
        wire.break_off()
    stopped = [eventually(partial(cause_at, node, job), 60) for node in nodes]
    for wire in wires:
        wire.mend()

    assert [ended(node, job).state for node in nodes] == ["failed", "failed"]
    assert "laboratory" in stopped[0]
    assert "hospital" in stopped[1]


def test_a_peer_that_moved_is_the_same_peer(long: list[Node], tmp_path: Path) -> None:
    hospital, laboratory = long
    laboratory.stop()
    laboratory.port += 2
    laboratory.start()

    job = submit(hospital, "patients", laboratory, "samples", hospital)

    approve(laboratory, job)
    assert [ended(node, job).state for node in long] == ["succeeded", "succeeded"]
