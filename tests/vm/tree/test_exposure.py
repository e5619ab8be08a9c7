"""How much of the system each unit of ours could reach, as systemd counts it."""

import re
from pathlib import Path
from typing import Final

import pytest

from image.toolchain import Place, Toolchain

MOST_EXPOSED: Final = 2.0
INSIDE: Final = Path("/coffer/tree")
# Others' services that the image confines further; chrony sets the clock and is on the network.
OTHERS: Final = {
    "chrony.service": 3.1,
    "nftables.service": 2.0,
    "prometheus.service": 2.0,
    "prometheus-node-exporter.service": 2.0,
}


def exposure(tools: Toolchain, root: Path, unit: str) -> float:
    told = tools.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--root={INSIDE}", unit],
        remedy="read what systemd-analyze says of the unit",
        seen=(Place(outside=root, inside=INSIDE),),
    )
    found = re.search(r"exposure level for \S+: ([0-9.]+)", told)
    assert found, told
    return float(found[1])


def test_no_unit_of_ours_is_exposed(tools: Toolchain, root: Path) -> None:
    folder = root / "usr/lib/systemd/system"
    units = sorted(path.name for path in folder.glob("coffer*.service") if path.is_file())

    assert len(units) >= 8
    exposed = {unit: exposure(tools, root, unit) for unit in units}
    assert {unit: level for unit, level in exposed.items() if level > MOST_EXPOSED} == {}


@pytest.mark.parametrize(("unit", "most"), OTHERS.items())
def test_units_of_others_are_confined_further(
    tools: Toolchain, root: Path, unit: str, most: float
) -> None:
    assert exposure(tools, root, unit) <= most
