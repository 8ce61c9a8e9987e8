"""What all workers count, minute by minute."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_COUNTS = ("accepted", "delivered", "deferred", "failed", "refused", *(f"took_{place}" for place in range(14)))


def upgrade() -> None:
    op.create_table(
        "tally",
        sa.Column(
            "at", sa.BigInteger, primary_key=True, nullable=False, autoincrement=False, comment="start of a minute"
        ),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS),
    )
