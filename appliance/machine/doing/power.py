"""Restarting and switching off: all services are stopped first, as systemd does it."""

from appliance.machine.ask import Facts
from appliance.machine.orders import PowerOff, Restart
from appliance.machine.tools import Tools


def restart(order: Restart, tools: Tools) -> Facts:
    """Begin to restart; the answer comes before the helper itself is stopped."""
    return _begin("reboot.target", tools)


def power_off(order: PowerOff, tools: Tools) -> Facts:
    """Begin to switch off."""
    return _begin("poweroff.target", tools)


def _begin(target: str, tools: Tools) -> Facts:
    tools.run("systemctl", "start", "--no-block", "--job-mode=replace-irreversibly", target)
    return {}
