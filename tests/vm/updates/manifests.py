"""What the bundle of a build says of itself."""

from pathlib import Path

from appliance.updates.bundle import read_manifest
from appliance.updates.manifest import Manifest
from appliance.updates.trust import Trust
from image import bundle as writer
from image import keys, places


def manifest_of(bundle: Path) -> Manifest:
    """Return a bundle's manifest, of a build that these keys have signed."""
    trust = Trust.parse(writer.trusted(keys.read(places.keys())))
    with bundle.open("rb") as file:
        return read_manifest(file, trust)
