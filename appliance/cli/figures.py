"""Shows outputs that are small enough to be read on a terminal, such as a number or a few sums."""

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from appliance.api import agent_pb2 as pb
from appliance.cli.results import NO_EXTENSIONS
from appliance.cli.terminal import clean, table

if TYPE_CHECKING:
    import duckdb

MOST_ROWS: Final = 40
_MOST_COLUMNS: Final = 8
_TOO_MANY: Final = "are too many to be shown here; --copy-to copies them"

# Why an output of a service may have no rows, where that is no plain finding.
_WHY_EMPTY: Final[Mapping[str, str]] = {
    "psi.sum": "nothing is released: fewer rows match than the contract's minimum"
}


def figures(found: pb.JobResult, service: str) -> RenderableType:
    """Show what a job's small outputs hold, each under an empty line; say it of those that do not.

    A file that this user may not read is left out.
    """
    parts: list[RenderableType] = []
    for name, path in sorted(found.files.items()):
        if os.access(path, os.R_OK):
            parts += [Text(), *_shown(name, path, found.row_counts[name], service)]
    return Group(*parts)


def _shown(name: str, path: str, row_count: int, service: str) -> Iterator[RenderableType]:
    if not row_count:
        yield clean(f"{name}: {_WHY_EMPTY.get(service, 'there are no rows')}")
        return
    import duckdb  # loads much, and few commands show rows

    with duckdb.connect(config=NO_EXTENSIONS) as database:
        rows = database.read_parquet(path)
        if row_count > MOST_ROWS:
            yield clean(f"{name}: {row_count:,} rows {_TOO_MANY}")
        elif len(rows.columns) > _MOST_COLUMNS:
            yield clean(f"{name}: {len(rows.columns):,} columns {_TOO_MANY}")
        else:
            yield _table(rows)


def _table(rows: "duckdb.DuckDBPyRelation") -> Table:
    made = table()
    for name, kind in zip(rows.columns, rows.types, strict=True):
        is_number = _is_number(str(kind))
        made.add_column(clean(name), justify="right" if is_number else "left", overflow="fold")
    for row in rows.fetchall():
        made.add_row(*map(_cell, row))
    return made


def _is_number(kind: str) -> bool:
    return kind.startswith("DECIMAL") or kind.endswith("INT") or kind in ("DOUBLE", "FLOAT")


def _cell(value: Any) -> Text:
    return Text("null", style="dim") if value is None else clean(str(value))
