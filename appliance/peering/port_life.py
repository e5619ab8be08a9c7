"""The life of a port that is open only while somebody may come with a code.

It lingers after the last code's end, so that a late caller hears why.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from appliance.peering.pairing_port import PairingPort
from services.errors import ServiceError

LINGERING: Final = timedelta(minutes=2)
_ROUND_SECONDS: Final = 1.0


class PortLife:
    """Opens a port when it is needed, and closes it when nobody can be waiting for it.

    open_port: opens it. is_needed: whether a code lives. expire: ends the codes whose time is up.
    """

    def __init__(
        self,
        *,
        open_port: Callable[[], Awaitable[PairingPort]],
        is_needed: Callable[[], bool],
        expire: Callable[[], Awaitable[None]],
        now: Callable[[], datetime],
    ) -> None:
        self._open_port = open_port
        self._is_needed = is_needed
        self._expire = expire
        self._now = now
        self._port: PairingPort | None = None
        self._lock = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self._last_end = now()

    @property
    def port(self) -> PairingPort | None:
        """The port, while it is open."""
        return self._port

    async def open(self) -> PairingPort:
        """Return the port, opened if it is not. Raises: PairingPortTaken."""
        async with self._lock:
            self._last_end = self._now()
            if self._port is None:
                self._port = await self._open_port()
                self._watcher = asyncio.create_task(self._watch())
            return self._port

    def note_end(self) -> None:
        """Note that a code has ended, so that the port lingers from now on."""
        self._last_end = self._now()

    async def close(self) -> None:
        """Close the port at once."""
        if self._watcher is not None:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher
        async with self._lock:
            if self._port is not None:
                await self._port.close()
                self._port = None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            with suppress(ServiceError):  # a full disk; next time, then: nothing expired is taken
                await self._expire()
            async with self._lock:
                is_idle = not self._is_needed() and self._now() - self._last_end > LINGERING
                if self._port is not None and is_idle:
                    port, self._port = self._port, None
                    await port.close()
                    return
