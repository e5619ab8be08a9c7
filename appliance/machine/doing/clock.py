"""Sets from which servers the time is taken: by a file of chrony's, laid out at each start."""

from typing import Final

from pydantic import TypeAdapter, ValidationError

from appliance.machine.ask import Facts
from appliance.machine.clock import TimeServer, chrony_file
from appliance.machine.orders import SetTimeServers, ShowTimeServers
from appliance.machine.tools import Tools

KEPT: Final = "var/lib/coffer-machine/time-servers.json"
FILE: Final = "etc/chrony/conf.d/servers.conf"
IMAGE_FILE: Final = "usr/share/factory/etc/chrony/conf.d/servers.conf"

_Servers: Final = TypeAdapter(tuple[TimeServer, ...])


def set_time_servers(order: SetTimeServers, tools: Tools) -> Facts:
    """Follow other servers from now on."""
    tools.write(KEPT, _Servers.dump_json(order.servers).decode(), mode=0o600)
    _lay_out(order.servers, tools)
    tools.run("systemctl", "try-restart", "chrony.service")
    return {}


def show_time_servers(order: ShowTimeServers, tools: Tools) -> Facts:
    """Tell the servers that were set, none for the image's own, and whether the kernel follows."""
    said = tools.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    return {
        "servers": [server.model_dump() for server in _kept(tools)],
        "is_synchronised": said.strip() == "yes",
    }


def restore_time_servers(tools: Tools) -> None:
    """Lay out what is kept, when the machine starts and chrony has not."""
    if servers := _kept(tools):
        _lay_out(servers, tools)


def _lay_out(servers: tuple[TimeServer, ...], tools: Tools) -> None:
    tools.write(FILE, chrony_file(servers) if servers else tools.read(IMAGE_FILE) or "")


def _kept(tools: Tools) -> tuple[TimeServer, ...]:
    """Return what is kept; nothing, so the image's own, if it cannot be read."""
    try:
        return _Servers.validate_json(tools.read(KEPT) or "[]", extra="ignore")
    except ValidationError:
        return ()
