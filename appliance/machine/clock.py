"""The machine's clock: from which servers chrony takes the time, and how far it is trusted."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints

MOST_TIME_SERVERS: Final = 8

_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ServerName = Annotated[
    str,
    StringConstraints(
        pattern=rf"^({_LABEL}(\.{_LABEL})*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)$", max_length=253
    ),
]


class TimeServer(BaseModel):
    """A server of the time, by name or address. nts: whether it proves who it is (RFC 8915)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    name: ServerName
    nts: bool = True


def chrony_file(servers: Sequence[TimeServer]) -> str:
    """Return the lines that make chrony follow some servers [chrony.conf(5)].

    Of two or more servers two must agree, so that no single one of them sets the clock.
    """
    lines = [f"server {one.name} iburst{' nts' if one.nts else ''}" for one in servers]
    return "\n".join([*lines, f"minsources {min(2, len(servers))}", ""])


@dataclass(frozen=True, slots=True, kw_only=True)
class Synchronisation:
    """What the kernel knows of its clock. most_off_seconds: by how much it may be wrong."""

    is_synchronised: bool
    most_off_seconds: float


class _Timex(ctypes.Structure):
    """The kernel's struct timex [adjtimex(2)], up to what is read here, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


_UNSYNCHRONISED: Final = 0x40
"""STA_UNSYNC."""


def read_synchronisation() -> Synchronisation:
    """Ask the kernel; anybody may. Raises: OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    timex = _Timex()
    if libc.adjtimex(ctypes.byref(timex)) < 0:
        raise OSError(ctypes.get_errno(), "the kernel does not tell of its clock")
    return Synchronisation(
        is_synchronised=not timex.status & _UNSYNCHRONISED,
        most_off_seconds=timex.maxerror / 1e6,
    )
