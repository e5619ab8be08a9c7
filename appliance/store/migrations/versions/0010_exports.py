"""How far the ledger has been exported, by receiver."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0010"
down_revision: Final = "0009"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ledger_exports",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("next_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name=op.f("pk_ledger_exports")),
    )
