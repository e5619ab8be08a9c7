"""Collects what only root may read for a support bundle: redacted here, before anybody gets it."""

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from appliance.machine.ask import Facts
from appliance.machine.doing import clock, network
from appliance.machine.doing.journal import entries
from appliance.machine.orders import CollectSupport, ShowNetwork, ShowTimeServers
from appliance.machine.redaction import Redactor
from appliance.machine.tools import Tools

LINES: Final = 20_000
DAYS: Final = 7
PIECE_CHARACTERS: Final = 256 << 10

MOST_NAME_BYTES: Final = 255
UNITS: Final = "usr/lib/systemd/system"

# Programs of ours: of what they log only the place in the code goes in, as texts may tell of data.
_OURS: Final = ("coffer",)


class _Unit(BaseModel):
    """A line of systemctl's list; everything else that it says is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    unit: str
    load: str
    active: str
    sub: str


_Units: Final = TypeAdapter(tuple[_Unit, ...])


def collect_support(order: CollectSupport, tools: Tools) -> Facts:
    """Tell the files of the bundle in pieces, as progress; done tells how much was taken out."""
    told = tools.run("systemctl", "list-units", "--all", "--output=json", "--no-pager")
    named = {one: _file(one.unit, tools.root) for one in _Units.validate_json(told)}
    units = {one: name for one, name in named.items() if name}
    redactor = Redactor(units.values())
    _tell(tools, "units.json", json.dumps(list(_states(units, redactor)), indent=1))
    _tell(tools, "network.json", json.dumps(_network(tools), indent=1))
    _tell(tools, "clock.json", json.dumps(_clock(tools), indent=1))
    _tell(tools, "journal.jsonl", "\n".join(_journal(tools, redactor, units)))
    return {"taken_out": redactor.taken_out}


def _states(units: Mapping[_Unit, str], redactor: Redactor) -> Iterator[dict[str, str]]:
    for one, name in units.items():
        states = {"load": one.load, "active": one.active, "sub": one.sub}
        yield {"unit": name} | {kind: redactor.text(text) for kind, text in states.items()}


def _tell(tools: Tools, name: str, text: str) -> None:
    for start in range(0, max(1, len(text)), PIECE_CHARACTERS):
        tools.tell({"file": name, "text": text[start : start + PIECE_CHARACTERS]})


def _network(tools: Tools) -> Any:
    """Return the plan without its names: what is left are addresses, numbers and choices."""
    shown: Any = network.show_network(ShowNetwork(), tools)
    for plan in filter(None, (shown["kept"], shown["trial"])):
        plan["node_name"] = plan["node_name"] is not None
        for one in plan["interfaces"]:
            one["domains"] = len(one["domains"])
    return shown


def _clock(tools: Tools) -> Any:
    told: Any = clock.show_time_servers(ShowTimeServers(), tools)
    return {"servers": [{"nts": one["nts"]} for one in told["servers"]]}


def _journal(tools: Tools, redactor: Redactor, units: Mapping[_Unit, str]) -> Iterator[str]:
    known = {one.unit: name for one, name in units.items()}
    for entry in entries(tools, f"--lines={LINES}", f"--since=-{DAYS}d"):
        is_ours = entry["identifier"].startswith(_OURS) or entry["source"].startswith(_OURS)
        yield json.dumps(
            {
                "milliseconds": entry["milliseconds"],
                "priority": entry["priority"],
                "unit": known.get(entry["source"], ""),
                "about": known.get(entry["unit"], ""),
                "said": _place(entry["code"]) if is_ours else redactor.text(entry["text"]),
            },
            ensure_ascii=False,
        )


def _file(unit: str, root: Path) -> str:
    """Return the image's own file of a unit, without its instance; empty if it has none."""
    template, at, rest = unit.partition("@")
    name = f"{template}@.{rest.rpartition('.')[2]}" if at else unit
    is_name = "/" not in name and len(name.encode()) <= MOST_NAME_BYTES
    return name if is_name and (root / UNITS / name).is_file() else ""


def _place(code: str) -> str:
    """Return the line of our own code that logged; of anything else nothing."""
    path, _, line = code.rpartition(":")
    name = path.rpartition("/appliance/")[2]
    is_known = (
        ".." not in name and name.endswith(".py") and files("appliance").joinpath(name).is_file()
    )
    return f"appliance/{name}:{line}" if is_known and line.isdecimal() else ""
