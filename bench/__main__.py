"""Run benchmarks: ``python -m bench NAME [--quick] [--json] [--peers]``."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench import channel, psi

BENCHMARKS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "channel": channel.run,
    "psi": psi.run,
}


def main() -> int:
    """Run what the command line names; 1 if a benchmark found a wrong result or a missed bound."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*BENCHMARKS, "all"])
    parser.add_argument("--quick", action="store_true", help="smaller, under a minute each")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--peers", action="store_true", help="run others' systems beside ours")
    asked = parser.parse_args()
    names = list(BENCHMARKS) if asked.name == "all" else [asked.name]
    where = machine()
    found = {name: BENCHMARKS[name](quick=asked.quick, peers=asked.peers) for name in names}
    if asked.json:
        print(json.dumps({"machine": where, "figures": found}, indent=2))
    else:
        show(where, found)
    return 0 if all(figures.get("passed", True) for figures in found.values()) else 1


def machine() -> dict[str, Any]:
    """Say what these figures were taken on, and when."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def show(where: dict[str, Any], found: dict[str, dict[str, Any]]) -> None:
    """Print the figures for people."""
    console = Console()
    console.print("  ".join(f"{key} {value}" for key, value in where.items()))
    for name, figures in found.items():
        console.print(f"\n[bold]{name}[/bold]")
        for key, value in figures.items():
            if isinstance(value, list):
                console.print(_table(value))
            elif isinstance(value, dict):
                console.print(f"{key.replace('_', ' ')}:")
                for inner, figure in value.items():
                    console.print(f"  {inner.replace('_', ' ')}: {figure}")
            else:
                console.print(f"{key.replace('_', ' ')}: {value}")


def _table(rows: list[dict[str, Any]]) -> Table:
    """Return one line for each row of figures; all rows have the same keys."""
    table = Table(*(key.replace("_", " ") for key in rows[0]))
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    return table


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " / ".join(map(str, value))
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
