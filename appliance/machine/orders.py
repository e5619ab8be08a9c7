"""What the machine's helper can be asked: every order, with all its values checked.

The helper reads one order for each connection and checks it again, whoever sent it. To add one:
a class here, a function in ``doing/``, a line in its table.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from appliance.machine.errors import OrderRefused
from appliance.machine.network import NetworkPlan

MOST_ORDER_BYTES: Final = 64 << 10
CONFIRM_SECONDS: Final = 300


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


Order: TypeAlias = Annotated[
    Restart | PowerOff | SetNetwork | ConfirmNetwork | ShowNetwork,
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
