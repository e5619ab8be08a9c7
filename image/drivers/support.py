"""Which cards of the catalogue an image cannot serve although it has their profile, and why."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import firmware.cards
from firmware.cards.catalogue import DATA_FILE, Catalogue, Profile, parse_catalogue


def read_catalogue() -> Catalogue:
    """Return the catalogue in the tree."""
    file = Path(firmware.cards.__file__).with_name(DATA_FILE)
    return parse_catalogue(file.read_text(encoding="utf-8"))


def gaps(profiles: Iterable[str]) -> list[str]:
    """Return a line for each family that stays without driver or firmware in these profiles."""
    known = {one.value: one for one in Profile}
    chosen = [known[name] for name in profiles if name in known]
    return list(_gaps(read_catalogue(), chosen))


def _gaps(catalogue: Catalogue, profiles: Iterable[Profile]) -> Iterator[str]:
    for family in (one for profile in profiles for one in catalogue.of_profile(profile)):
        if family.source_package is None:
            yield f"{family.title}: Debian has no source of {family.module}, so it has no driver"
        missing = [one.file for one in family.firmware if one.package is None]
        if missing:
            yield f"{family.title}: no package of Debian has {', '.join(missing)}, so it stays off"
