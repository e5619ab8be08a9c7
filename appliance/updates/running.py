"""What runs here, as its own verified /usr says."""

import platform
import time
from typing import Final

from appliance.store.migrate import known_revisions
from appliance.updates.rules import Here

_ARCHITECTURES: Final = {"x86_64": "x86-64", "aarch64": "arm64"}


def read_here() -> Here:
    """Return what runs here at this moment; outside the appliance it has no version."""
    release = platform.freedesktop_os_release()
    return Here(
        image=release.get("IMAGE_ID", ""),
        version=release.get("IMAGE_VERSION", ""),
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        floor="",
        revision=known_revisions()[-1],
        now=int(time.time()),
    )
