"""Type on a machine's serial console, through a socket of its folder."""

import array
import contextlib
import fcntl
import termios
import time
from pathlib import Path
from typing import Final

from image.errors import MachineError
from image.monitor import connect

_TYPING_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05


def type_on(console: Path, text: str) -> None:
    """Type a text; return when the machine's port has taken all of it.

    Raises: MachineError if it does not take it.
    """
    end = time.monotonic() + _TYPING_SECONDS
    with contextlib.closing(connect(console)) as wire:
        wire.sendall(text.encode())
        wire.setblocking(False)
        waiting = array.array("i", [1])
        while waiting[0]:
            with contextlib.suppress(BlockingIOError):
                wire.recv(65536)  # the log has it too; left unread, it would stop the machine
            fcntl.ioctl(wire, termios.TIOCOUTQ, waiting)
            if time.monotonic() > end:
                raise MachineError(
                    f"the machine took nothing typed for {_TYPING_SECONDS:.0f} s",
                    "does anything in it read its serial port?",
                )
            time.sleep(_POLL_SECONDS)
