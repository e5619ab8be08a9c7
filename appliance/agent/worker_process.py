"""A worker as its agent holds it: the process, the control socket, what it prints."""

import asyncio
import contextlib
import os
import re
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import psutil

from appliance.agent import control
from appliance.agent.control import Order, Ready, Report, Stopped, WorkerSpokeNonsense
from appliance.agent.worker_life import COMMAND, Child, Life, Unit
from services.errors import ServiceError

START_SECONDS: Final = 120.0
"""A slow machine reads all that workers load from an encrypted, verified disk."""

MAX_LOG_BYTES: Final = 64 << 10
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a process ended.

    code:      its exit code, negative for a signal; None if it was not told.
    by_memory: the kernel took it because its unit held too much memory.
    """

    code: int | None
    by_memory: bool = False

    def __str__(self) -> str:
        if self.code is None:
            return "the worker ended before it was done"
        if self.code >= 0:
            return f"the worker ended with code {self.code} before it was done"
        name = signal.Signals(-self.code).name
        if name == "SIGKILL":
            return "the worker was killed (SIGKILL), by someone or by the kernel for want of memory"
        return f"the worker crashed ({name})"


class WorkerProcess:
    """One worker, from its start to its end. ``applied`` says what confines it so far."""

    def __init__(self, life: Life, control: socket.socket, printed: asyncio.StreamReader) -> None:
        self._life = life
        self._control = control
        self._log = bytearray()
        self._draining = asyncio.create_task(self._drain(printed))
        self._stopped: Stopped | None = None
        self._cpu_milliseconds = 0
        self.pid = 0
        self.applied: tuple[str, ...] = ()

    @classmethod
    async def start(cls, command: Sequence[str] = COMMAND) -> Self:
        """Start a worker as a child and wait until it is ready. Raises: WorkerUnstartable."""
        agent_end, worker_end = socket.socketpair()
        agent_end.setblocking(False)
        with worker_end:
            begin = partial(Child.start, worker_end, command=command)
            return await cls._start(agent_end, begin, START_SECONDS)

    @classmethod
    async def start_unit(cls, path: Path, *, seconds: float = START_SECONDS) -> Self:
        """Start a worker as a unit, by the socket at ``path``, and wait so long until it is ready.

        Raises: WorkerUnstartable.
        """
        agent_end = socket.socket(socket.AF_UNIX)
        agent_end.setblocking(False)
        try:
            begin = partial(Unit.start, agent_end, path=path)
            return await cls._start(agent_end, begin, seconds)
        except OSError as error:
            agent_end.close()
            raise WorkerUnstartable(
                f"systemd starts no worker at {path} ({error.strerror})",
                remedy="see `systemctl status coffer-worker.socket`",
            ) from None

    @classmethod
    async def _start(
        cls, agent_end: socket.socket, begin: Callable[[int], Awaitable[Life]], seconds: float
    ) -> Self:
        printed, log = await _pipe()
        try:
            life = await begin(log)
        finally:
            os.close(log)
        worker = cls(life, agent_end, printed)
        ready: Report | None = None
        try:
            with contextlib.suppress(TimeoutError, WorkerSpokeNonsense, ProcessLookupError):
                async with asyncio.timeout(seconds):
                    ready = await worker.receive()
                if isinstance(ready, Ready):
                    worker._meet(ready)
        finally:
            if worker.pid == 0:
                await worker.end()
        if worker.pid == 0:
            raise WorkerUnstartable(
                f"no worker could be started: {worker.last_words}",
                remedy="see the agent's log; the installation may be incomplete",
            )
        return worker

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended, as far as is known."""
        return self._life.is_running

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

    def read_cpu_milliseconds(self) -> int:
        """Return the processor time of the process; once it has ended, as it was read last."""
        if self.is_running:
            with contextlib.suppress(psutil.Error):
                used = psutil.Process(self.pid).cpu_times()
                self._cpu_milliseconds = int(1000 * (used.user + used.system))
        return self._cpu_milliseconds

    async def give(self, order: Order, channels: Sequence[socket.socket] = ()) -> None:
        """Hand over the assignment; raises ConnectionError if the worker has died."""
        await control.send_order(self._control, order, channels)

    async def receive(self) -> Report | None:
        """Return the next report, None once it has hung up. Raises: WorkerSpokeNonsense."""
        report = await control.receive_report(self._control)
        if not isinstance(report, Stopped):
            return report
        self._stopped = report
        return None

    def hang_up(self) -> None:
        """Close the control socket; a worker that waits for an assignment ends then."""
        self._control.close()

    async def end(self) -> Ending:
        """Kill the process if it runs, and return how it ended."""
        self._life.kill()
        return await self.wait()

    async def wait(self) -> Ending:
        """Wait until the process has ended, and return how."""
        code = await self._life.wait()
        self.hang_up()  # what has not said who it is ends by this, and only then prints no more
        await self._draining
        if self._stopped is not None:
            return Ending(code=self._stopped.code, by_memory=self._stopped.by_memory)
        return Ending(code=code)

    def write_log(self, path: Path) -> None:
        """Write where the worker met errors, if it printed anything."""
        if self._log and path.parent.is_dir():
            told = "\n".join(self._lines()).encode()
            path.write_bytes(told[:MAX_LOG_BYTES])

    def _lines(self) -> list[str]:
        """Return what was printed, but for what might hold data, as native code's messages do."""
        printed = self._log.decode(errors="replace").splitlines()
        return [line if _PLACE.fullmatch(line) else _LEFT_OUT for line in printed]

    def _meet(self, ready: Ready) -> None:
        self._life.meet(ready.pid)
        self.pid, self.applied = ready.pid, (*self._life.applied, *ready.applied)

    async def _drain(self, printed: asyncio.StreamReader) -> None:
        while piece := await printed.read(resource.getpagesize()):
            self._log += piece[: MAX_LOG_BYTES - len(self._log)]


async def _pipe() -> tuple[asyncio.StreamReader, int]:
    """Return a reader for what a worker prints, and the descriptor that it prints to."""
    from_worker, log = os.pipe()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_worker, "rb", 0)
    )
    return reader, log
