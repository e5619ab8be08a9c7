"""What the kernel measures of a card, from its folder in sysfs: no driver's own interface."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from firmware.cards.found import PCIDevice
from firmware.cards.health import ANSWERS

# Temperatures of the card itself, and of an FPGA's management engine, in thousandths of a degree.
_TEMPERATURES: Final = (
    "hwmon/hwmon*/temp*_input",
    "fpga_region/region*/dfl-fme.*/hwmon/hwmon*/temp*_input",
)
_ERRORS: Final = ("correctable", "nonfatal", "fatal")
_TOTAL: Final = re.compile(r"^TOTAL_ERR_\w+ (\d+)$", re.MULTILINE)


def read_measured(pci: PCIDevice, folder: Path) -> dict[str, float]:
    """Return metrics by name, as the catalogue's limits name them; of what is not there, none.

    Units: as each name's last word says; errors since the start of the machine
    """
    return dict(_measured(pci, folder))


def _measured(pci: PCIDevice, folder: Path) -> Iterator[tuple[str, float]]:
    answer = _read(folder / "config")
    if answer is not None:
        expected = pci.vendor.to_bytes(2, "little") + pci.device.to_bytes(2, "little")
        yield ANSWERS.metric, float(answer[:4] != expected)
    temperatures = [
        _number(found) for pattern in _TEMPERATURES for found in sorted(folder.glob(pattern))
    ]
    known = [one / 1000 for one in temperatures if one is not None]
    if known:
        yield "temperature_celsius", max(known)
    for kind in _ERRORS:
        count = _errors(folder, kind)
        if count is not None:
            yield f"errors_{kind}", count
    state = _read(folder / "qat" / "state")
    if state is not None:
        yield "devices_down", float(state.strip() != b"up")


def _errors(folder: Path, kind: str) -> float | None:
    """Return how many errors a card has reported: by its own driver, else by PCI Express."""
    own = _number(folder / "qat_ras" / f"errors_{kind}")
    if own is not None:
        return own
    said = _read(folder / f"aer_dev_{kind}")
    total = _TOTAL.search(said.decode("ascii", errors="replace")) if said is not None else None
    return float(total.group(1)) if total else None


def _number(path: Path) -> float | None:
    said = _read(path)
    try:
        return float(int(said)) if said is not None else None
    except ValueError:
        return None


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError:
        return None
