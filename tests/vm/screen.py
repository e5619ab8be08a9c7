"""The console's screen as a terminal shows it, and what its status page says."""

import re
from typing import Final

import pyte

from image import status_page
from image.vm import Machine

_STEERING: Final = re.compile(r"\x1b\[[0-9;?:]*[A-Za-z]|\r")
ROWS: Final = 24
COLUMNS: Final = 80
CLEAR: Final = "\x1b[0m\x1b[2J\x1b[H"  # what the console's program begins with
STOPPED: Final = "error: the system cannot start"
SCREEN_SECONDS: Final = 120.0


def plain(console: str) -> str:
    """Return what was said, without what steers a terminal: colours divide systemd's lines."""
    return _STEERING.sub("", console)


def lines(console: str) -> list[str]:
    """Return the lines that a terminal shows after all that the console has said."""
    begun = console.rfind(CLEAR)
    terminal = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(terminal).feed(console[max(begun, 0) :])
    return [line.rstrip() for line in terminal.display]


def seen(machine: Machine, text: str, seconds: float = SCREEN_SECONDS) -> list[str]:
    """Return the screen once one of its lines holds a text."""
    said = machine.wait_for(
        lambda said: any(text in line for line in lines(said)), f'"{text}" on the screen', seconds
    )
    return lines(said)


def shown(console: str, name: str) -> str:
    """Return what the status page says of something."""
    found = status_page.find(console, name)
    assert found, f"the screen says nothing of {name}:\n" + "\n".join(lines(console))
    return found


def is_settled(console: str) -> bool:
    """Tell whether the agent runs, by the status page."""
    return status_page.find(console, "coffer") == "active"


def is_settled_again(console: str, seen: int) -> bool:
    """Tell whether the agent runs in a start that began after so many characters."""
    begun = console.find("BdsDxe", seen)
    return begun >= 0 and is_settled(console[begun:])
