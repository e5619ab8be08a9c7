"""What the machine's helper can be asked: every order, with all its values checked.

The helper reads one order for each connection and checks it again, whoever sent it. To add one:
a class here, a function in ``doing/``, a line in its table.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from appliance.machine.clock import MOST_TIME_SERVERS, TimeServer
from appliance.machine.errors import OrderRefused
from appliance.machine.network import NetworkPlan

MOST_ORDER_BYTES: Final = 64 << 10
CONFIRM_SECONDS: Final = 300
MOST_LOG_LINES: Final = 5000

# Without the characters that journalctl takes for a pattern, and never an option.
UnitName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@:\\-]{0,254}$")]
# As systemd-cryptenroll makes it: eight groups of eight letters that all keyboards have alike.
RecoveryKey = Annotated[
    str, StringConstraints(pattern=r"^[cbdefghijklnrtuv]{8}(-[cbdefghijklnrtuv]{8}){7}$")
]
SerialNumber = Annotated[str, StringConstraints(pattern=r"^[ -~]+$", max_length=128)]


class _Order(BaseModel):
    """What goes wrong with a value is said without the value, which may be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Restart(_Order):
    """Stop all services and start the machine again."""

    kind: Literal["restart"] = "restart"


class PowerOff(_Order):
    """Stop all services and switch the machine off."""

    kind: Literal["power-off"] = "power-off"


class SetNetwork(_Order):
    """Set interfaces and the machine's name, undone unless it is confirmed in time.

    confirm_within_seconds: 0 keeps it at once, for who sits at the machine and cannot lose it.
    """

    kind: Literal["set-network"] = "set-network"
    plan: NetworkPlan
    confirm_within_seconds: int = Field(default=CONFIRM_SECONDS, ge=0, le=3600)


class ConfirmNetwork(_Order):
    """Keep the network that was set last: it can be reached."""

    kind: Literal["confirm-network"] = "confirm-network"


class ShowNetwork(_Order):
    """Tell what was set, what of it waits to be confirmed, and which interfaces there are."""

    kind: Literal["show-network"] = "show-network"


class SetTimeServers(_Order):
    """Take the time from other servers; none goes back to the image's own."""

    kind: Literal["set-time-servers"] = "set-time-servers"
    servers: tuple[TimeServer, ...] = Field(default=(), max_length=MOST_TIME_SERVERS)


class ShowTimeServers(_Order):
    """Tell which servers were set, and whether the clock follows them."""

    kind: Literal["show-time-servers"] = "show-time-servers"


class ShowHardware(_Order):
    """Tell the machine's maker, model, serial number and UUID, which root alone may read."""

    kind: Literal["show-hardware"] = "show-hardware"


class ReadLog(_Order):
    """Tell the newest entries of the journal.

    unit:         of one unit alone; empty for all.
    since_seconds: not older than so; None for any age.
    """

    kind: Literal["read-log"] = "read-log"
    unit: UnitName | Literal[""] = ""
    since_seconds: int | None = Field(default=None, ge=1, le=366 * 24 * 3600)
    lines: int = Field(default=100, ge=1, le=MOST_LOG_LINES)


class ShowDiskKeys(_Order):
    """Tell what opens /var: the TPM, a recovery key."""

    kind: Literal["show-disk-keys"] = "show-disk-keys"


class AddRecoveryKey(_Order):
    """Make a recovery key for /var in place of any older one, and tell it this once."""

    kind: Literal["add-recovery-key"] = "add-recovery-key"


class BindDisk(_Order):
    """Bind /var to this TPM and to how the machine was started now, in place of what was bound.

    recovery_key: opens /var where the TPM does not any more; None lets the TPM open it.
    """

    kind: Literal["bind-disk"] = "bind-disk"
    recovery_key: RecoveryKey | None = Field(default=None, repr=False)


class FactoryReset(_Order):
    """Make all that this machine keeps unreadable, and start it as on its first day.

    serial_number: typed by a person, as :class:`ShowHardware` tells it.
    """

    kind: Literal["factory-reset"] = "factory-reset"
    serial_number: SerialNumber


class ChangeSlots(_Order):
    """Install the bundle that the agent has laid down, stop that, or have the other slot start."""

    kind: Literal["change-slots"] = "change-slots"
    verb: Literal["install", "stick", "cancel", "other"]


class CollectSupport(_Order):
    """Tell what a support bundle has from root: states, settings and the journal, redacted."""

    kind: Literal["collect-support"] = "collect-support"


Order: TypeAlias = Annotated[
    Restart
    | PowerOff
    | SetNetwork
    | ConfirmNetwork
    | ShowNetwork
    | SetTimeServers
    | ShowTimeServers
    | ShowHardware
    | ReadLog
    | ShowDiskKeys
    | AddRecoveryKey
    | BindDisk
    | FactoryReset
    | CollectSupport
    | ChangeSlots,
    Field(discriminator="kind"),
]

_ORDERS: Final[TypeAdapter[Any]] = TypeAdapter(Order)


def parse_order(line: bytes) -> Any:
    """Return the order that a line of JSON holds. Raises: OrderRefused, with what is wrong."""
    if len(line) > MOST_ORDER_BYTES:
        raise OrderRefused("the order is too long", remedy="ask for less at once")
    try:
        return _ORDERS.validate_json(line)
    except ValidationError as error:
        raise OrderRefused(_told(error), remedy="see the command's --help") from None


def write_order(order: BaseModel) -> bytes:
    """Return an order as the line that :func:`parse_order` reads."""
    return order.model_dump_json().encode() + b"\n"


def _told(error: ValidationError) -> str:
    """Say what is wrong with the first faulty value, without the value itself."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    what = first["msg"].removeprefix("Value error, ")
    return f"{place}: {what}" if place else what
