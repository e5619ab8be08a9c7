"""What peers have been shown of the ledger, and which grants are for more than one job."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0009"
down_revision: Final = "0008"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ledger_shown",
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("at_milliseconds", sa.Integer(), nullable=False),
        sa.Column("is_refused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("peer", name=op.f("pk_ledger_shown")),
    )
    with op.batch_alter_table("grants") as grants:
        grants.add_column(
            sa.Column("is_standing", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("grants") as grants:
        grants.alter_column("is_standing", server_default=None)
        grants.drop_index("ix_grants_grantor")
        grants.create_index("ix_grants_grantor_dataset", ["grantor", "dataset"])
