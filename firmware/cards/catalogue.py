"""The catalogue of accelerator cards: what each family is, needs and may show of its health.

Its data are in ``catalogue.toml`` beside this file; whoever uses them reads that file (it is
:data:`DATA_FILE` of the package ``firmware.cards``) and gives its text to :func:`parse_catalogue`.
"""

import math
import tomllib
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Final

import msgspec

from firmware.errors import MalformedInput

DATA_FILE: Final = "catalogue.toml"
MOST_CHARACTERS: Final = 1024 * 1024

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+.-]{0,127}\Z")]
PCIId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}\Z")]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
# Below /usr/lib/firmware; no part of it begins with a dot.
FirmwarePath = Annotated[str, msgspec.Meta(pattern=r"^(?:\w[\w.-]*/){0,4}\w[\w.-]*\Z")]


class Profile(Enum):
    """The profile of the image that has the driver of a family."""

    BASE = "base"
    NVIDIA = "nvidia"
    QAT = "qat"
    FPGA = "fpga"


class Work(Enum):
    """A kind of work that a card does faster than the processor."""

    CIPHERS = "ciphers"
    HASHES = "hashes"
    PUBLIC_KEYS = "public-keys"
    COMPRESSION = "compression"
    VECTORS = "vectors"
    MATRICES = "matrices"
    RECONFIGURABLE = "reconfigurable"


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One PCI id, ``vendor:device`` in hexadecimal digits; with subsystems, only those."""

    id: PCIId
    title: Title
    subsystems: tuple[PCIId, ...] = ()


class FirmwareFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that the driver loads into the card, below ``/usr/lib/firmware``.

    sha256:  of the file in ``package`` of ``package_version``; None where no package has the file
    licence: as the distribution's copyright file names it
    """

    file: FirmwarePath
    licence: Title
    sha256: Sha256 | None = None
    package: Word | None = None
    package_version: Word | None = None


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a card is unwell: its metric's last word is the unit, counts count since the boot."""

    metric: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z_]{0,63}\Z")]
    warn_above: float | None = None
    fail_above: float | None = None


class Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cards that one driver serves with the same firmware.

    module:         the kernel module that computes with the card
    binds_as:       what sysfs calls the driver that is bound to the PCI device
    source_package: the distribution's source of the module; None if there is none
    licence:        of the module, as SPDX writes it
    is_stand_in:    only tests and virtual machines have such a device
    """

    name: Name
    title: Title
    profile: Profile
    module: Word
    binds_as: Word
    licence: Title
    speeds_up: tuple[Work, ...]
    devices: Annotated[tuple[Device, ...], msgspec.Meta(min_length=1)]
    source_package: Word | None = None
    firmware: tuple[FirmwareFile, ...] = ()
    limits: tuple[Limit, ...] = ()
    is_stand_in: bool = False


class Catalogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All families; each PCI id, with its subsystem, stands in one of them only."""

    family: tuple[Family, ...]

    def find(self, id: str, subsystem: str) -> tuple[Family, Device] | None:
        """Return the family and entry of a PCI device; None if the catalogue has none."""
        for family in self.family:
            for device in family.devices:
                if device.id == id and (not device.subsystems or subsystem in device.subsystems):
                    return family, device
        return None

    def of_profile(self, profile: Profile) -> tuple[Family, ...]:
        """Return the families whose driver is in a profile of the image."""
        return tuple(one for one in self.family if one.profile is profile)


def parse_catalogue(text: str) -> Catalogue:
    """Return the catalogue that a TOML text holds; MalformedInput names what in it is wrong."""
    if len(text) > MOST_CHARACTERS:
        raise MalformedInput(f"catalogue of cards: more than {MOST_CHARACTERS} characters")
    try:
        catalogue = msgspec.convert(tomllib.loads(text), Catalogue)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise MalformedInput(f"catalogue of cards: {error}") from None
    faults = list(_faults(catalogue))
    if faults:
        raise MalformedInput(f"catalogue of cards: {faults[0]}")
    return catalogue


def _faults(catalogue: Catalogue) -> Iterator[str]:
    """Yield what the types cannot express: repeated names and ids, limits without a limit."""
    names = Counter(family.name for family in catalogue.family)
    yield from (f"family {name} stands there twice" for name, n in names.items() if n > 1)
    ids: Counter[tuple[str, str]] = Counter()
    for family in catalogue.family:
        for device in family.devices:
            ids.update((device.id, subsystem) for subsystem in device.subsystems or ("",))
        for limit in family.limits:
            given = [one for one in (limit.warn_above, limit.fail_above) if one is not None]
            if not given or not all(map(math.isfinite, given)):
                yield f"{limit.metric} of {family.name} has no limit"
        for file in family.firmware:
            if file.sha256 and not (file.package and file.package_version):
                yield f"{file.file} of {family.name} has a SHA-256 of no package"
    yield from (f"PCI id {id} stands there twice" for (id, _), n in ids.items() if n > 1)
    whole = {id for id, subsystem in ids if not subsystem}
    yield from (
        f"PCI id {id} stands there with subsystems and without"
        for id, subsystem in ids
        if subsystem and id in whole
    )
