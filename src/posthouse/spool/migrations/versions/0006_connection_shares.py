"""A worker's connections by the connector that they are for: several may sign in with the same credential."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_table("connection_share")  # workers ask for their shares twice a second
    op.create_table(
        "connection_share",
        sa.Column("key", sa.Text, primary_key=True, nullable=False, comment="whose limit"),
        sa.Column("worker", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("connector", sa.Text, primary_key=True, nullable=False, comment="whose mail they are for"),
        sa.Column("connections", sa.Integer, nullable=False, comment="that the worker may have open"),
    )
