import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from appliance.store.errors import StoreForeign
from appliance.store.migrate import NEWEST, known_revisions, migrate
from appliance.store.schema import Row
from appliance.store.upgrade import SCRIPTS, upgrade
from tests.repository import schema

ROOT = Path(__file__).resolve().parents[2]


def declared() -> sa.MetaData:
    """Return the tables of all nouns."""
    for path in sorted((ROOT / "appliance").glob("*/store.py")):
        importlib.import_module(f"appliance.{path.parent.name}.store")
    return Row.metadata


def empty() -> sa.Connection:
    return sa.create_engine("sqlite://").connect()


def migrated() -> sa.Connection:
    connection = empty()
    upgrade(connection)
    return connection


def tables(connection: sa.Connection) -> dict[str, str]:
    """Return how each table and index was made, blanks apart."""
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL")
    return {row.name: " ".join(row.sql.split()) for row in connection.execute(query)}


def test_the_migrations_make_the_tables_that_the_nouns_declare() -> None:
    with migrated() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        difference = compare_metadata(context, declared())

    assert difference == []


def test_the_migrations_make_each_table_exactly_as_declared() -> None:
    declared_engine = sa.create_engine("sqlite://")
    declared().create_all(declared_engine)
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' ORDER BY 1")

    with migrated() as by_migration, declared_engine.connect() as by_declaration:
        made = {row.name: row.sql for row in by_migration.execute(query)}
        wanted = {row.name: row.sql for row in by_declaration.execute(query)}

    made.pop("sqlite_autoindex_alembic_version_1", None)
    assert made == wanted


def test_the_newest_schema_is_what_the_migrations_make() -> None:
    assert NEWEST.read_text(encoding="utf-8") == schema.write(), 'run "make schema"'


def test_a_new_database_is_as_one_that_was_migrated() -> None:
    with empty() as made, migrated() as by_migration:
        migrate(made, Path("memory"))

        assert tables(made) == tables(by_migration)
        for connection in (made, by_migration):
            revision = connection.execute(sa.text("SELECT version_num FROM alembic_version"))
            assert revision.scalars().all() == [known_revisions()[-1]]


def test_a_database_of_the_first_revision_is_migrated() -> None:
    with migrated() as wanted, empty() as connection:
        upgrade(connection, "0001")
        assert "operators" not in tables(connection)

        migrate(connection, Path("memory"))

        assert tables(connection) == tables(wanted)


def test_a_database_of_something_else_is_left_as_it_is() -> None:
    with empty() as connection:
        connection.execute(sa.text("CREATE TABLE others (x INTEGER)"))

        with pytest.raises(StoreForeign):
            migrate(connection, Path("memory"))

        assert list(tables(connection)) == ["others"]


def test_the_known_revisions_are_those_that_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")

    found = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]

    assert known_revisions() == tuple(reversed(found))


def test_migrating_twice_changes_nothing() -> None:
    with migrated() as connection:
        before = connection.execute(sa.text("SELECT sql FROM sqlite_master")).all()

        migrate(connection, Path("memory"))

        assert connection.execute(sa.text("SELECT sql FROM sqlite_master")).all() == before


def test_a_migration_knows_nothing_of_the_code_that_will_change() -> None:
    scripts = (ROOT / "appliance/store/migrations/versions").glob("*.py")

    imported = {
        (node.module or "").partition(".")[0]
        for script in scripts
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.ImportFrom)
    }

    assert imported == {"typing", "alembic"}


def test_a_store_opens_where_no_file_of_alembics_lies(tmp_path: Path) -> None:
    script = """
from pathlib import Path
from appliance.store.database import Store
Store.open(Path("state")).close()
print(sorted(path.name for path in Path("state").iterdir()))
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout == "['coffer.db']\n"
    assert ran.stderr == ""
