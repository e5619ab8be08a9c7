"""What runs here, as its own verified /usr says."""

import platform
import time
from pathlib import Path
from typing import Final

from appliance.updates.record import Record
from appliance.updates.rules import Here
from appliance.updates.states import UpdateState
from services.errors import ServiceError

_ARCHITECTURES: Final = {"x86_64": "x86-64", "aarch64": "arm64"}


def read_here(revision: str = "") -> Here:
    """Return what runs here at this moment; outside the appliance it has no version.

    revision: that the database has by now; empty for who does not ask for it.
    """
    release = platform.freedesktop_os_release()
    # An image with other drivers has another name, and is no update of this one.
    names = (release.get("IMAGE_ID"), release.get("VARIANT_ID"))
    return Here(
        image="-".join(name for name in names if name),
        version=release.get("IMAGE_VERSION", ""),
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        floor="",
        revision=revision,
        now=int(time.time()),
    )


def has_come_back(root: Path = Path("/")) -> bool:
    """Return whether this version runs again because the one after it did not start well."""
    try:
        update = Record.read(root).update
    except ServiceError:
        return False
    is_back = update is not None and update.state is UpdateState.FELL_BACK
    return is_back and update is not None and update.replaced == read_here().version
