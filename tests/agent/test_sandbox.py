"""What a confined process can still do, tried from inside one, and seen from outside."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.agent.worker_process import WorkerProcess

# Confines itself as a worker does, and then tries what a worker that was taken over would.
INTRUDER = """
import json, os, resource, signal, socket, sys, threading
from pathlib import Path
from appliance.agent import sandbox

folder = Path(sys.argv[1])
results, key = folder / "results", folder / "identity.key"
agent = os.getppid()
applied = sandbox.confine_process()
applied += sandbox.confine_files(sandbox.Grant(
    readable=(folder / "data.csv", folder / "none.csv"), writable=(folder / "results",),
    memory_bytes=1 << 30, file_bytes=1 << 20, seconds=10, cpus=1))
found = {"applied": applied}

def attempt(name):
    def run(what):
        try:
            found[name] = f"allowed: {what()}"
        except OSError as error:
            found[name] = f"refused: {type(error).__name__}"
        except Exception as error:
            found[name] = f"failed: {error!r}"
    return run

def fork():
    if os.fork() == 0:
        os._exit(0)

attempt("a socket")(lambda: socket.socket())
attempt("a unix socket")(lambda: socket.socket(socket.AF_UNIX))
attempt("an internet socket pair")(lambda: socket.socketpair(socket.AF_INET))
attempt("a unix socket pair")(lambda: [each.close() for each in socket.socketpair()] and "")
attempt("exec")(lambda: os.execv("/bin/true", ["true"]))
attempt("fork")(fork)
attempt("a thread")(lambda: [threading.Thread(target=int).start()] and "")
attempt("signal to the agent")(lambda: os.kill(agent, 0))
attempt("limits of the agent")(lambda: resource.prlimit(agent, resource.RLIMIT_NOFILE, (9, 9)))
attempt("read the dataset")(lambda: (folder / "data.csv").read_text())
attempt("write the dataset")(lambda: (folder / "data.csv").write_text("x"))
attempt("read the identity key")(lambda: (folder / "identity.key").read_text())
attempt("read the database")(lambda: (folder / "coffer.db").read_text())
attempt("read the password file")(lambda: Path("/etc/shadow").read_text())
attempt("read the users")(lambda: Path("/etc/passwd").read_text())
attempt("read the agent's memory")(lambda: open(f"/proc/{agent}/mem", "rb"))
attempt("read the agent's environment")(lambda: open(f"/proc/{agent}/environ", "rb"))
attempt("list the state folder")(lambda: os.listdir(folder))
attempt("list the root")(lambda: os.listdir("/"))
attempt("write a result")(lambda: (folder / "results" / "r.parquet").write_text("rows"))
attempt("rename a result")(lambda: (results / "r.parquet").rename(results / "s"))
attempt("write beside the results")(lambda: (folder / "other").write_text("x"))
attempt("write to the temporary folder")(lambda: Path("/tmp/coffer-intruder").write_text("x"))
attempt("link the key into the results")(lambda: os.link(key, results / "k"))
attempt("let all read the key")(lambda: os.chmod(folder / "identity.key", 0o666))
attempt("give the key away")(lambda: os.chown(folder / "identity.key", 1, 1))
attempt("write more than is granted")(lambda: (results / "big").write_bytes(bytes(2 << 20)))
attempt("trace")(lambda: sandbox._check(sandbox._libc().ptrace(0, 0, 0, 0)))
attempt("mount")(lambda: sandbox._check(sandbox._libc().mount(b"n", b"/mnt", b"tmpfs", 0, None)))
attempt("another namespace")(lambda: sandbox._unshare(0x20000))
attempt("a core")(lambda: resource.getrlimit(resource.RLIMIT_CORE))
attempt("the library")(lambda: __import__("zipfile") and "")
attempt("random bytes")(lambda: len(os.urandom(8)))
print(json.dumps(found))
"""

REFUSED = [
    "a socket",
    "a unix socket",
    "an internet socket pair",
    "exec",
    "fork",
    "signal to the agent",
    "limits of the agent",
    "write the dataset",
    "read the identity key",
    "read the database",
    "read the password file",
    "read the users",
    "read the agent's memory",
    "read the agent's environment",
    "list the state folder",
    "list the root",
    "write beside the results",
    "write to the temporary folder",
    "link the key into the results",
    "let all read the key",
    "give the key away",
    "write more than is granted",
    "trace",
    "mount",
    "another namespace",
]
KEPT = [
    "a unix socket pair",
    "a thread",
    "read the dataset",
    "write a result",
    "rename a result",
    "the library",
    "random bytes",
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("state")
    (folder / "results").mkdir()
    for name in ("data.csv", "identity.key", "coffer.db"):
        (folder / name).write_text("id\n")
    told = subprocess.run(
        [sys.executable, "-I", "-B", "-c", INTRUDER, folder],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    result: dict[str, str] = json.loads(told.stdout)
    return result


@pytest.mark.parametrize("what", REFUSED)
def test_a_confined_process_is_refused(what: str, found: dict[str, str]) -> None:
    assert found[what].startswith("refused: "), found[what]


@pytest.mark.parametrize("what", KEPT)
def test_a_confined_process_keeps(what: str, found: dict[str, str]) -> None:
    assert found[what].startswith("allowed: "), found[what]


def test_a_worker_that_waits_has_given_up_its_rights_its_network_and_its_environment() -> None:
    async def run() -> None:
        worker = await WorkerProcess.start()
        proc = Path(f"/proc/{worker.pid}")
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines())
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        assert status["Threads"] == "1"
        assert int(status["CapEff"], 16) in (0, 1 << 2)
        assert int(status["CapBnd"], 16) == 0
        assert (proc / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()
        names = {line.split("=")[0] for line in (proc / "environ").read_text().split("\0") if line}
        assert names == {"LANG", "OPENBLAS_NUM_THREADS", "JE_ARROW_MALLOC_CONF"}
        assert (proc / "oom_score_adj").read_text().strip() == "1000"
        assert os.getsid(worker.pid) == worker.pid
        await worker.end()

    asyncio.run(run())


def test_a_worker_inherits_no_descriptor_but_the_three_it_is_given() -> None:
    async def run() -> None:
        secret = os.open("/etc/passwd", os.O_RDONLY)
        os.set_inheritable(secret, True)  # even one that would pass an exec
        worker = await WorkerProcess.start()
        folder = Path(f"/proc/{worker.pid}/fd")
        held = {int(each.name): str(each.readlink()) for each in folder.iterdir()}
        await worker.end()
        os.close(secret)

        assert held.keys() == {0, 1, 2, 3}
        assert held[0].startswith("socket:") and held[3] == held[0]
        assert held[1] == "/dev/null"
        assert held[2].startswith("pipe:")

    asyncio.run(run())


AGENT = """
import asyncio, sys
from appliance.agent.worker_process import WorkerProcess
async def run():
    worker = await WorkerProcess.start()
    print(worker.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(run())
"""


def test_a_worker_that_cannot_notice_it_dies_with_its_agent() -> None:
    agent = subprocess.Popen([sys.executable, "-c", AGENT], stdout=subprocess.PIPE, text=True)
    assert agent.stdout is not None
    pid = int(agent.stdout.readline())

    os.kill(pid, signal.SIGSTOP)
    agent.kill()
    agent.wait()

    assert is_gone_within(pid, seconds=2)
    agent.stdout.close()


def is_gone_within(pid: int, seconds: float) -> bool:
    async def run() -> bool:
        for _ in range(int(seconds / 0.02)):
            try:
                stat = Path(f"/proc/{pid}/stat").read_text()
            except FileNotFoundError:
                return True
            if stat.rpartition(")")[2].split()[0] == "Z":
                return True
            await asyncio.sleep(0.02)
        return False

    return asyncio.run(run())
