"""What the firmware says of the machine itself; the serial number is for root alone."""

from pathlib import Path
from typing import Final

from appliance.machine.ask import Facts
from appliance.machine.orders import ShowHardware
from appliance.machine.tools import Tools

DMI: Final = "sys/class/dmi/id"
MOST_CHARACTERS: Final = 128

# What makers leave in place of a serial number.
_NO_SERIAL_NUMBERS: Final = frozenset(
    {
        "",
        "none",
        "n/a",
        "0",
        "not specified",
        "default string",
        "system serial number",
        "to be filled by o.e.m.",
        "0123456789",
        "123456789",
    }
)


def show_hardware(order: ShowHardware, tools: Tools) -> Facts:
    """Tell what stands on the machine's label, as far as its firmware knows."""
    return {
        "maker": dmi(tools.root, "sys_vendor"),
        "model": dmi(tools.root, "product_name"),
        "serial_number": serial_number(tools.root),
    }


def serial_number(root: Path) -> str:
    """Return the machine's serial number, or the UUID of one that has none; empty without both."""
    found = dmi(root, "product_serial")
    return dmi(root, "product_uuid") if found.lower() in _NO_SERIAL_NUMBERS else found


def dmi(root: Path, name: str) -> str:
    """Return a value of the firmware's table, as printable ASCII; empty if it has none."""
    try:
        text = (root / DMI / name).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return "".join(one if " " <= one <= "~" else "?" for one in text.strip())[:MOST_CHARACTERS]
