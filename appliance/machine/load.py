"""How much of this machine is in use, as the operating system counts it."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Figures of one moment. disk: where the node keeps its state; addresses: of all networks."""

    cores: int
    busy_fraction: float
    memory_bytes: int
    memory_free_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    up_seconds: float
    addresses: tuple[tuple[str, str], ...]


def read_load(state: Path, now: Callable[[], float] = time.time) -> Load:
    """Return the figures; ``busy_fraction`` is the load of the last minute over all cores."""
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(state))
    cores = psutil.cpu_count() or 1
    return Load(
        cores=cores,
        busy_fraction=min(1.0, psutil.getloadavg()[0] / cores),
        memory_bytes=memory.total,
        memory_free_bytes=memory.available,
        disk_bytes=disk.total,
        disk_free_bytes=disk.free,
        up_seconds=max(0.0, now() - psutil.boot_time()),
        addresses=read_addresses(),
    )


def read_addresses() -> tuple[tuple[str, str], ...]:
    """Return of each network card but the loopback its addresses, those of the link left out."""
    found = []
    for card, addresses in sorted(psutil.net_if_addrs().items()):
        for one in addresses:
            is_address = one.family in (socket.AF_INET, socket.AF_INET6)
            is_near = one.address.startswith(("127.", "::1", "fe80:"))
            if is_address and not is_near:
                found.append((card, one.address))
    return tuple(found)
