"""Writes the database's newest schema, and that of policies: ``make schema``."""

import json
from typing import Final

import sqlalchemy as sa

from appliance.policies.policy import policy_schema
from appliance.store.migrate import NEWEST
from appliance.store.upgrade import upgrade
from tests.repository import tree

_MADE = "SELECT sql FROM sqlite_master WHERE sql NOT NULL AND name <> 'sqlite_sequence'"

POLICY_SCHEMA: Final = tree.ROOT / "appliance/policies/policy.schema.json"


def write_policy_schema() -> str:
    """Return the JSON schema of the document that a dataset's owner writes."""
    return json.dumps(policy_schema(), indent=2) + "\n"


def write() -> str:
    """Return the statements that make the newest schema."""
    with sa.create_engine("sqlite://").connect() as connection:
        upgrade(connection)
        statements = list(connection.execute(sa.text(f"{_MADE} ORDER BY rowid")).scalars())
        revision = connection.execute(sa.text("SELECT * FROM alembic_version")).scalar_one()
    statements.append(f"INSERT INTO alembic_version VALUES ('{revision}')")  # noqa: S608 (ours)
    tidy = [line.rstrip() for line in "\n\n".join(statements).splitlines()]
    return "\n".join(tidy) + "\n"


if __name__ == "__main__":
    NEWEST.write_text(write(), encoding="utf-8")
    POLICY_SCHEMA.write_text(write_policy_schema(), encoding="utf-8")
