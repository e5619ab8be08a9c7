"""Keeps one worker ready: loading what services need takes most of a worker's start."""

import asyncio
import logging
from typing import Final

from appliance.agent.config import ApplianceConfig
from appliance.agent.worker_process import WorkerProcess, WorkerUnstartable

RESPITE_SECONDS: Final = 4.0
"""A short job has ended by then, and a long one hardly feels what a start takes."""
RETRY_SECONDS: Final = 10.0

log = logging.getLogger(__name__)


class Spares:
    """Where ready workers come from. ``applied`` says what confined the last one."""

    def __init__(self, config: ApplianceConfig) -> None:
        self._config = config
        self._spare: WorkerProcess | None = None
        self._is_wanted = asyncio.Event()
        self._is_closed = False
        self.applied: tuple[str, ...] = ()

    async def run(self) -> None:
        """Have a spare worker at all times, soon after the last was taken."""
        while not self._is_closed:
            self._is_wanted.clear()
            if self._spare is None:
                try:
                    self._spare = await self._start()
                    self.applied = self.applied or self._spare.applied
                except WorkerUnstartable as error:
                    log.error("%s", error.what)
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
            if self._is_closed:
                await self.close()
            await self._is_wanted.wait()
            await asyncio.sleep(RESPITE_SECONDS)

    async def take(self) -> WorkerProcess:
        """Return a ready worker: the spare if it is there. Raises: WorkerUnstartable."""
        spare, self._spare = self._spare, None
        self._is_wanted.set()
        if spare is not None and spare.is_running:
            return spare
        if spare is not None:
            await spare.wait()
        return await self._start()

    async def close(self) -> None:
        """End the spare, and have no other."""
        self._is_closed = True
        self._is_wanted.set()
        if self._spare is not None:
            await self._spare.end()
            self._spare = None

    async def _start(self) -> WorkerProcess:
        path = self._config.worker_socket
        return await (WorkerProcess.start() if path is None else WorkerProcess.start_unit(path))
