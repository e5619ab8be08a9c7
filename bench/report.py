"""Figures for people: on a terminal, and as an entry of bench/RESULTS.md."""

import sys
from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_WIDTH: Final = 200
"""Of what goes into a file."""


def show(where: dict[str, Any], found: dict[str, dict[str, Any]]) -> None:
    """Print the figures."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    console.print("  ".join(f"{key} {value}" for key, value in where.items()))
    for name, figures in found.items():
        console.print(f"\n[bold]{name}[/bold]")
        for key, value in figures.items():
            if isinstance(value, list):
                console.print(_table(value))
            else:
                console.print(f"{_words(key)}: {value}")


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(*map(_words, rows[0] if rows else ()))
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    return table


def markdown(command: str, where: dict[str, Any], found: dict[str, dict[str, Any]]) -> str:
    """Return entries for bench/RESULTS.md, one a benchmark; ``command`` has NAME for its name."""
    return "\n\n".join(
        "\n".join(_entry(command.replace("NAME", name), where, figures))
        for name, figures in found.items()
    )


def _entry(command: str, where: dict[str, Any], figures: dict[str, Any]) -> Iterator[str]:
    yield f"## {where['at'][:10]}, `{command}`"
    yield ""
    yield (
        f"Machine: {where['cores']} cores of {where['cpu']}, {where['memory_gib']} GiB; Linux "
        f"{where['kernel']}, Python {where['python']}; load before {where['load_before']}."
    )
    plain = {key: value for key, value in figures.items() if not isinstance(value, list)}
    tables = [value for value in figures.values() if isinstance(value, list) and value]
    for rows in (*tables, [{"what": _words(key), "figure": plain[key]} for key in plain]):
        yield ""
        yield _line(map(_words, rows[0]))
        yield "|---" * len(rows[0]) + "|"
        for row in rows:
            yield _line(map(_shown, row.values()))


def _line(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _words(name: str) -> str:
    return name.replace("_", " ").replace(" seconds", " s").replace(" mib", " MiB")


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return " / ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:,.2f}" if value >= 1 else f"{value:.3f}"
    return f"{value:,}" if type(value) is int else str(value)
