"""Brings a database to the revision of this code, by Alembic only where there is one to change."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect

from appliance.store.errors import StoreForeign, StoreNewer

SCRIPTS: Final = Path(__file__).parent / "migrations" / "versions"
NEWEST: Final = Path(__file__).parent / "newest.sql"
"""What the migrations make of an empty database: ``make schema``. Blank lines part statements."""


def known_revisions() -> tuple[str, ...]:
    """Return the revisions that this code brings a database through, oldest first."""
    # By the names of the scripts, which begin with their revisions: to load Alembic takes long.
    names = sorted(script.name for script in SCRIPTS.glob("[0-9]*_*.py"))
    return tuple(name.partition("_")[0] for name in names)


def migrate(connection: Connection, path: Path) -> None:
    """Bring the database to the newest revision, in the connection's transaction.

    Raises: StoreNewer, StoreForeign.
    """
    known = known_revisions()
    present = _present(connection)
    if present == known[-1]:
        return
    if present is not None and present not in known:
        raise StoreNewer(path, present)
    if present is not None:
        from appliance.store.upgrade import upgrade  # Alembic: a start does without, but for this

        upgrade(connection)
    elif inspect(connection).get_table_names():
        raise StoreForeign(path)
    else:
        for statement in NEWEST.read_text(encoding="utf-8").split("\n\n"):
            connection.exec_driver_sql(statement)


def _present(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])
