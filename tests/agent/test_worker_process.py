"""What an agent makes of workers that do not behave: none of it hurts the agent."""

import asyncio
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from appliance.agent import control, watch
from appliance.agent.control import (
    Finished,
    Limits,
    Progressed,
    Ready,
    Stopped,
    WorkerSpokeNonsense,
)
from appliance.agent.watch import Failure
from appliance.agent.worker_life import COMMAND
from appliance.agent.worker_process import Ending, WorkerProcess, WorkerUnstartable
from appliance.jobs.reasons import Reason

LIMITS = Limits(memory_bytes=1 << 40, file_bytes=1, seconds=20, threads=1)
READY = """
import json, os, struct, sys, time
def tell(body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    os.write(0, struct.pack(">I", len(data)) + data)
tell({"is": "ready", "pid": os.getpid(), "applied": []})
"""


def fake(script: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", script)


async def watched(script: str, progressed: Callable[[Progressed], None]) -> watch.Ended:
    worker = await WorkerProcess.start(fake(READY + script))
    trouble: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
    try:
        return await watch.watch(worker, LIMITS, trouble=trouble, progressed=progressed)
    finally:
        await worker.end()


def outcome(script: str) -> watch.Ended:
    return asyncio.run(watched(script, lambda report: None))


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("tell(b'nonsense')", "sent what is not a report"),
        ("tell(b'\\xff')", "sent what is not a report"),
        ("tell({'is': 'finished'})", "sent what is not a report"),
        ("tell({'is': 'confined', 'applied': [], 'more': 1})", "sent what is not a report"),
        ("os.write(0, b'\\xff' * 4); time.sleep(9)", "a report of an impossible length"),
        ("tell({'is': 'ready', 'pid': 1, 'applied': []}); time.sleep(9)", "was not due"),
        ("os.write(0, b'\\0\\0\\0\\x09abc')", "ended with code 0 before it was done"),
        ("sys.exit(3)", "ended with code 3 before it was done"),
        ("os.abort()", "crashed (SIGABRT)"),
        ("os.kill(os.getpid(), 9)", "killed (SIGKILL)"),
    ],
)
def test_a_worker_that_speaks_nonsense_or_ends_early_has_failed(script: str, what: str) -> None:
    ended = outcome(script)

    assert isinstance(ended, Failure)
    assert ended.reason is Reason.WORKER_CRASHED
    assert what in ended.what


def test_a_worker_that_used_up_its_processor_time_has_run_too_long() -> None:
    ended = outcome(
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass"
    )

    assert isinstance(ended, Failure)
    assert ended.reason is Reason.TIME


def test_a_reason_that_a_worker_made_up_is_not_passed_on() -> None:
    ended = outcome(
        "tell({'is': 'failed', 'error': 'X', 'reason': 'made-up', 'what': 'w', 'remedy': ''})"
    )

    assert isinstance(ended, Failure)
    assert ended.reason is Reason.UNKNOWN


def test_a_worker_that_reports_without_end_is_slowed_down() -> None:
    report = (
        "{'is': 'progressed', 'stage': 's', 'done': 1, 'total': 1, 'bytes_sent': 0,"
        " 'bytes_received': 0, 'rounds': 0, 'cpu_milliseconds': 0}"
    )
    heard: list[Progressed] = []

    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await watched(f"while True: tell({report})", heard.append)

    asyncio.run(run())

    assert 5 < len(heard) < 100


@pytest.mark.parametrize("script", ["import sys; sys.exit(1)", "x = 1 / 0", "import nosuch"])
def test_a_worker_that_cannot_start_is_said_to_be_unstartable(script: str) -> None:
    with pytest.raises(WorkerUnstartable, match="no worker could be started"):
        asyncio.run(WorkerProcess.start(fake(script)))


def test_the_log_keeps_places_and_leaves_out_what_might_be_data(tmp_path: Path) -> None:
    script = READY + "sys.stderr.write('patient 17 is ill\\n' * 9)\nx = {}['patient 17']\n"

    async def run() -> None:
        worker = await WorkerProcess.start(fake(script))
        assert await worker.receive() is None
        await worker.wait()
        worker.write_log(tmp_path / "worker.log")

    asyncio.run(run())

    log = (tmp_path / "worker.log").read_text()
    assert 'File "<string>", line' in log
    assert "patient" not in log


def test_the_log_is_limited(tmp_path: Path) -> None:
    script = READY + "sys.stderr.write('KeyError\\n' * 100_000)\n"

    async def run() -> None:
        worker = await WorkerProcess.start(fake(script))
        assert await worker.receive() is None
        await worker.wait()
        worker.write_log(tmp_path / "worker.log")

    asyncio.run(run())

    assert 1000 < (tmp_path / "worker.log").stat().st_size <= 64 << 10


