"""Writes what the migrations make of an empty database: ``make schema``."""

import sqlalchemy as sa

from appliance.store.migrate import NEWEST
from appliance.store.upgrade import upgrade

_MADE = "SELECT sql FROM sqlite_master WHERE sql NOT NULL AND name <> 'sqlite_sequence'"


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
