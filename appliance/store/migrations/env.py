"""Alembic's entry: migrates over the connection that ``appliance.store.migrate`` gives it."""

from alembic import context

from appliance.store.schema import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    # SQLite changes a table by making it anew.
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
