"""Find the cards of a machine among its PCI devices, and name what is wrong with each.

Pure: whoever calls reads sysfs and hashes the files below /usr/lib/firmware, and gives values.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from firmware.cards.catalogue import Catalogue, Device, Family, FirmwareFile
from firmware.cards.health import Health, Reading, judge
from firmware.errors import MalformedInput

_ADDRESS: Final = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
_DRIVER: Final = re.compile(r"[A-Za-z0-9_.+-]{1,64}")

# Classes of devices that compute (PCI Code and ID Assignment 1.15, §1): 3D controllers,
# co-processors, encryption, processing accelerators. Their lowest byte says how, not what.
_ACCELERATOR_CLASSES: Final = frozenset({0x0302, 0x0B40, 0x1000, 0x1080, 0x1200})


@dataclass(frozen=True, slots=True, kw_only=True)
class PCIDevice:
    """One device as sysfs shows it in /sys/bus/pci/devices.

    address:       such as 0000:65:00.0
    vendor … subsystem_device: 16-bit numbers
    device_class:  24 bits, as in ``class``
    driver:        the name that ``driver`` links to; None if no driver is bound
    """

    address: str
    vendor: int
    device: int
    subsystem_vendor: int = 0
    subsystem_device: int = 0
    device_class: int = 0
    driver: str | None = None

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise MalformedInput(f"{self.address!r} is no address of a PCI device")
        for number in (self.vendor, self.device, self.subsystem_vendor, self.subsystem_device):
            if not 0 <= number <= 0xFFFF:
                raise MalformedInput(f"{number} is no PCI id")
        if not 0 <= self.device_class <= 0xFFFFFF:
            raise MalformedInput(f"{self.device_class} is no class of PCI devices")
        if self.driver is not None and not _DRIVER.fullmatch(self.driver):
            raise MalformedInput(f"{self.driver!r} is no driver's name")

    @property
    def id(self) -> str:
        """Vendor and device as the catalogue writes them."""
        return f"{self.vendor:04x}:{self.device:04x}"

    @property
    def subsystem(self) -> str:
        """The subsystem's vendor and device as the catalogue writes them."""
        return f"{self.subsystem_vendor:04x}:{self.subsystem_device:04x}"


class ProblemKind(Enum):
    """What can be wrong with a card that was found."""

    UNKNOWN_CARD = "unknown-card"
    NO_DRIVER = "no-driver"
    OTHER_DRIVER = "other-driver"
    MISSING_FIRMWARE = "missing-firmware"
    WRONG_FIRMWARE = "wrong-firmware"
    UNWELL = "unwell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a card, and what to do about it."""

    kind: ProblemKind
    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCard:
    """A card of the machine: its PCI device, its family if it is known, and its problems.

    readings: of its health, as far as anything was measured
    """

    pci: PCIDevice
    family: Family | None
    title: str
    problems: tuple[Problem, ...]
    readings: tuple[Reading, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether nothing is known to keep jobs from using the card."""
        return not self.problems


def find_cards(
    devices: Iterable[PCIDevice],
    catalogue: Catalogue,
    firmware: Mapping[str, str],
    measured: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
) -> tuple[FoundCard, ...]:
    """Return the cards among a machine's PCI devices, by address, each with its problems.

    firmware: the SHA-256, in lower-case hexadecimal digits, of each file there is below
              /usr/lib/firmware, by its path from there; files of no card may be left out
    measured: metrics by name, of each card's address; cards of which nothing was may be left out
    """
    found = (_find_card(one, catalogue, firmware, measured.get(one.address, {})) for one in devices)
    return tuple(sorted((one for one in found if one), key=lambda card: card.pci.address))


def _find_card(
    pci: PCIDevice,
    catalogue: Catalogue,
    firmware: Mapping[str, str],
    measured: Mapping[str, float],
) -> FoundCard | None:
    known = catalogue.find(pci.id, pci.subsystem)
    if known:
        family, device = known
        readings = judge(measured, family.limits)
        problems = (*_problems(pci, family, device, firmware), *_unwell(device, readings))
        return FoundCard(
            pci=pci, family=family, title=device.title, problems=problems, readings=readings
        )
    if pci.device_class >> 8 not in _ACCELERATOR_CLASSES:
        return None
    problem = Problem(
        kind=ProblemKind.UNKNOWN_CARD,
        what=f"card {pci.id} (subsystem {pci.subsystem}) is not in the catalogue",
        remedy="use a card that is, or ask for it to be added",
    )
    return FoundCard(pci=pci, family=None, title=f"unknown card {pci.id}", problems=(problem,))


def _problems(
    pci: PCIDevice, family: Family, device: Device, firmware: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield the problems of a known card: those of its firmware first, for they cause others."""
    for file in family.firmware:
        yield from _firmware_problems(file, device, firmware)
    if pci.driver is None:
        yield Problem(
            kind=ProblemKind.NO_DRIVER,
            what=f"no driver is bound to {device.title}; it needs {family.module}",
            remedy=f"use an image with profile {family.profile.value}, and look for "
            f"{family.module} in the kernel's log",
        )
    elif pci.driver != family.binds_as:
        yield Problem(
            kind=ProblemKind.OTHER_DRIVER,
            what=f"driver {pci.driver} is bound to {device.title}, not {family.binds_as}",
            remedy=f"unbind {pci.driver}, or keep it from loading",
        )


def _unwell(device: Device, readings: Iterable[Reading]) -> Iterator[Problem]:
    """Yield what a card's failed readings say; a warning keeps no job from using it."""
    for one in readings:
        if one.health is Health.FAILED:
            yield Problem(
                kind=ProblemKind.UNWELL,
                what=f"{device.title} is unwell: {one.metric} is {one.value:g}",
                remedy="restart the machine; if it stays so, have the card replaced",
            )


def _firmware_problems(
    file: FirmwareFile, device: Device, firmware: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield what is wrong with one file; its contents count only where the catalogue has a hash."""
    package = file.package or "a package of the card's vendor"
    seen = firmware.get(file.file)
    if seen is None:
        yield Problem(
            kind=ProblemKind.MISSING_FIRMWARE,
            what=f"firmware {file.file} of {device.title} is missing",
            remedy=f"use an image that has {package}",
        )
    elif file.sha256 is not None and seen != file.sha256:
        yield Problem(
            kind=ProblemKind.WRONG_FIRMWARE,
            what=f"firmware {file.file} of {device.title} is not the catalogue's "
            f"(SHA-256 begins {seen[:16]}, not {file.sha256[:16]})",
            remedy=f"use an image that has {package} {file.package_version or ''}".rstrip(),
        )
