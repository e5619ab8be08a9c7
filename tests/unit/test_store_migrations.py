import ast
import importlib
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from appliance.store.migrate import migrate
from appliance.store.schema import Row

ROOT = Path(__file__).resolve().parents[2]


def declared() -> sa.MetaData:
    """Return the tables of all nouns."""
    for path in sorted((ROOT / "appliance").glob("*/store.py")):
        importlib.import_module(f"appliance.{path.parent.name}.store")
    return Row.metadata


def migrated() -> sa.Connection:
    connection = sa.create_engine("sqlite://").connect()
    migrate(connection, Path("memory"))
    return connection


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
