"""The tables of grants and of the uses that jobs have taken."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "grants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("grantor", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("issued_milliseconds", sa.Integer(), nullable=False),
        sa.Column("expires_milliseconds", sa.Integer(), nullable=False),
        sa.Column("revoked_milliseconds", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index(op.f("ix_grants_grantor"), "grants", ["grantor"])
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
