"""Sign-ins as they are stored: failures, which make the next try wait, and the sessions of those that succeeded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from posthouse.spool import audit
from posthouse.spool.administrators import Administrator, everyone, has_totp
from posthouse.spool.audit import AuditRecord
from posthouse.spool.locks import lock_table
from posthouse.spool.schema import administrator, session, sign_in_failure
from posthouse.spool.store import Store

_LONGEST_DELAY = 900.0
_FORGET_AFTER = 86400.0
_MOST_FAILURES = 10_000
"""Rows kept: somebody who tries names without end fills no disk."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """Who it belongs to, as they are now, and its times."""

    administrator: Administrator
    created_at: float
    seen_at: float


class SignInTable:
    """Counts, lets in, remembers. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, free: Mapping[str, int]) -> float:
        """Count a try for each key as a failure beforehand, so that a thousand at once get no more tries than one.

        Returns 0, or the time until which nothing is tried for one of the keys: then nothing was counted. A key's
        first `free` failures cost no wait, each one after that doubles it.
        """
        now = time.time()
        with self._store.transaction() as connection:
            lock_table(connection, sign_in_failure)
            _forget(connection, now)
            rows = connection.execute(sa.select(sign_in_failure).where(sign_in_failure.c.key.in_(free)))
            found = {row.key: row for row in rows}
            until = max((row.until for row in found.values()), default=0.0)
            if until > now:
                return until
            connection.execute(sign_in_failure.delete().where(sign_in_failure.c.key.in_(free)))
            counts = {key: found[key].failures + 1 if key in found else 1 for key in free}
            values = [
                {"key": key, "failures": count, "until": now + _delay(count - free[key]), "at": now}
                for key, count in counts.items()
            ]
            connection.execute(sign_in_failure.insert(), values)
        return 0.0

    def succeed(
        self, who: Administrator, totp_step: int, session_hash: str, account: str, origin: str, record: AuditRecord
    ) -> bool:
        """Begin a session, and take back what `begin` counted. False where meanwhile the code was used, the password
        changed, the asking for codes began or ended, or the administrator was disabled.

        All failures of the account are forgiven, but of the origin only this try: who has an account can't use it to
        go on guessing others' passwords.
        """
        now = time.time()
        update = administrator.update().where(
            administrator.c.name == who.name,
            administrator.c.enabled,
            administrator.c.password_hash == who.password_hash,
            has_totp & (administrator.c.totp_step < totp_step) if who.has_totp else ~has_totp,
        )
        step = {"totp_step": totp_step} if who.has_totp else {}
        with self._store.transaction() as connection:
            lock_table(connection, sign_in_failure)
            if not connection.execute(update.values(last_sign_in_at=now, **step)).rowcount:
                return False
            connection.execute(sign_in_failure.delete().where(sign_in_failure.c.key == account))
            of_origin = sign_in_failure.update().where(sign_in_failure.c.key == origin)
            connection.execute(of_origin.values(failures=sign_in_failure.c.failures - 1, until=0))
            new = {"hash": session_hash, "administrator": who.name, "created_at": now, "seen_at": now}
            connection.execute(session.insert().values(new))
            audit.append(connection, [record])
        return True

    def session(self, session_hash: str) -> StoredSession | None:
        with self._store.reading() as connection:
            row = connection.execute(sa.select(session).where(session.c.hash == session_hash)).one_or_none()
            who = everyone(connection).get(row.administrator) if row else None
        return StoredSession(who, row.created_at, row.seen_at) if row and who else None

    def touch(self, session_hash: str) -> None:
        with self._store.transaction() as connection:
            connection.execute(session.update().where(session.c.hash == session_hash).values(seen_at=time.time()))

    def end(self, session_hash: str, record: AuditRecord) -> None:
        with self._store.transaction() as connection:
            if connection.execute(session.delete().where(session.c.hash == session_hash)).rowcount:
                audit.append(connection, [record])

    def purge(self, created_before: float, seen_before: float) -> None:
        """Forget sessions that are over."""
        over = sa.or_(session.c.created_at < created_before, session.c.seen_at < seen_before)
        with self._store.transaction() as connection:
            connection.execute(session.delete().where(over))


def _forget(connection: sa.Connection, now: float) -> None:
    """What is a day old, and beyond so many the oldest."""
    connection.execute(sign_in_failure.delete().where(sign_in_failure.c.at < now - _FORGET_AFTER))
    newest = sa.select(sign_in_failure.c.at).order_by(sign_in_failure.c.at.desc()).offset(_MOST_FAILURES).limit(1)
    if (oldest := connection.scalar(newest)) is not None:
        connection.execute(sign_in_failure.delete().where(sign_in_failure.c.at <= oldest))


def _delay(beyond_free: int) -> float:
    return 0.0 if beyond_free <= 0 else min(2.0 ** min(beyond_free - 1, 32), _LONGEST_DELAY)
