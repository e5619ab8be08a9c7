"""Which function does which order: one table for all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.machine import orders
from appliance.machine.ask import Facts
from appliance.machine.doing import (
    clock,
    disk_keys,
    factory_reset,
    hardware,
    journal,
    network,
    power,
    slots,
    support,
)
from appliance.machine.tools import Tools


@dataclass(frozen=True, slots=True)
class Way:
    """How one order is done.

    do:    returns the facts of its ``done``; what it refuses it raises as ServiceError.
    alone: orders and tasks of one such name are never done at once; None if it changes nothing.
    by_console: tells of an order whether who stands before the machine may have it done.
    """

    do: Callable[[Any, Tools], Facts]
    alone: str | None = None
    by_console: Callable[[Any], bool] = lambda order: False


def _any(order: object) -> bool:
    return True


# To add an order, add a line; nothing is discovered.
DOING: Final[Mapping[type, Way]] = {
    orders.ChangeSlots: Way(
        slots.change_slots, alone="slots", by_console=lambda order: order.verb == "other"
    ),
    orders.Restart: Way(power.restart, by_console=_any),
    orders.PowerOff: Way(power.power_off),
    orders.SetNetwork: Way(network.set_network, alone="network", by_console=_any),
    orders.ConfirmNetwork: Way(network.confirm_network, alone="network"),
    orders.ShowNetwork: Way(network.show_network, by_console=_any),
    orders.SetTimeServers: Way(clock.set_time_servers, alone="clock"),
    orders.ShowTimeServers: Way(clock.show_time_servers),
    orders.ShowHardware: Way(hardware.show_hardware),
    orders.ReadLog: Way(journal.read_log),
    orders.ShowDiskKeys: Way(disk_keys.show_disk_keys),
    orders.AddRecoveryKey: Way(disk_keys.add_recovery_key, alone="disk"),
    orders.BindDisk: Way(
        disk_keys.bind_disk,
        alone="disk",
        by_console=lambda order: order.recovery_key is not None,
    ),
    orders.CollectSupport: Way(support.collect_support),
    orders.FactoryReset: Way(factory_reset.factory_reset, alone="disk", by_console=_any),
}
