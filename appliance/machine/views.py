"""What callers of the API say and see of a machine, from and to the values of this noun."""

import json
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

from appliance.api import agent_pb2 as pb
from appliance.machine import orders
from appliance.machine.ask import Facts
from appliance.machine.controls import Finding
from appliance.machine.disks import Disk, Filesystem
from appliance.machine.load import Load
from appliance.machine.posture import Posture
from appliance.machine.posture import Problem as MachineProblem
from appliance.machine.recovery import RecoveryKey
from firmware.cards.found import FoundCard
from firmware.cards.found import Problem as CardProblem

UNSEALED: Final = MachineProblem(
    what="the node's identity key is not sealed to the TPM",
    remedy="restart the appliance; if it stays so, see why:"
    " coffer machine logs --unit coffer-machine-seal.service",
)


def set_network(request: pb.SetNetworkRequest) -> BaseModel:
    """Return the order that a request asks for. Raises: OrderRefused, with what is wrong."""
    asked = request.plan
    order: dict[str, Any] = {
        "kind": "set-network",
        "plan": {
            "node_name": asked.node_name or None,
            "interfaces": [_interface(one) for one in asked.interfaces],
        },
    }
    if request.confirm_within_seconds:
        order["confirm_within_seconds"] = request.confirm_within_seconds
    return _parsed(order)


def set_time_servers(request: pb.SetTimeServersRequest) -> BaseModel:
    """Return the order that a request asks for. Raises: OrderRefused."""
    servers = [{"name": one.name, "nts": one.nts} for one in request.servers]
    return _parsed({"kind": "set-time-servers", "servers": servers})


def bind_disk(request: pb.BindDiskRequest) -> BaseModel:
    """Return the order that a request asks for. Raises: OrderRefused, without the key."""
    return _parsed({"kind": "bind-disk", "recovery_key": request.recovery_key or None})


def factory_reset(request: pb.FactoryResetRequest) -> BaseModel:
    """Return the order that a request asks for. Raises: OrderRefused."""
    return _parsed({"kind": "factory-reset", "serial_number": request.serial_number})


def read_log(request: pb.ReadLogRequest) -> BaseModel:
    """Return the order that a request asks for. Raises: OrderRefused."""
    order: dict[str, Any] = {"kind": "read-log", "unit": request.unit}
    order |= {"since_seconds": request.since_seconds} if request.since_seconds else {}
    order |= {"lines": request.lines} if request.lines else {}
    return _parsed(order)


def hardening(findings: Sequence[Finding]) -> pb.Hardening:
    """Return what callers see of how a machine fares with controls."""
    return pb.Hardening(
        findings=[
            pb.ControlFinding(
                title=one.title, cites=one.cites, verdict=one.verdict.value, why=one.why
            )
            for one in findings
        ]
    )


def network_view(facts: Facts) -> pb.NetworkView:
    """Return what the helper told of the network."""
    told: Any = facts
    view = pb.NetworkView(
        kept=_plan(told["kept"]),
        trial_seconds=told["trial_seconds"],
        interfaces=told["interfaces"],
    )
    if told["trial"] is not None:
        view.trial.CopyFrom(_plan(told["trial"]))
    return view


def time_view(facts: Facts, now_milliseconds: int) -> pb.TimeView:
    """Return what the helper told of the servers and the clock."""
    told: Any = facts
    return pb.TimeView(
        servers=[pb.TimeServer(**server) for server in told["servers"]],
        is_synchronised=told["is_synchronised"],
        now_milliseconds=now_milliseconds,
    )


def disks_view(disks: Sequence[Disk], filesystems: Sequence[Filesystem]) -> pb.ListDisksReply:
    """Return the machine's disks and file systems."""
    return pb.ListDisksReply(
        disks=[
            pb.Disk(
                name=one.name,
                model=one.model,
                size_bytes=one.size_bytes,
                rotates=one.rotates,
                is_removable=one.is_removable,
            )
            for one in disks
        ],
        filesystems=[
            pb.Filesystem(
                place=one.place,
                kind=one.kind,
                size_bytes=one.size_bytes,
                free_bytes=one.free_bytes,
                is_read_only=one.is_read_only,
            )
            for one in filesystems
        ],
    )


def log_view(facts: Facts) -> pb.Log:
    """Return the entries that the helper read."""
    told: Any = facts
    entries = [pb.LogEntry(**entry) for entry in told["entries"]]
    return pb.Log(entries=entries, is_cut=told["is_cut"])


def machine_view(
    posture: Posture,
    load: Load,
    cards: Sequence[FoundCard],
    recovery: RecoveryKey,
    *,
    is_key_sealed: bool,
) -> pb.MachineView:
    """Return what local callers see of a machine; outside the appliance no key is sealed."""
    unsealed = [UNSEALED] * (posture.is_appliance and not is_key_sealed)
    view = pb.MachineView(
        is_appliance=posture.is_appliance,
        image_version=posture.image_version,
        kernel=posture.kernel,
        lockdown=posture.lockdown,
        requires_signed_modules=posture.requires_signed_modules,
        usr_root_hash=posture.usr_root_hash,
        usr_is_read_only=posture.usr_is_read_only,
        var_is_encrypted=posture.var_is_encrypted,
        pcrs=posture.pcrs,
        taint=posture.taint,
        problems=map(_problem, (*posture.problems(), *unsealed, *recovery.problems())),
        cores=load.cores,
        busy_fraction=load.busy_fraction,
        memory_bytes=load.memory_bytes,
        memory_free_bytes=load.memory_free_bytes,
        disk_bytes=load.disk_bytes,
        disk_free_bytes=load.disk_free_bytes,
        up_seconds=load.up_seconds,
        addresses=[pb.NetworkAddress(interface=name, address=a) for name, a in load.addresses],
        cards=map(_card, cards),
    )
    if recovery.made_milliseconds is not None:
        view.recovery_key_made_milliseconds = recovery.made_milliseconds
    if posture.secure_boot is not None:
        view.secure_boot = posture.secure_boot
    return view


def _card(card: FoundCard) -> pb.AcceleratorCard:
    return pb.AcceleratorCard(
        address=card.pci.address,
        title=card.title,
        driver=card.pci.driver or "",
        speeds_up=[work.value for work in card.family.speeds_up] if card.family else [],
        problems=map(_problem, card.problems),
        readings=[
            pb.CardReading(metric=one.metric, value=one.value, health=one.health.value)
            for one in card.readings
        ],
    )


def _problem(problem: MachineProblem | CardProblem) -> pb.Problem:
    return pb.Problem(what=problem.what, remedy=problem.remedy)


def _parsed(order: dict[str, Any]) -> BaseModel:
    """Check an order here too, so that what is wrong is told before the helper is asked."""
    made: BaseModel = orders.parse_order(json.dumps(order).encode())
    return made


def _interface(one: pb.NetworkInterface) -> dict[str, Any]:
    return {
        "name": one.name,
        "dhcp": one.dhcp or "no",
        "addresses": list(one.addresses),
        "gateways": list(one.gateways),
        "dns": list(one.dns),
        "domains": list(one.domains),
        "mtu_bytes": one.mtu_bytes or None,
    }


def _plan(told: dict[str, Any]) -> pb.NetworkPlan:
    interfaces = [
        pb.NetworkInterface(**{name: value for name, value in one.items() if value is not None})
        for one in told["interfaces"]
    ]
    return pb.NetworkPlan(node_name=told["node_name"] or "", interfaces=interfaces)
