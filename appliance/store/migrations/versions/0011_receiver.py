"""Who is sent the ledger, once people of the node say so."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0011"
down_revision: Final = "0010"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ledger_receiver",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_receiver")),
    )
