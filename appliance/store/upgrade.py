"""Runs the migrations, by Alembic; its scripts are found in the package."""

from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

SCRIPTS: Final = "appliance.store:migrations"


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations that the database has not had, in the connection's transaction."""
    config = Config()
    config.attributes["connection"] = connection
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    command.upgrade(config, revision)
