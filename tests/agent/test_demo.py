import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.fleet.nodes import eventually

DEMO = (sys.executable, "-m", "appliance.demo")
MOST_SECONDS = 60.0  # what the README's reader is asked to wait, on a slow machine
TOO_LONG_SECONDS = 180.0


def processes_in(folder: Path) -> list[int]:
    """Return the processes that were started for the demonstration in ``folder``."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "appliance.agent" in words and any(str(folder) in word for word in words):
            found.append(process.pid)
    return found


def test_the_demonstration_runs_to_its_end_and_leaves_no_process(tmp_path: Path) -> None:
    began = time.monotonic()

    done = subprocess.run(
        [*DEMO, "--exit", "--folder", str(tmp_path / "demo")],
        capture_output=True, text=True, timeout=TOO_LONG_SECONDS,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < MOST_SECONDS
    assert "both nodes keep the same record" in done.stdout
    assert "rows on each side are exactly those" in done.stdout
    assert "you learn" in done.stdout
    assert not processes_in(tmp_path)


def heed_interrupts() -> None:
    """Undo what a test run in the background inherits: SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_ended_demonstration_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*DEMO, "--folder", str(tmp_path / "demo")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    eventually(lambda: len(processes_in(tmp_path)) == 2)

    os.kill(process.pid, number)
    process.wait(timeout=30)

    eventually(lambda: not processes_in(tmp_path), seconds=15)
