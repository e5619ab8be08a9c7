"""What a process and those below it have taken, as the system counts it."""

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

MIB: Final = 1 << 20
_PIDFD_GETFD: Final = 438
"""The number of the system call; the same on all architectures."""
_TCP_INFO_BYTES: Final = 232
_BYTES_SENT: Final = slice(200, 208)
"""Of struct tcp_info: tcpi_bytes_sent, since Linux 4.19."""


def family(pid: int) -> list[int]:
    """Return a process and all that it started and that still run."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of all that it ever started."""
    total = 0.0
    for one in family(pid):
        with suppress(psutil.NoSuchProcess):
            spent = psutil.Process(one).cpu_times()
            total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has taken since it was started."""
    return _memory_mib(pid, "VmHWM")


def held_mib(pid: int) -> float:
    """Return the memory that a process takes just now."""
    return _memory_mib(pid, "VmRSS")


def _memory_mib(pid: int, line: str) -> float:
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        for one in status.splitlines():
            if one.startswith(line):
                return int(one.split()[1]) / 1024
    return 0.0  # it has ended


def sent_mib(pid: int) -> float:
    """Return how much a process has sent over the TCP connections that it holds, headers apart."""
    return sum(map(_sent_bytes, _connections(pid))) / MIB


def _connections(pid: int) -> Iterator[socket.socket]:
    """Yield the TCP sockets of another process of ours, each as a copy that is ours."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    handle = os.pidfd_open(pid)
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                if not str(entry.readlink()).startswith("socket:"):
                    continue
            copy = call(_PIDFD_GETFD, handle, int(entry.name), 0)
            if copy < 0:
                continue  # it was closed meanwhile
            with socket.socket(fileno=copy) as one:
                is_internet = one.family in (socket.AF_INET, socket.AF_INET6)
                if is_internet and one.type == socket.SOCK_STREAM:
                    yield one
    finally:
        os.close(handle)


def _sent_bytes(connection: socket.socket) -> int:
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    return int.from_bytes(told[_BYTES_SENT], "little")
