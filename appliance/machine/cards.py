"""The accelerator cards of this machine: what the kernel says of them, held to the catalogue."""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Final

from appliance.machine.card_readings import read_measured
from firmware.cards.catalogue import DATA_FILE, Catalogue, parse_catalogue
from firmware.cards.found import FoundCard, PCIDevice, find_cards

_DEVICES: Final = Path("sys/bus/pci/devices")


def read_cards(root: Path = Path("/")) -> tuple[FoundCard, ...]:
    """Find the machine's cards, each with what is wrong with it; ``root`` is for tests.

    Cost: hashes the firmware files of the families that are there.
    """
    catalogue = read_catalogue()
    devices = read_devices(root)
    known = {card.pci: card.family for card in find_cards(devices, catalogue, {}) if card.family}
    needed = {file.file for family in known.values() for file in family.firmware}
    measured = {one.address: read_measured(one, root / _DEVICES / one.address) for one in known}
    return find_cards(devices, catalogue, _hashes(root / "usr/lib/firmware", needed), measured)


def read_catalogue() -> Catalogue:
    """Return the catalogue that this version came with."""
    text = files("firmware.cards").joinpath(DATA_FILE).read_text(encoding="utf-8")
    return parse_catalogue(text)


def read_devices(root: Path) -> tuple[PCIDevice, ...]:
    """Return the machine's PCI devices; one that goes away meanwhile is left out."""
    found = []
    for folder in sorted((root / _DEVICES).glob("*")):
        try:
            found.append(_device(folder))
        except OSError:
            continue
    return tuple(found)


def _device(folder: Path) -> PCIDevice:
    driver = folder / "driver"
    return PCIDevice(
        address=folder.name,
        vendor=_number(folder / "vendor"),
        device=_number(folder / "device"),
        subsystem_vendor=_number(folder / "subsystem_vendor"),
        subsystem_device=_number(folder / "subsystem_device"),
        device_class=_number(folder / "class"),
        driver=driver.readlink().name if driver.is_symlink() else None,
    )


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii").strip(), 16)


def _hashes(folder: Path, names: set[str]) -> dict[str, str]:
    found = {}
    for name in sorted(names):
        try:
            with (folder / name).open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            continue
    return found
