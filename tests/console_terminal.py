"""A terminal that the console's program runs on, as a person sits before it."""

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pyte

from appliance.console.screen import ROWS

WAIT_SECONDS: Final = 60.0


class Terminal:
    """The outer end of a pseudo-terminal: types, and shows what is said there."""

    def __init__(self, outer: int) -> None:
        self._outer = outer
        self._screen = pyte.Screen(80, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.said = b""

    def type(self, data: bytes) -> None:
        os.write(self._outer, data)

    def show(self, data: bytes) -> None:
        """Show what somebody else wrote to it, as the kernel may."""
        self._stream.feed(data)

    def wait_for(self, text: str) -> list[str]:
        """Return the screen once it shows a text."""
        return self.wait_until(lambda lines: any(text in line for line in lines), text)

    def wait_until(self, is_there: Callable[[list[str]], bool], what: str) -> list[str]:
        end = time.monotonic() + WAIT_SECONDS
        while not is_there(lines := [line.rstrip() for line in self._screen.display]):
            assert time.monotonic() < end, f"no {what}:\n" + "\n".join(lines)
            self.look(0.1)
        return lines

    def look(self, seconds: float) -> None:
        """Read what is said, for so long at most until something is."""
        if select.select([self._outer], [], [], seconds)[0]:
            with suppress(OSError):  # nobody has the inner end
                data = os.read(self._outer, 65536)
                self.said += data
                self._stream.feed(data)
