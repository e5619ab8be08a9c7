"""A policy written for people: every key is there, with a comment that says what it means."""

import textwrap
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import tomlkit
from pydantic import BaseModel
from tomlkit import TOMLDocument
from tomlkit.items import Item, Table

from appliance.policies.policy import NEVER, ColumnRule, Policy
from appliance.policies.values import plain_text

_WIDTH: Final = 96


def write_policy(policy: Policy, names: Mapping[str, str] | None = None) -> str:
    """Return the policy as TOML; :func:`parse_policy` reads it as the same policy.

    names: this node's names for node ids, said in comments.
    """
    document = tomlkit.document()
    own_names = names or {}
    for name, field in Policy.model_fields.items():
        value = getattr(policy, name)
        known = own_names.keys() & value if name == "peers" else ()
        _add(
            document,
            name,
            value,
            field.description or "",
            *(f"{node} is {own_names[node]}" for node in sorted(known)),
        )
        document.add(tomlkit.nl())
    return tomlkit.dumps(document).rstrip() + "\n"


def _add(to: TOMLDocument | Table, name: str, value: object, *meaning: str) -> None:
    """Add a key with its meaning above it, or a table with its meaning as its first lines."""
    if isinstance(value, BaseModel):
        table = _table(*meaning)
        for key, field in type(value).model_fields.items():
            _add(table, key, getattr(value, key), field.description or "")
        to.add(name, table)
    elif isinstance(value, dict):
        table = _table(*meaning)
        for column, rule in value.items():
            table.add(column, _rule_item(rule))
        to.add(name, table)
    elif value is None:
        _explain(to, *meaning, f"{name} is not said.")
    else:
        _explain(to, *meaning)
        to.add(name, _item(value))


def _table(*meaning: str) -> Table:
    table = tomlkit.table()
    _explain(table, *meaning)
    return table


def _explain(to: TOMLDocument | Table, *meaning: str) -> None:
    for sentence in meaning:
        for line in textwrap.wrap(sentence, _WIDTH):
            to.add(tomlkit.comment(line))


def _rule_item(rule: ColumnRule) -> Item:
    words = [use.value for use in rule.uses]
    uses = _item(words if len(words) > 1 else words[0] if words else NEVER)
    if not rule.receivers:
        return uses
    table = tomlkit.inline_table()
    table.append("uses", uses)
    table.append("receivers", _item(rule.receivers))
    return table


def _item(value: Any) -> Item:
    if isinstance(value, Decimal):
        exact: Item = tomlkit.value(plain_text(value))
        return exact
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        array.extend(value)
        return array
    item: Item = tomlkit.item(value.value if isinstance(value, Enum) else value)
    return item
