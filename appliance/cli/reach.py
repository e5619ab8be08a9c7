"""Which agent a command asks: that of a state folder, or that of a node from afar.

What only nodes from afar need is loaded only for them: most commands should start quickly.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from appliance.api.ways import Way

if TYPE_CHECKING:
    from appliance.remote.folder import RemoteFolder


def way_to(state: Path, at: str) -> Path | Way:
    """Return the way to the node from afar that is called ``at``; without one, ``state``.

    Raises: RemoteNotFound, and its kin.
    """
    if not at:
        return state
    from appliance.remote.way import RemoteWay

    folder = remote_folder()
    return RemoteWay(folder.find(at), folder.key())


def remote_folder() -> "RemoteFolder":
    """Return the folder with this user's key and pins."""
    from appliance.remote.folder import RemoteFolder

    return RemoteFolder(Path(typer.get_app_dir("coffer")))
