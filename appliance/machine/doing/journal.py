"""Reads the system's journal, with limits on how much."""

import json
from collections.abc import Iterator
from typing import Any, Final

from appliance.machine.ask import Facts
from appliance.machine.orders import ReadLog
from appliance.machine.tools import Tools

MOST_TEXT: Final = 2000
MOST_BYTES: Final = 2 << 20
FIELDS: Final = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER,CODE_FILE,CODE_LINE"


def read_log(order: ReadLog, tools: Tools) -> Facts:
    """Tell the newest entries, oldest first; as many as fit if they are too long."""
    words = [f"--lines={order.lines}"]
    words += [f"--unit={order.unit}"] if order.unit else []
    words += [f"--since=-{order.since_seconds}s"] if order.since_seconds else []
    kept: list[Any] = []
    total_bytes = 0
    for entry in reversed(list(entries(tools, *words))):
        total_bytes += len(json.dumps(entry))
        if total_bytes > MOST_BYTES:
            break
        kept.append({name: entry[name] for name in ("milliseconds", "source", "priority", "text")})
    return {"entries": kept[::-1], "is_cut": total_bytes > MOST_BYTES}


def entries(tools: Tools, *words: str) -> Iterator[dict[str, Any]]:
    """Return entries of the journal, whose texts are cut and may have come from anybody."""
    told = tools.run(
        "journalctl", "--no-pager", "--quiet", "--output=json", f"--output-fields={FIELDS}", *words
    )
    for line in told.splitlines():
        entry = json.loads(line)
        yield {
            "milliseconds": int(entry.get("__REALTIME_TIMESTAMP", 0)) // 1000,
            "source": _text(entry.get("_SYSTEMD_UNIT") or entry.get("SYSLOG_IDENTIFIER")),
            "identifier": _text(entry.get("SYSLOG_IDENTIFIER")),
            "unit": _text(entry.get("UNIT")),
            "priority": int(entry["PRIORITY"]) if str(entry.get("PRIORITY")).isdecimal() else 6,
            "code": f"{_text(entry.get('CODE_FILE'))}:{_text(entry.get('CODE_LINE'))}",
            "text": _text(entry.get("MESSAGE")),
        }


def _text(value: Any) -> str:
    """Return a field's text; of bytes that are no UTF-8, journalctl gives the numbers."""
    if isinstance(value, list):
        value = bytes(one & 0xFF for one in value if isinstance(one, int)).decode(
            "utf-8", "replace"
        )
    return str(value or "")[:MOST_TEXT]
