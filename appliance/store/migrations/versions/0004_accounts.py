"""The tables of accounts."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"


def upgrade() -> None:
    """Make the tables."""
    _make_accounts()
    _make_account_recovery_codes()
    _make_account_bindings()
    _make_account_tokens()
    _make_account_sources()
    _make_login_failures()
    _make_account_credentials()


def _make_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=False),
        sa.Column("totp_last_step", sa.Integer(), nullable=False),
        sa.Column("enrolment_digest", sa.LargeBinary(), nullable=False),
        sa.Column("enrolment_expires_milliseconds", sa.Integer(), nullable=False),
        sa.Column("created_milliseconds", sa.Integer(), nullable=False),
        sa.Column("enrolled_milliseconds", sa.Integer(), nullable=False),
        sa.Column("password_changed_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )


def _make_account_recovery_codes() -> None:
    op.create_table(
        "account_recovery_codes",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "digest", name=op.f("pk_account_recovery_codes")),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name=op.f("fk_account_recovery_codes_account_accounts")
        ),
    )


def _make_account_bindings() -> None:
    op.create_table(
        "account_bindings",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_account_bindings")),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name=op.f("fk_account_bindings_account_accounts")
        ),
    )
    op.create_index(op.f("ix_account_bindings_account"), "account_bindings", ["account"])


def _make_account_tokens() -> None:
    op.create_table(
        "account_tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_milliseconds", sa.Integer(), nullable=False),
        sa.Column("expires_milliseconds", sa.Integer(), nullable=False),
        sa.Column("last_used_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_tokens")),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name=op.f("fk_account_tokens_account_accounts")
        ),
        sa.UniqueConstraint("digest", name=op.f("uq_account_tokens_digest")),
    )
    op.create_index(op.f("ix_account_tokens_account"), "account_tokens", ["account"])


def _make_account_sources() -> None:
    op.create_table(
        "account_sources",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("last_login_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account", "source", name=op.f("pk_account_sources")),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name=op.f("fk_account_sources_account_accounts")
        ),
    )


def _make_login_failures() -> None:
    op.create_table(
        "login_failures",
        sa.Column("name_digest", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name_digest", name=op.f("pk_login_failures")),
    )


def _make_account_credentials() -> None:
    op.create_table(
        "account_credentials",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("public_key_cose", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.Integer(), nullable=False),
        sa.Column("transports", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_credentials")),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.id"], name=op.f("fk_account_credentials_account_accounts")
        ),
    )
    op.create_index(op.f("ix_account_credentials_account"), "account_credentials", ["account"])
