"""What the console's status screen shows."""

import re

STOPPED = "error: the system cannot start"


def shown(console: str, name: str) -> str:
    """Return what the last status screen says of something."""
    line = rf"(?:^|: ){re.escape(name)} +(.*)$"  # the console puts the program's name before it
    found = re.findall(line, console.replace("\r", ""), re.MULTILINE)
    assert found, f"no status screen names {name}"
    return str(found[-1])


def is_settled(console: str) -> bool:
    """Tell whether the agent runs, by the last status screen."""
    return "coffer       active" in console
