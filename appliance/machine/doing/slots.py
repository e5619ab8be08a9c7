"""The two copies of the system: units of their own change them, with what only they may do."""

import time
from typing import Final

from appliance.machine.ask import Facts
from appliance.machine.errors import OrderRefused
from appliance.machine.orders import ChangeSlots
from appliance.machine.tools import Tools

_UNIT: Final = "coffer-update@{}.service"
_INSTALLS: Final = ("install", "stick")
_STOP_SECONDS: Final = 90.0
ENDING_SECONDS: Final = 10.0
"""How long an installation may still run that has said that it is done."""
_POLL_SECONDS: Final = 0.2


def change_slots(order: ChangeSlots, tools: Tools) -> Facts:
    """Begin to install, or do what takes a moment. What comes of it stands in the updates' record.

    Raises: OrderRefused if a bundle is being installed; ProgramFailed.
    """
    deadline = time.monotonic() + ENDING_SECONDS
    while installing := [verb for verb in _INSTALLS if _runs(verb, tools)]:
        if order.verb == "cancel" or time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    if order.verb == "cancel" and installing:
        tools.run("systemctl", "stop", *map(_UNIT.format, installing), seconds=_STOP_SECONDS)
        return {}
    if installing:
        raise OrderRefused(
            "an update is being installed", remedy='wait, or stop it: "coffer updates cancel"'
        )
    waits = ("--no-block",) if order.verb in _INSTALLS else ()
    tools.run("systemctl", "start", *waits, _UNIT.format(order.verb), seconds=_STOP_SECONDS)
    return {}


def _runs(verb: str, tools: Tools) -> bool:
    words = ("systemctl", "show", "--property=ActiveState", "--value", _UNIT.format(verb))
    return tools.run(*words).strip() in ("activating", "deactivating", "reloading")
