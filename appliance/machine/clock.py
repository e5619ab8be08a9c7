"""The machine's clock: from which servers chrony takes the time."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints

MOST_TIME_SERVERS: Final = 8

_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ServerName = Annotated[
    str,
    StringConstraints(
        pattern=rf"^({_LABEL}(\.{_LABEL})*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)$", max_length=253
    ),
]


class TimeServer(BaseModel):
    """A server of the time, by name or address. nts: whether it proves who it is (RFC 8915)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    name: ServerName
    nts: bool = True


def chrony_file(servers: Sequence[TimeServer]) -> str:
    """Return the lines that make chrony follow some servers [chrony.conf(5)].

    Of two or more servers two must agree, so that no single one of them sets the clock.
    """
    lines = [f"server {one.name} iburst{' nts' if one.nts else ''}" for one in servers]
    return "\n".join([*lines, f"minsources {min(2, len(servers))}", ""])
