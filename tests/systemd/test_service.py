"""The agent as a systemd service and its workers as units: on a real systemd, with a real peer."""

import pytest

from appliance.agent.worker_life import ENVIRONMENT
from appliance.api import agent_pb2 as pb
from tests.fleet.nodes import LONG, SLOW, Node, approve, ended, eventually, submit
from tests.systemd.machine import BoxedNode, Machine

MOST_EXPOSED = 2.0
UNITS = (
    "coffer.service",
    "coffer-worker@.service",
    "coffer-machine@.service",
    "coffer-machine-task@.service",
    "coffer-machine-seal.service",
    "coffer-console@.service",
)


def run_job(box: BoxedNode, peer: Node, dataset: str) -> pb.Job:
    """Propose a job whose result both get, and have the peer approve it."""
    parameters = SLOW if dataset == "many" else "{}"
    job = submit(box, dataset, peer, dataset, box, peer, parameters=parameters)
    approve(peer, job)
    return job


def is_running(node: Node, job: pb.Job) -> bool:
    return node.job(job.id).state == "running" and node.job(job.id).progress.bytes_sent > 0


def worker_pids(booted: Machine) -> list[int]:
    """Return the workers' pids as they are inside."""
    return [int(booted.property(unit, "MainPID")) for unit in booted.workers()]


def test_the_agent_says_that_it_is_ready_and_where_it_serves(
    booted: Machine, box: BoxedNode
) -> None:
    assert booted.property("coffer.service", "ActiveState") == "active"
    assert f"serves at 127.0.0.1:{box.port}" in booted.property("coffer.service", "StatusText")


def test_the_agents_log_is_in_the_journal_with_its_fields(booted: Machine, box: BoxedNode) -> None:
    entries = booted.journal("--unit=coffer", "--output=verbose")

    assert "SYSLOG_IDENTIFIER=coffer" in entries
    assert "PRIORITY=6" in entries
    assert f"MESSAGE=node box ({box.node.ShowNode(pb.ShowNodeRequest()).node_id})" in entries


def test_a_job_runs_in_a_unit_of_its_own(booted: Machine, box: BoxedNode, laboratory: Node) -> None:
    job = run_job(box, laboratory, "few")

    job = ended(box, job)
    assert (job.state, job.summary["intersection_rows"]) == ("succeeded", 200)
    assert "a systemd unit of its own" in box.node.ShowNode(pb.ShowNodeRequest()).confinement
    assert all(unit.startswith("coffer-worker@") for unit in eventually(booted.workers))


def test_a_worker_reads_a_table_that_an_operator_sent(box: BoxedNode) -> None:
    content = b"id\na\nb\n"
    head = pb.UploadTableRequest(name="sent", suffix=".csv", size_bytes=len(content))
    parts = [head, pb.UploadTableRequest(chunk=content)]

    place = box.datasets.UploadTable(iter(parts)).path

    assert place.startswith("/var/lib/coffer/tables/sent-")
    request = pb.AddDatasetRequest(name="sent", path=place, key=["id"])
    assert box.datasets.AddDataset(request).row_count == 2


def test_a_worker_sees_neither_key_nor_database_nor_network(
    booted: Machine, box: BoxedNode
) -> None:
    pid = eventually(lambda: worker_pids(booted))[0]
    inside = ("nsenter", f"--target={pid}", "--mount", "--net", "--")

    seen = booted.run(*inside, "ls", "-A", "/var/lib/coffer").split()
    assert seen == ["jobs", "scratch", "tables"]
    interfaces = booted.run(*inside, "cat", "/proc/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]
    status = dict(
        line.split(":\t", 1)
        for line in booted.run("cat", f"/proc/{pid}/status").splitlines()
        if ":\t" in line
    )
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_a_worker_has_the_surroundings_that_it_has_elsewhere(
    booted: Machine, box: BoxedNode
) -> None:
    pid = eventually(lambda: worker_pids(booted))[0]

    held = booted.run("cat", f"/proc/{pid}/environ").split("\0")
    assert {f"{name}={value}" for name, value in ENVIRONMENT.items()} <= set(held)


def check_resumed(box: BoxedNode, laboratory: Node, job: pb.Job) -> None:
    """Wait until a job has ended, and see that it went on and that its result is exact."""
    for node in (box, laboratory):
        end = ended(node, job)
        assert (end.state, end.summary["intersection_rows"]) == ("succeeded", LONG - 100), end.cause
        assert end.attempt > 0


def test_a_worker_that_is_killed_is_followed_by_another_that_goes_on(
    booted: Machine, box: BoxedNode, laboratory: Node
) -> None:
    job = run_job(box, laboratory, "many")
    eventually(lambda: is_running(box, job))
    for unit in booted.workers():
        booted.send_signal(unit, "KILL")

    check_resumed(box, laboratory, job)
    assert any("was killed (SIGKILL)" in event.text for event in box.job(job.id).events)
    assert booted.property("coffer.service", "ActiveState") == "active"


def test_cancelling_ends_the_workers_unit(
    booted: Machine, box: BoxedNode, laboratory: Node
) -> None:
    job = run_job(box, laboratory, "many")
    eventually(lambda: is_running(box, job))
    busy = booted.workers()

    box.jobs.CancelJob(pb.CancelJobRequest(id=job.id))

    assert ended(box, job).state == "cancelled"
    eventually(lambda: len(set(busy) & set(booted.workers())) <= 1)  # one of them was idle


def test_an_agent_that_is_killed_comes_back_and_takes_its_workers_along(
    booted: Machine, box: BoxedNode, laboratory: Node
) -> None:
    job = run_job(box, laboratory, "many")
    eventually(lambda: is_running(box, job))
    old = set(worker_pids(booted))

    booted.send_signal("coffer.service", "KILL")

    eventually(lambda: not old & set(worker_pids(booted)), seconds=20)
    eventually(lambda: booted.property("coffer.service", "ActiveState") == "active")
    check_resumed(box, laboratory, job)
    assert ended(box, run_job(box, laboratory, "few")).state == "succeeded"


def test_an_agent_that_hangs_is_restarted_by_the_watchdog(
    booted: Machine, box: BoxedNode, laboratory: Node
) -> None:
    before = booted.property("coffer.service", "MainPID")
    booted.send_signal("coffer.service", "STOP")

    eventually(lambda: booted.property("coffer.service", "Result") == "watchdog", seconds=60)
    eventually(lambda: booted.property("coffer.service", "MainPID") not in ("0", before))
    eventually(lambda: booted.property("coffer.service", "ActiveState") == "active")


def test_an_agent_that_is_told_to_stop_stops_cleanly_and_its_job_goes_on(
    booted: Machine, box: BoxedNode, laboratory: Node
) -> None:
    job = run_job(box, laboratory, "many")
    eventually(lambda: is_running(box, job))

    booted.run("systemctl", "stop", "coffer")

    assert booted.property("coffer.service", "Result") == "success"
    assert booted.workers() == []
    box.start()
    check_resumed(box, laboratory, job)


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_exposes_little(booted: Machine, unit: str) -> None:
    path = f"/etc/systemd/system/{unit}"
    told = booted.run("systemd-analyze", "security", "--offline=yes", "--no-pager", path)

    exposure = float(told.splitlines()[-1].split("exposure level for")[1].split(":")[1].split()[0])
    assert exposure <= MOST_EXPOSED
