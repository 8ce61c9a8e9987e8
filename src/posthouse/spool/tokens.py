"""API tokens as they are stored: by hash, so that the store gives none away."""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import exc

from posthouse.spool import audit
from posthouse.spool.audit import AuditRecord
from posthouse.spool.schema import token
from posthouse.spool.store import Store


@dataclass(frozen=True, slots=True)
class Token:
    """All but the token itself, which is only shown when it is made."""

    name: str
    role: str
    created_at: float
    created_by: str
    expires_at: float
    used_at: float | None = None


class TokenTable:
    """Lists, adds and removes them. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self) -> tuple[Token, ...]:
        with self._store.reading() as connection:
            return tuple(_token(row) for row in connection.execute(sa.select(token).order_by(token.c.name)))

    def add(self, new: Token, hashed: str, record: AuditRecord) -> bool:
        """False where another one has its name."""
        values = {"name": new.name, "hash": hashed, "role": new.role, "expires_at": new.expires_at}
        try:
            with self._store.transaction() as connection:
                insert = token.insert().values(**values, created_at=new.created_at, created_by=new.created_by)
                connection.execute(insert)
                audit.append(connection, [record])
        except exc.IntegrityError:
            return False
        return True

    def remove(self, name: str, record: AuditRecord) -> bool:
        """False where there is none of that name."""
        with self._store.transaction() as connection:
            removed = connection.execute(token.delete().where(token.c.name == name)).rowcount > 0
            audit.append(connection, [record] if removed else [])
        return removed

    def with_hash(self, hashed: str) -> Token | None:
        with self._store.reading() as connection:
            row = connection.execute(sa.select(token).where(token.c.hash == hashed)).one_or_none()
        return _token(row) if row else None

    def touch(self, name: str) -> None:
        """It has just been used."""
        with self._store.transaction() as connection:
            connection.execute(token.update().where(token.c.name == name).values(used_at=time.time()))


def _token(row: sa.Row[tuple[object, ...]]) -> Token:
    return Token(row.name, row.role, row.created_at, row.created_by, row.expires_at, row.used_at)
