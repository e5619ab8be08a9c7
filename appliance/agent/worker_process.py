"""A worker as its agent holds it: the process, the control socket, what it prints."""

import asyncio
import contextlib
import os
import re
import resource
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import psutil

from appliance.agent import control
from appliance.agent.control import Order, Ready, Report, WorkerSpokeNonsense
from services.errors import ServiceError

START_SECONDS: Final = 20.0
MAX_LOG_BYTES: Final = 64 << 10
COMMAND: Final = (sys.executable, "-I", "-B", "-m", "appliance.agent.worker")
# One thread while it starts: threads that run already could not be confined.
ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
# What the interpreter prints of threads, places and kinds of errors.
_PLACE: Final = re.compile(
    r"|  File \"\S+\", line \d+,? in [\w<>.]+"
    r"|  File \"<frozen \w+>\", line \d+,? in [\w<>.]+"
    r"|  \S+\.py:\d+ [\w<>.]+"
    r"|(Current t|T)hread 0x[0-9a-f]+( \[\w+\])? \(most recent call first\):"
    r"|Fatal Python error: [\w ]+"
    r"|terminate called after throwing an instance of '[\w:]+'"
    r"|[A-Za-z_]\w*(Error|Exception|Interrupt|Lost|Detected)"
)
_LEFT_OUT: Final = "(a line is left out, as it might hold data)"


class WorkerUnstartable(ServiceError):
    """No worker could be started."""


class WorkerProcess:
    """One worker, from its start to its end. ``applied`` says what it has given up so far."""

    def __init__(self, process: Process, agent_end: socket.socket) -> None:
        self._process = process
        self._control = agent_end
        self._log = bytearray()
        self._draining = asyncio.create_task(self._drain())
        # Under systemd, what we started is not the worker itself but what waits for it.
        self.pid = process.pid
        self.applied: tuple[str, ...] = ()

    @classmethod
    async def start(cls, command: Sequence[str] = COMMAND) -> Self:
        """Start a worker and wait until it is ready; WorkerUnstartable."""
        agent_end, worker_end = socket.socketpair()
        agent_end.setblocking(False)
        with worker_end:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=worker_end.fileno(),
                stdout=DEVNULL,
                stderr=PIPE,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        worker = cls(process, agent_end)
        ready: Report | None = None
        try:
            with contextlib.suppress(TimeoutError, WorkerSpokeNonsense):
                async with asyncio.timeout(START_SECONDS):
                    ready = await worker.receive()
        finally:
            if not isinstance(ready, Ready):
                await worker.end()
        if not isinstance(ready, Ready):
            raise WorkerUnstartable(
                f"no worker could be started: {worker.last_words}",
                remedy="see the agent's log; the installation may be incomplete",
            )
        worker.pid, worker.applied = ready.pid, ready.applied
        return worker

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended, as far as is known."""
        return self._process.returncode is None

    @property
    def last_words(self) -> str:
        """The last line that it printed and that cannot hold data."""
        lines = [line for line in self._lines() if line not in ("", _LEFT_OUT)]
        return lines[-1] if lines else "it did not say why"

    @property
    def memory_bytes(self) -> int:
        """How much memory the process holds; 0 once it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    async def give(self, order: Order, channels: Sequence[socket.socket] = ()) -> None:
        """Hand over the assignment; raises ConnectionError if the worker has died."""
        await control.send_order(self._control, order, channels)

    async def receive(self) -> Report | None:
        """Return the next report, None once it has hung up; WorkerSpokeNonsense."""
        return await control.receive_report(self._control)

    def hang_up(self) -> None:
        """Close the control socket; a worker that waits for an assignment ends then."""
        self._control.close()

    async def end(self) -> int:
        """Kill the process if it runs, and return its exit code, negative for a signal."""
        if self.is_running:
            # A worker can make no other processes, so there is nothing else to end.
            for pid in {self.pid, self._process.pid}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return await self.wait()

    async def wait(self) -> int:
        """Wait until the process has ended, and return its exit code."""
        code = await self._process.wait()
        await self._draining
        self.hang_up()
        return code

    def write_log(self, path: Path) -> None:
        """Write where the worker met errors, if it printed anything."""
        if self._log and path.parent.is_dir():
            told = "\n".join(self._lines()).encode()
            path.write_bytes(told[:MAX_LOG_BYTES])

    def _lines(self) -> list[str]:
        """Return what was printed, but for what might hold data, as native code's messages do."""
        printed = self._log.decode(errors="replace").splitlines()
        return [line if _PLACE.fullmatch(line) else _LEFT_OUT for line in printed]

    async def _drain(self) -> None:
        if self._process.stderr is None:
            return
        while piece := await self._process.stderr.read(resource.getpagesize()):
            self._log += piece[: MAX_LOG_BYTES - len(self._log)]


def ending(code: int) -> str:
    """Say how a process ended, for people."""
    if code >= 0:
        return f"the worker ended with code {code} before it was done"
    name = signal.Signals(-code).name
    if name == "SIGKILL":
        return "the worker was killed (SIGKILL), by someone or by the kernel for want of memory"
    return f"the worker crashed ({name})"
