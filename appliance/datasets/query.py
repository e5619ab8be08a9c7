"""What a query reads, found by parsing it: a dataset's query is one SELECT over named files."""

import json
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

import duckdb

from appliance.datasets.errors import QueryRefused

MOST_CHARACTERS: Final = 65536

# Table functions that read the files in their first argument, and those that read none.
READERS: Final = frozenset(
    ("read_csv", "read_csv_auto", "read_parquet", "parquet_scan", "read_json", "read_json_auto")
)
GENERATORS: Final = frozenset(("range", "generate_series", "unnest", "repeat", "repeat_row"))

LIMITS: Final = frozenset(("LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"))

# SQL words that DuckDB's parser takes for columns.
CLOCKS: Final = frozenset(
    ("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp")
)


def find_files(query: str) -> tuple[str, ...]:
    """Return the absolute paths of the files that a query names, each once.

    Raises: QueryRefused if it isn't one SELECT that gives the same rows from the same files.
    """
    if len(query) > MOST_CHARACTERS:
        raise QueryRefused(f"the query is longer than {MOST_CHARACTERS} characters")
    with duckdb.connect(":memory:", config={"python_enable_replacements": False}) as connection:
        connection.execute("SET enable_external_access = false")
        tree = _parse(connection, query)
        volatile = _volatile(connection)
    nodes = list(_nodes(tree))
    named = {entry["key"] for node in nodes for entry in node.get("cte_map", {}).get("map", ())}
    files: list[str] = []
    for node in nodes:
        _require_steady(node, volatile)
        _require_order(node)
        if node.get("type") == "TABLE_FUNCTION":
            files += _arguments(node["function"])
        elif node.get("type") == "BASE_TABLE" and node["table_name"] not in named:
            files.append(_table(node))
    return tuple(_absolute(path) for path in dict.fromkeys(files))


def _parse(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    [(text,)] = connection.sql("SELECT json_serialize_sql(?)", params=[query]).fetchall()
    try:
        tree = json.loads(text)
    except RecursionError:
        raise QueryRefused("the query is nested too deeply") from None
    if tree["error"] and tree["error_type"] == "parser":
        raise QueryRefused(f"the query cannot be parsed: {tree['error_message'].splitlines()[0]}")
    if tree["error"] or len(tree["statements"]) != 1:
        raise QueryRefused("the query is not one SELECT statement")
    return tree["statements"]


def _volatile(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    rows = connection.sql(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
    ).fetchall()
    return frozenset(name for (name,) in rows)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _require_steady(node: dict[str, Any], volatile: frozenset[str]) -> None:
    name = ""
    if node.get("class") == "FUNCTION" and node["function_name"].lower() in volatile:
        name = node["function_name"]
    elif node.get("class") == "COLUMN_REF" and node["column_names"][-1].lower() in CLOCKS:
        name = node["column_names"][-1]
    elif node.get("sample"):
        name = "a sample"
    if name:
        raise QueryRefused(
            f"the query uses {name}, which gives other rows each time",
            "leave it out: a dataset is the same rows each time it is read",
        )


def _require_order(node: dict[str, Any]) -> None:
    """Refuse a part of a query that takes some rows of many without saying which come first."""
    modifiers = {one["type"] for one in node.get("modifiers", ())}
    if modifiers & LIMITS and "ORDER_MODIFIER" not in modifiers:
        raise QueryRefused(
            "the query uses LIMIT or OFFSET without ORDER BY, which may give other rows each time",
            "say with ORDER BY, by a key, which rows come first",
        )


def _arguments(function: dict[str, Any]) -> list[str]:
    name = function["function_name"].lower()
    if name in GENERATORS:
        return []
    if name not in READERS:
        raise QueryRefused(f"the query reads from {name}(), which datasets may not")
    first = [argument["expression"] for argument in function["arguments"][:1]]
    if first and first[0].get("function_name") == "list_value":
        first = [argument["expression"] for argument in first[0]["arguments"]]
    literals = [expression.get("literal", {}) for expression in first]
    if not literals or any(literal.get("kind") != "STRING" for literal in literals):
        raise QueryRefused(f"the files of {name}() are not written out as text")
    return [literal["text"] for literal in literals]


def _table(node: dict[str, Any]) -> str:
    if node["schema_name"] or node["catalog_name"]:
        raise QueryRefused(f"there is no table {node['schema_name']}.{node['table_name']}")
    return str(node["table_name"])


def _absolute(path: str) -> str:
    if not PurePath(path).is_absolute():
        raise QueryRefused(f"{path} is not the absolute path of a file")
    if any(character in path for character in "*?["):
        raise QueryRefused(f"{path} is a pattern; the files must be named one by one")
    return path
