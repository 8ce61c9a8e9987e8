"""What workers share of the next hops: access tokens, and how much of their limits is used."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "access_token",
        sa.Column("credential", sa.Text, primary_key=True, nullable=False, comment="a hash of all that it is"),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False, comment="JSON, encrypted"),
        sa.Column("renewing_until", sa.Double, nullable=False, comment="until then one worker is getting the next one"),
    )
    op.create_table(
        "allowance",
        sa.Column("key", sa.Text, primary_key=True, nullable=False, comment="whose limit, and which"),
        sa.Column("started", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False, comment="in ms"),
        sa.Column("used", sa.Integer, nullable=False, comment="in the span of time that began then"),
    )
    op.create_table(
        "connection_share",
        sa.Column("key", sa.Text, primary_key=True, nullable=False, comment="whose limit"),
        sa.Column("worker", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("connections", sa.Integer, nullable=False, comment="that the worker may have open"),
    )
