"""The first tables."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    """Make the tables."""
    _make_datasets()
    _make_invitations()
    _make_job_early_letters()
    _make_jobs()
    _make_letters_out()
    _make_mailboxes()
    _make_peers()
    _make_published()
    _make_job_events()
    _make_job_parties()
    _make_publications()


def _make_datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("added_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_datasets")),
    )


def _make_invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("wrong_codes", sa.Integer(), nullable=False),
        sa.Column("created_milliseconds", sa.Integer(), nullable=False),
        sa.Column("expires_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_invitations")),
        sqlite_autoincrement=True,
    )


def _make_job_early_letters() -> None:
    op.create_table(
        "job_early_letters",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_job_early_letters")),
    )
    op.create_index(
        op.f("ix_job_early_letters_job_id"), "job_early_letters", ["job_id"], unique=False
    )
    op.create_index(op.f("ix_job_early_letters_node"), "job_early_letters", ["node"], unique=False)


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("contract", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("created_milliseconds", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("proposer_rank", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_milliseconds", sa.Integer(), nullable=False),
        sa.Column("expires_milliseconds", sa.Integer(), nullable=False),
        sa.Column("began_milliseconds", sa.Integer(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("ended_milliseconds", sa.Integer(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("row_counts", sa.Text(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )


def _make_letters_out() -> None:
    op.create_table(
        "letters_out",
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("written_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "number", name=op.f("pk_letters_out")),
    )


def _make_mailboxes() -> None:
    op.create_table(
        "mailboxes",
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("written", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("last_refusal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("peer", name=op.f("pk_mailboxes")),
    )


def _make_peers() -> None:
    op.create_table(
        "peers",
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("introduced_address", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("pairing", sa.Text(), nullable=False),
        sa.Column("authentication_string", sa.Text(), nullable=False),
        sa.Column("owes_farewell", sa.Boolean(), nullable=False),
        sa.Column("changed_milliseconds", sa.Integer(), nullable=False),
        sa.Column("last_seen_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_peers")),
        sa.UniqueConstraint("name", name=op.f("uq_peers_name")),
    )


def _make_published() -> None:
    op.create_table(
        "published",
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.LargeBinary(), nullable=False),
        sa.Column("received_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "name", name=op.f("pk_published")),
    )


def _make_job_events() -> None:
    op.create_table(
        "job_events",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("at_milliseconds", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_events_job_id_jobs")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_job_events")),
    )
    op.create_index(op.f("ix_job_events_job_id"), "job_events", ["job_id"], unique=False)


def _make_job_parties() -> None:
    op.create_table(
        "job_parties",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_parties_job_id_jobs")),
        sa.PrimaryKeyConstraint("job_id", "rank", name=op.f("pk_job_parties")),
    )
    op.create_index(op.f("ix_job_parties_node"), "job_parties", ["node"], unique=False)


def _make_publications() -> None:
    op.create_table(
        "publications",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("rows_up_to", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dataset"],
            ["datasets.name"],
            name=op.f("fk_publications_dataset_datasets"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dataset", "peer", name=op.f("pk_publications")),
    )
