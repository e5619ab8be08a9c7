"""The table of what jobs have spent of datasets' privacy budgets."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "budget_spends",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("epsilon", sa.Text(), nullable=False),
        sa.Column("delta", sa.Text(), nullable=False),
        sa.Column("signed_milliseconds", sa.Integer(), nullable=False),
        sa.Column("began_milliseconds", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "dataset", "peer", name=op.f("pk_budget_spends")),
    )
    op.create_index(op.f("ix_budget_spends_dataset"), "budget_spends", ["dataset"])
