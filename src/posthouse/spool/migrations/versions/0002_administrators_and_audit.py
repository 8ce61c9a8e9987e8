"""Administrators with their sessions, API tokens, and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_SERIAL = sa.Integer().with_variant(sa.BigInteger, "postgresql")


def upgrade() -> None:
    _create_administrators()
    _create_tokens_and_audit()


def _create_administrators() -> None:
    op.create_table(
        "administrator",
        sa.Column("name", sa.Text, primary_key=True, nullable=False, comment="in lower case"),
        sa.Column("password_hash", sa.Text, nullable=False, comment="argon2id"),
        sa.Column("roles", sa.Text, nullable=False, comment="JSON"),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("totp_step", sa.BigInteger, nullable=False, comment="of the last code: none is taken twice"),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("last_sign_in_at", sa.Double),
    )
    op.create_table(
        "session",
        sa.Column("hash", sa.Text, primary_key=True, nullable=False, comment="SHA-256 of the id"),
        sa.Column("administrator", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
    )
    op.create_index("session_administrator", "session", ["administrator"])
    op.create_table(
        "sign_in_failure",
        sa.Column("key", sa.Text, primary_key=True, nullable=False, comment="an account or an origin"),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("until", sa.Double, nullable=False, comment="when the next try is let in"),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_index("sign_in_failure_at", "sign_in_failure", ["at"])
    op.create_table(
        "setup",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, comment="1: there is one at most"),
        sa.Column("hash", sa.Text, nullable=False, comment="SHA-256 of the one-time secret"),
        sa.Column("expires_at", sa.Double, nullable=False),
    )


def _create_tokens_and_audit() -> None:
    op.create_table(
        "token",
        sa.Column("name", sa.Text, primary_key=True, nullable=False),
        sa.Column("hash", sa.Text, nullable=False, comment="SHA-256"),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double),
    )
    op.create_index("token_hash", "token", ["hash"], unique=True)
    op.create_table(
        "audit",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("face", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("changes", sa.Text, nullable=False, comment="JSON"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_at", "audit", ["at", "id"])