def test_what_is_found_from_outside_comes_before_what_the_worker_says() -> None:
    async def run() -> watch.Ended:
        worker = await WorkerProcess.start(fake(READY + "tell({'is': 'finished'})"))
        trouble: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        trouble.set_result(Failure(reason=Reason.PEER_LOST, what="gone"))
        await worker.wait()
        return await watch.watch(worker, LIMITS, trouble=trouble, progressed=lambda report: None)

    assert asyncio.run(run()) == Failure(reason=Reason.PEER_LOST, what="gone")


def test_messages_read_back_as_they_were_written() -> None:
    finished = Finished(summary={"rows": 3}, files={})
    raw = control.encode(finished)

    assert struct.unpack(">I", raw[:4])[0] == len(raw) - 4
    assert msgspec.json.decode(raw[4:], type=Finished | Ready) == finished


def test_a_worker_whose_agent_has_gone_ends_quietly() -> None:
    async def run() -> Ending:
        worker = await WorkerProcess.start()
        worker.hang_up()
        return await worker.wait()

    assert asyncio.run(run()) == Ending(code=0)


def test_nonsense_is_an_error_of_its_own() -> None:
    async def run() -> None:
        worker = await WorkerProcess.start(fake(READY + "tell(b'[]')"))
        try:
            await worker.receive()
        finally:
            await worker.end()

    with pytest.raises(WorkerSpokeNonsense):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("result", "status", "told"),
    [
        ("success", "0", Stopped(code=0, by_memory=False)),
        ("exit-code", "3", Stopped(code=3, by_memory=False)),
        ("signal", "KILL", Stopped(code=-9, by_memory=False)),
        ("core-dump", "SEGV", Stopped(code=-11, by_memory=False)),
        ("oom-kill", "KILL", Stopped(code=-9, by_memory=True)),
    ],
)
def test_what_systemd_knows_of_a_workers_end_is_told(
    result: str, status: str, told: Stopped
) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        subprocess.run(
            [sys.executable, "-m", "appliance.agent.worker_end"],
            stdin=theirs.fileno(),
            env={"SERVICE_RESULT": result, "EXIT_STATUS": status},
            check=True,
        )
        assert asyncio.run(control.receive_report(ours)) == told


class Systemd:
    """What systemd does with coffer-worker.socket: for each connection it starts a worker."""

    def __init__(
        self,
        path: Path,
        end: Callable[["subprocess.Popen[bytes]"], None],
        command: tuple[str, ...] = (*COMMAND, "--unit"),
    ) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self._end = end
        self._command = command

    def serve(self) -> None:
        connected, _ = self.listener.accept()
        with connected:
            worker = subprocess.Popen(self._command, stdin=connected.fileno())
            self._end(worker)
            worker.wait()
            status = signal.Signals(-worker.returncode).name[3:] if worker.returncode < 0 else "0"
            subprocess.run(
                [sys.executable, "-m", "appliance.agent.worker_end"],
                stdin=connected.fileno(),
                env={"SERVICE_RESULT": "signal", "EXIT_STATUS": status},
                check=True,
            )


@pytest.mark.parametrize("how", ["killed by us", "killed by others"])
def test_a_worker_that_systemd_starts_is_watched_and_ended_like_a_child(
    tmp_path: Path, how: str
) -> None:
    started = threading.Event()

    def end(worker: "subprocess.Popen[bytes]") -> None:
        started.wait(20)
        if how == "killed by others":
            worker.kill()

    systemd = Systemd(tmp_path / "s", end)
    serving = threading.Thread(target=systemd.serve)
    serving.start()

    async def run() -> Ending:
        worker = await WorkerProcess.start_unit(tmp_path / "s")
        assert worker.applied[0] == "a systemd unit of its own"
        assert worker.memory_bytes > 1 << 20
        used = worker.read_cpu_milliseconds()
        assert used > 0
        started.set()
        if how == "killed by us":
            return await worker.end()
        assert await worker.receive() is None
        assert not worker.is_running
        assert worker.read_cpu_milliseconds() == used
        return await worker.wait()

    ending = asyncio.run(run())
    serving.join()
    systemd.listener.close()
    assert ending.code == (None if how == "killed by us" else -signal.SIGKILL)


def test_a_systemd_that_starts_no_worker_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(WorkerUnstartable, match="systemd starts no worker") as caught:
        asyncio.run(WorkerProcess.start_unit(tmp_path / "nothing"))
    assert "systemctl status coffer-worker.socket" in caught.value.remedy


def test_a_worker_of_systemds_that_never_says_who_it_is_is_given_up(tmp_path: Path) -> None:
    silent = (
        "import os, socket; s = socket.socket(fileno=0); _, fds, _, _ = socket.recv_fds(s, 1, 1)"
    )
    systemd = Systemd(tmp_path / "s", lambda worker: None, fake(f"{silent}; s.recv(1)"))
    serving = threading.Thread(target=systemd.serve)
    serving.start()

    with pytest.raises(WorkerUnstartable, match="no worker could be started"):
        asyncio.run(asyncio.wait_for(WorkerProcess.start_unit(tmp_path / "s", seconds=2), 60))
    serving.join()
    systemd.listener.close()
