"""The two ways in which a worker lives: as a child of the agent, or as a systemd unit of its own.

A unit is an instance of ``coffer-worker@.service``, which systemd makes when the agent connects to
``coffer-worker.socket``: so the agent needs no right over systemd, and the unit's sandbox is the
administrator's to read and to tighten.
"""

import asyncio
import contextlib
import os
import select
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

COMMAND: Final = (sys.executable, "-I", "-B", "-m", "appliance.agent.worker")
# One thread while it starts: threads that run already could not be confined.
ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


class Life(Protocol):
    """The process of one worker, from the agent's side."""

    # What confines it beside what it gives up by itself, for people.
    applied: tuple[str, ...]

    def meet(self, pid: int) -> None:
        """Learn the worker's process, as it tells when it is ready. Raises: ProcessLookupError."""

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended, as far as is known."""

    def kill(self) -> None:
        """Kill the process if it runs."""

    async def wait(self) -> int | None:
        """Wait until it has ended; its exit code, negative for a signal, None if unknown here."""


class Child:
    """A worker that is a child process of the agent."""

    applied: tuple[str, ...] = ()

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, control: socket.socket, log: int, command: Sequence[str]) -> "Child":
        """Start a child with ``control`` as its input and ``log`` as its standard error."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=control.fileno(),
            stdout=DEVNULL,
            stderr=log,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        return cls(process)

    def meet(self, pid: int) -> None:
        """Nothing to learn: the child is known."""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return self._process.returncode is None

    def kill(self) -> None:
        """Kill it if it runs; a worker can make no other processes."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> int | None:
        """Wait until it has ended, and return its exit code."""
        return await self._process.wait()


class Unit:
    """A worker that systemd started for us."""

    applied: tuple[str, ...] = ("a systemd unit of its own",)

    def __init__(self) -> None:
        self._process: int | None = None  # a descriptor, which cannot come to mean another

    @classmethod
    async def start(cls, control: socket.socket, log: int, path: Path) -> "Unit":
        """Have systemd start a unit that talks to us over ``control``. Raises: OSError."""
        await asyncio.get_running_loop().sock_connect(control, str(path))
        socket.send_fds(control, [b"l"], [log])
        return cls()

    def meet(self, pid: int) -> None:
        """Take hold of the process."""
        self._process = os.pidfd_open(pid)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        if self._process is None:
            return False
        return not select.select([self._process], [], [], 0)[0]

    def kill(self) -> None:
        """Kill it if it runs. One that has not said who it is ends when we hang up."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)

    async def wait(self) -> int | None:
        """Wait until it has ended; systemd tells on the control socket how."""
        if self._process is None:
            return None
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._process, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process)
        os.close(self._process)
        self._process = None
        return None
