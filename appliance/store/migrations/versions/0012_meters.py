"""What jobs have taken so far, kept while they run."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0012"
down_revision: Final = "0011"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "job_meters",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("bytes_sent", sa.Integer(), nullable=False),
        sa.Column("bytes_received", sa.Integer(), nullable=False),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("cpu_milliseconds", sa.Integer(), nullable=False),
        sa.Column("verdict_milliseconds", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_meters_job_id_jobs")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_meters")),
    )
