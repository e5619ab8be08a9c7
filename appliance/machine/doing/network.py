"""Sets the network by systemd-networkd, on trial until somebody has reached the machine by it.

What is kept lies on /var and is laid out anew in /run at each start. What is on trial lies in /run
alone, so that a restart undoes it, as the timer does when its time is over.
"""

import time
from typing import Final

from pydantic import BaseModel, ValidationError

from appliance.machine.ask import Facts
from appliance.machine.errors import OrderRefused, ProgramFailed
from appliance.machine.network import FILE_PREFIX, NetworkPlan, files_of
from appliance.machine.orders import ConfirmNetwork, SetNetwork, ShowNetwork
from appliance.machine.tools import Tools

KEPT: Final = "var/lib/coffer-machine/network.json"
TRIAL: Final = "run/coffer-machine/network-trial.json"
FOLDER: Final = "run/systemd/network"
IMAGE_NAME: Final = "usr/share/factory/etc/hostname"
UNDO_TIMER: Final = "coffer-machine-undo.timer"


_NETWORKD: Final = "org.freedesktop.network1"
_MANAGER: Final = (_NETWORKD, "/org/freedesktop/network1", f"{_NETWORKD}.Manager")


class Trial(BaseModel):
    """A plan that waits to be confirmed. until_seconds: on the clock since the machine started."""

    plan: NetworkPlan
    until_seconds: float


class _Told(BaseModel):
    """What busctl prints of a reply: here one string, which is JSON again."""

    data: tuple[str]


class _Link(BaseModel):
    Name: str
    Type: str


class _Links(BaseModel):
    Interfaces: tuple[_Link, ...] = ()


def set_network(order: SetNetwork, tools: Tools) -> Facts:
    """Follow a plan now; keep it if nobody needs to confirm it, else start the clock."""
    present = _interfaces(tools)
    for one in order.plan.interfaces:
        if one.name not in present:
            raise OrderRefused(
                f"there is no interface {one.name}",
                remedy=f"there are: {', '.join(present) or 'none'}",
            )
    if order.confirm_within_seconds == 0:
        return _keep(order.plan, tools)
    trial = Trial(plan=order.plan, until_seconds=_now() + order.confirm_within_seconds)
    tools.write(TRIAL, trial.model_dump_json(), mode=0o600)
    tools.run("systemctl", "restart", UNDO_TIMER)
    try:
        _follow(order.plan, tools)
    except ProgramFailed:
        _lay_out(_kept(tools), tools)
        _end_trial(tools)
        raise
    return {"confirm_within_seconds": order.confirm_within_seconds}


def confirm_network(order: ConfirmNetwork, tools: Tools) -> Facts:
    """Keep what is on trial. Raises: OrderRefused if nothing is, or its time is over."""
    trial = _trial(tools)
    if trial is None or trial.until_seconds <= _now():
        raise OrderRefused(
            "no change of the network waits to be confirmed",
            remedy="it was undone; set it again and confirm it sooner",
        )
    return _keep(trial.plan, tools, follow=False)


def show_network(order: ShowNetwork, tools: Tools) -> Facts:
    """Tell the plan that is kept, the one on trial with the time it has, and the interfaces."""
    trial = _trial(tools)
    return {
        "kept": _kept(tools).model_dump(mode="json"),
        "trial": trial.plan.model_dump(mode="json") if trial else None,
        "trial_seconds": max(0, round(trial.until_seconds - _now())) if trial else 0,
        "interfaces": list(_interfaces(tools)),
    }


def restore_network(tools: Tools) -> None:
    """Lay out what is kept, when the machine starts; networkd reads it when it starts after."""
    plan = _kept(tools)
    _lay_out(plan, tools)
    if plan.node_name is not None:
        tools.run("hostnamectl", "hostname", plan.node_name)


def undo_network(tools: Tools) -> None:
    """Go back to what is kept if the time of a trial is over; the timer asks again and again."""
    trial = _trial(tools)
    if trial is not None and trial.until_seconds > _now():
        return
    if trial is not None:
        _follow(_kept(tools), tools)
    _end_trial(tools)


def _keep(plan: NetworkPlan, tools: Tools, *, follow: bool = True) -> Facts:
    tools.write(KEPT, plan.model_dump_json(), mode=0o600)
    if follow:
        _follow(plan, tools)
    _end_trial(tools)
    return {"confirm_within_seconds": 0}


def _end_trial(tools: Tools) -> None:
    (tools.root / TRIAL).unlink(missing_ok=True)
    tools.run("systemctl", "stop", UNDO_TIMER)


def _follow(plan: NetworkPlan, tools: Tools) -> None:
    _lay_out(plan, tools)
    # Not by networkctl, which wants to be in networkd's network namespace; the helper has its own.
    tools.run("busctl", "call", *_MANAGER, "Reload")
    name = plan.node_name or (tools.read(IMAGE_NAME) or "coffer").strip()
    tools.run("hostnamectl", "hostname", name)


def _lay_out(plan: NetworkPlan, tools: Tools) -> None:
    wanted = files_of(plan)
    for old in (tools.root / FOLDER).glob(f"{FILE_PREFIX}*.network"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        tools.write(f"{FOLDER}/{name}", text)


def _kept(tools: Tools) -> NetworkPlan:
    """Return what is kept; what a later version wrote into it besides is left out.

    What cannot be read at all counts as nothing: better every card asks the network than none.
    """
    try:
        return NetworkPlan.model_validate_json(tools.read(KEPT) or "{}", extra="ignore")
    except ValidationError:
        return NetworkPlan()


def _trial(tools: Tools) -> Trial | None:
    text = tools.read(TRIAL)
    return Trial.model_validate_json(text) if text else None


def _interfaces(tools: Tools) -> tuple[str, ...]:
    """Return the network cards that networkd knows, in order; the loopback is none."""
    told = tools.run("busctl", "--json=short", "call", *_MANAGER, "Describe")
    try:
        links = _Links.model_validate_json(_Told.model_validate_json(told).data[0]).Interfaces
    except ValidationError:
        raise ProgramFailed(
            "systemd-networkd is not understood", remedy="restart the appliance"
        ) from None
    return tuple(sorted(link.Name for link in links if link.Type != "loopback"))


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
