"""Acts that look before they write."""

from __future__ import annotations

import sqlalchemy as sa


def lock_table(connection: sa.Connection, table: sa.Table) -> None:
    """Nobody else changes the table until this transaction ends; readers go on. On SQLite that is so anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))
