"""Draws the tables of states into appliance/STATES.md: ``make diagrams``."""

import importlib
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

from tests.repository import tree

DRAWN: Final = tree.ROOT / "appliance/STATES.md"
_HEAD: Final = """# States

Drawn by `make diagrams` from the tables in each noun's `states.py`; a test fails when it is stale.
"""

Table = Mapping[tuple[Enum, Enum], Enum]


def tables() -> Iterator[tuple[str, Table]]:
    """Yield each table of states with the file that it stands in."""
    for path in sorted((tree.ROOT / "appliance").glob("*/states.py")):
        name = str(path.relative_to(tree.ROOT))
        module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
        for variable, value in vars(module).items():
            if variable.endswith("TRANSITIONS"):
                yield name, value


def draw() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_drawn(name, table) for name, table in tables())])


def _drawn(name: str, table: Table) -> str:
    states = type(next(iter(table.values())))
    left = {before for before, _ in table}
    first = next(iter(states))
    lines = [f"## {states.__name__}", "", f"`{name}`", "", "```mermaid", "stateDiagram-v2"]
    lines += [f"    {one.name} : {str(one.value).replace('_', ' ')}" for one in states]
    lines.append(f"    [*] --> {first.name}")
    lines += [
        f"    {old.name} --> {new.name} : {event.value}" for (old, event), new in table.items()
    ]
    lines += [f"    {one.name} --> [*]" for one in states if one not in left]
    return "\n".join([*lines, "```", ""])


if __name__ == "__main__":
    DRAWN.write_text(draw(), encoding="utf-8")
