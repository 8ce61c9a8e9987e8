"""Sign-ins as they are stored: failures, which make the next try wait, and the sessions of those that succeeded."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from posthouse.spool import audit
from posthouse.spool.administrators import Administrator, end_sessions, everyone, has_totp
from posthouse.spool.audit import AuditRecord
from posthouse.spool.locks import lock_table
from posthouse.spool.schema import administrator, recovery_code, session, sign_in_failure
from posthouse.spool.store import Store

_LONGEST_DELAY = 900.0
_FORGET_AFTER = 86400.0
_MOST_FAILURES = 10_000
"""Rows kept: somebody who tries names without end fills no disk."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """`administrator` is who it belongs to, as they are now; of somebody whom an identity provider vouches for there is
    none, but the `claims` that it made."""

    hash: str
    name: str
    administrator: Administrator | None
    claims: tuple[str, ...]
    origin: str
    created_at: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class NewSession:
    """`account` and `origin_key` are what `SignInTable.begin` counted, empty where it counted none."""

    hash: str
    origin: str
    account: str
    origin_key: str


@dataclass(frozen=True, slots=True)
class SecondProof:
    """Beside the password: the time step of a code, or the hash of a recovery code."""

    totp_step: int = 0
    recovery_hash: str = ""


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

    def succeed(self, who: Administrator, proof: SecondProof, new: NewSession, record: AuditRecord) -> bool:
        """Begin a session, and take back what `begin` counted. False where meanwhile the code was used, the password
        changed, the asking for codes began or ended, or the administrator was disabled.

        All failures of the account are forgiven, but of the origin only this try: who has an account can't use it to
        go on guessing others' passwords.
        """
        now = time.time()
        with self._store.transaction() as connection:
            lock_table(connection, sign_in_failure)
            if not self._still_holds(connection, who, proof, now):
                return False
            connection.execute(sign_in_failure.delete().where(sign_in_failure.c.key == new.account))
            self._begin(connection, who.name, (), new, record)
        return True

    def vouched(self, name: str, claims: Collection[str], new: NewSession, record: AuditRecord) -> None:
        """Begin a session of somebody whom an identity provider vouches for, and take back what `begin` counted."""
        with self._store.transaction() as connection:
            lock_table(connection, sign_in_failure)
            self._begin(connection, name, claims, new, record)

    @staticmethod
    def _still_holds(connection: sa.Connection, who: Administrator, proof: SecondProof, now: float) -> bool:
        by_code = who.has_totp and not proof.recovery_hash
        update = administrator.update().where(
            administrator.c.name == who.name,
            administrator.c.enabled,
            administrator.c.password_hash == who.password_hash,
            has_totp if who.has_totp else ~has_totp,
            administrator.c.totp_step < proof.totp_step if by_code else sa.true(),
        )
        step = {"totp_step": proof.totp_step} if by_code else {}
        if proof.recovery_hash:
            its = (recovery_code.c.administrator == who.name) & (recovery_code.c.hash == proof.recovery_hash)
            if not connection.execute(recovery_code.delete().where(its)).rowcount:
                return False
        return bool(connection.execute(update.values(last_sign_in_at=now, **step)).rowcount)

    @staticmethod
    def _begin(
        connection: sa.Connection, name: str, claims: Collection[str], new: NewSession, record: AuditRecord
    ) -> None:
        of_origin = sign_in_failure.update().where(sign_in_failure.c.key == new.origin_key)
        connection.execute(of_origin.values(failures=sign_in_failure.c.failures - 1, until=0))
        now = time.time()
        values = {"hash": new.hash, "administrator": name, "origin": new.origin, "claims": json.dumps(list(claims))}
        connection.execute(session.insert().values(**values, created_at=now, seen_at=now))
        audit.append(connection, [record])

    def session(self, session_hash: str) -> StoredSession | None:
        found = self._sessions(session.c.hash == session_hash)
        return found[0] if found else None

    def sessions(self, name: str = "") -> tuple[StoredSession, ...]:
        """Of one, or of all; those last used first. Some may be over."""
        return self._sessions(session.c.administrator == name if name else sa.true())

    def _sessions(self, wanted: sa.ColumnElement[bool]) -> tuple[StoredSession, ...]:
        query = sa.select(session).where(wanted).order_by(session.c.seen_at.desc())
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
            known = everyone(connection) if rows else {}
        return tuple(
            StoredSession(
                row.hash,
                row.administrator,
                known.get(row.administrator),
                tuple(json.loads(row.claims)),
                row.origin,
                row.created_at,
                row.seen_at,
            )
            for row in rows
        )

    def touch(self, session_hash: str) -> None:
        with self._store.transaction() as connection:
            connection.execute(session.update().where(session.c.hash == session_hash).values(seen_at=time.time()))

    def end(self, session_hash: str, record: AuditRecord) -> None:
        with self._store.transaction() as connection:
            if connection.execute(session.delete().where(session.c.hash == session_hash)).rowcount:
                audit.append(connection, [record])

    def end_all(self, name: str, record: AuditRecord) -> None:
        """Of one of that name, whoever vouched for it."""
        with self._store.transaction() as connection:
            end_sessions(connection, name)
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
