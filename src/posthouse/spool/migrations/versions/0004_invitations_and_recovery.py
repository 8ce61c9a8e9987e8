"""Invitations, recovery codes, and sessions that tell where they began and who vouched for them.

Whoever is signed in signs in again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.drop_index("session_administrator", "session")
    op.drop_table("session")
    op.create_table(
        "session",
        sa.Column("hash", sa.Text, primary_key=True, nullable=False, comment="SHA-256 of the id"),
        sa.Column("administrator", sa.Text, nullable=False, comment="or oidc:NAME"),
        sa.Column("origin", sa.Text, nullable=False, comment="the IP address that it began from"),
        sa.Column("claims", sa.Text, nullable=False, comment="JSON: what an identity provider says of oidc:NAME"),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
    )
    op.create_index("session_administrator", "session", ["administrator"])
    op.create_table(
        "invitation",
        sa.Column("administrator", sa.Text, primary_key=True, nullable=False),
        sa.Column("hash", sa.Text, nullable=False, comment="SHA-256 of the one-time secret"),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_table(
        "recovery_code",
        sa.Column("administrator", sa.Text, primary_key=True, nullable=False),
        sa.Column("hash", sa.Text, primary_key=True, nullable=False, comment="SHA-256"),
    )
