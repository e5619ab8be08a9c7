"""What peers have been shown of the ledger, and which grants are for more than one job."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0009"
down_revision: Final = "0008"


def upgrade() -> None:
    """Make the table, and those of grants anew: nothing has written to them before this."""
    op.create_table(
        "ledger_shown",
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("at_milliseconds", sa.Integer(), nullable=False),
        sa.Column("is_refused", sa.Boolean(), nullable=False),
        sa.Column("is_repeated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("peer", name=op.f("pk_ledger_shown")),
    )
    op.drop_table("grant_uses")
    op.drop_table("grants")
    op.create_table(
        "grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("grantor", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("is_standing", sa.Boolean(), nullable=False),
        sa.Column("issued_milliseconds", sa.Integer(), nullable=False),
        sa.Column("expires_milliseconds", sa.Integer(), nullable=False),
        sa.Column("revoked_milliseconds", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_grantor_dataset", "grants", ["grantor", "dataset"])
    op.create_table(
        "grant_uses",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("taken_milliseconds", sa.Integer(), nullable=False),
        sa.Column("began_milliseconds", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["grants.id"], name=op.f("fk_grant_uses_grant_id_grants")
        ),
        sa.PrimaryKeyConstraint("job_id", "grant_id", name=op.f("pk_grant_uses")),
    )
    op.create_index(op.f("ix_grant_uses_grant_id"), "grant_uses", ["grant_id"])
