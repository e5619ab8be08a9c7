"""Where verified parts lie for systemd-sysupdate, and under which names."""

import shutil
from pathlib import Path
from typing import Final

from appliance.updates.manifest import Part
from appliance.updates.record import FOLDER

STAGED: Final = FOLDER / "staged"
PARTIAL: Final = FOLDER / "staged.new"
"""Until all parts are there and verified; sysupdate does not look here."""


def clear(root: Path) -> None:
    """Remove what was laid out for the other slot."""
    for place in (PARTIAL, STAGED):
        shutil.rmtree(root / place, ignore_errors=True)


def staged_name(version: str, part: Part) -> str:
    """Return the name by which the transfers in /usr/lib/sysupdate.d find a part."""
    if part.name == "uki":
        return f"coffer_{version}.efi"
    return f"coffer_{version}.{part.name}.{part.partition_id}.raw"
