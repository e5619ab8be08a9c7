"""Brings a database to the revision of this code; Alembic's scripts are found in the package."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from appliance.store.errors import StoreForeign, StoreNewer

SCRIPTS: Final = "appliance.store:migrations"


def known_revisions() -> tuple[str, ...]:
    """Return the revisions that this code brings a database through, oldest first."""
    revisions = [script.revision for script in _scripts(Config()).walk_revisions()]
    return tuple(reversed(revisions))


def _scripts(config: Config) -> ScriptDirectory:
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def migrate(connection: Connection, path: Path) -> None:
    """Bring the database to the newest revision, in the connection's transaction.

    Raises: StoreNewer, StoreForeign.
    """
    config = Config()
    config.attributes["connection"] = connection
    scripts = _scripts(config)
    present = MigrationContext.configure(connection).get_current_revision()
    if present == scripts.get_current_head():
        return
    if present is None and inspect(connection).get_table_names():
        raise StoreForeign(path)
    known = {script.revision for script in scripts.walk_revisions()}
    if present is not None and present not in known:
        raise StoreNewer(path, present)
    command.upgrade(config, "head")
