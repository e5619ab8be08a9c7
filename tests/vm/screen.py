"""The console's screen as a terminal shows it, and what its status page says."""

from typing import Final

import pyte

ROWS: Final = 24
COLUMNS: Final = 80
CLEAR: Final = "\x1b[0m\x1b[2J\x1b[H"  # what the console's program begins with
STOPPED: Final = "error: the system cannot start"
_NAME_COLUMNS: Final = 13


def lines(console: str) -> list[str]:
    """Return the lines that a terminal shows after all that the console has said."""
    begun = console.rfind(CLEAR)
    terminal = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(terminal).feed(console[max(begun, 0) :])
    return [line.rstrip() for line in terminal.display]


def find(console: str, name: str) -> str:
    """Return what the status page says of something, over all its lines; nothing if it does not."""
    said: list[str] = []
    for line in lines(console):
        head, rest = line[:_NAME_COLUMNS].rstrip(), line[_NAME_COLUMNS:]
        if head == name:
            said = [rest]
        elif said and not head and rest:
            said.append(rest)
        elif said:
            break
    return " ".join(said)


def shown(console: str, name: str) -> str:
    """Return what the status page says of something."""
    found = find(console, name)
    assert found, f"the screen says nothing of {name}:\n" + "\n".join(lines(console))
    return found


def is_settled(console: str) -> bool:
    """Tell whether the agent runs, by the status page."""
    return find(console, "coffer") == "active"
