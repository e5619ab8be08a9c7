"""Restarting and switching off: all services are stopped first, as systemd does it."""

from appliance.machine.ask import Facts
from appliance.machine.orders import PowerOff, Restart
from appliance.machine.tools import Tools


def restart(order: Restart, tools: Tools) -> Facts:
    """Begin to restart; the answer comes before the helper itself is stopped."""
    begin_restart(tools)
    return {}


def power_off(order: PowerOff, tools: Tools) -> Facts:
    """Begin to switch off."""
    _begin("poweroff.target", tools)
    return {}


def begin_restart(tools: Tools) -> None:
    """Have systemd restart the machine; it comes back at once."""
    _begin("reboot.target", tools)


def _begin(target: str, tools: Tools) -> None:
    tools.run("systemctl", "start", "--no-block", "--job-mode=replace-irreversibly", target)
