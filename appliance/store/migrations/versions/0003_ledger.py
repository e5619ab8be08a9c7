"""The tables of the ledger."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    """Make the tables."""
    _make_entries()
    _make_checkpoints()
    _make_of_peers()


def _make_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at_milliseconds", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_entries")),
    )
    op.create_index(op.f("ix_ledger_entries_kind"), "ledger_entries", ["kind"], unique=False)
    op.create_index(op.f("ix_ledger_entries_job_id"), "ledger_entries", ["job_id"], unique=False)
    op.create_table(
        "ledger_nodes",
        sa.Column("middle", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("middle", name=op.f("pk_ledger_nodes")),
    )


def _make_checkpoints() -> None:
    op.create_table(
        "ledger_checkpoints",
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_ledger_checkpoints")),
    )
    op.create_table(
        "ledger_countersignatures",
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["size"],
            ["ledger_checkpoints.size"],
            name=op.f("fk_ledger_countersignatures_size_ledger_checkpoints"),
        ),
        sa.PrimaryKeyConstraint("size", "peer", name=op.f("pk_ledger_countersignatures")),
    )


def _make_of_peers() -> None:
    op.create_table(
        "peer_checkpoints",
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "size", name=op.f("pk_peer_checkpoints")),
    )
    op.create_table(
        "peer_forks",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("at_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_peer_forks")),
    )
