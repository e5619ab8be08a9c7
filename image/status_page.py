"""What the appliance's status page says, found in what its serial console has said."""

import re


def find(console: str, name: str) -> str:
    """Return what the page says of something, its first line; nothing if it does not.

    The page as it was drawn, line by line: what systemd says at the same time may have moved it.
    """
    drawn = re.findall(rf"\x1b\[K{re.escape(f'{name:<12}')} ([^\x1b\r\n]*)", console)
    return str(drawn[-1]).rstrip() if drawn else ""
