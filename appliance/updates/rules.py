"""What may be installed on this machine: pure rules over a manifest and what runs here."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from appliance.updates import errors
from appliance.updates.manifest import Manifest

CLOCK_SECONDS: Final = 24 * 3600
"""How far a machine's clock may be behind the vendor's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What runs here.

    floor:    the newest version that has ever passed its health check here.
    revision: of the node's database; empty before there is one.
    now:      seconds since 1970.
    """

    image: str
    version: str
    architecture: str
    floor: str
    revision: str
    now: int


def require_fit(manifest: Manifest, here: Here) -> None:
    """Return if the release may be installed here, else raise the UpdateRefused that says why."""
    if manifest.image != here.image:
        raise errors.BundleForOther(manifest.image)
    if manifest.architecture != here.architecture:
        raise errors.BundleForMachine(manifest.architecture, here.architecture)
    if manifest.version == here.version:
        raise errors.BundleRunning(manifest.version)
    floor = max(here.version, here.floor)
    if manifest.version < floor:
        raise errors.BundleOlder(manifest.version, floor)
    if manifest.created > here.now + CLOCK_SECONDS:
        raise errors.BundleUnripe(_day(manifest.created))
    if manifest.expires <= here.now:
        raise errors.BundleExpired(manifest.version, _day(manifest.expires))
    if here.version < manifest.oldest_replaced:
        raise errors.BundleSkips(manifest.version, manifest.oldest_replaced)
    if here.revision and here.revision not in manifest.schemas:
        raise errors.StateUnreadable(manifest.version, here.revision)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
