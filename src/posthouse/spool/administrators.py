"""Administrators as they are stored, and the one-time secret that makes the first one.

What may be done to them is decided by an `Approve` that is asked within the transaction, so that no two acts can each
be right and together wrong.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from posthouse.spool import audit
from posthouse.spool.audit import AuditRecord
from posthouse.spool.locks import lock_table
from posthouse.spool.schema import administrator, invitation, recovery_code, secret, session, setup
from posthouse.spool.secrets import Secrets, SecretsKey, put_secrets
from posthouse.spool.store import Store

_THE_ONE = 1
_OF_TOTP = "totp/"

has_totp = sa.exists().where(secret.c.name == sa.literal(_OF_TOTP) + administrator.c.name)
"""For a statement on `administrator`."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """`name` is in lower case. `totp_step` is that of the last code that was taken."""

    name: str
    password_hash: str = field(repr=False)
    roles: tuple[str, ...]
    enabled: bool = True
    has_totp: bool = False
    totp_step: int = 0
    created_at: float = 0.0
    last_sign_in_at: float | None = None


@dataclass(frozen=True, slots=True)
class AdministratorChange:
    """None leaves what is there; an empty `totp` takes it away. `totp_step` is that of a code that was taken with it.

    Sessions that end do so but for `keep_session`.
    """

    password_hash: str | None = field(default=None, repr=False)
    totp: bytes | None = field(default=None, repr=False)
    totp_step: int = 0
    roles: tuple[str, ...] | None = None
    enabled: bool | None = None
    keep_session: str = field(default="", repr=False)

    @property
    def ends_sessions(self) -> bool:
        return self.password_hash is not None or self.totp is not None or self.enabled is False


Everyone = dict[str, Administrator]
Approve = Callable[[Everyone, Everyone], AuditRecord]
"""Gets all administrators before and after an act. Returns the act's record, or raises what prevents it."""


class AdministratorTable:
    """Lists and changes them. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._secrets = Secrets(store)
        self._key = SecretsKey(store.data_dir)

    def all(self) -> Everyone:
        """By name, sorted."""
        with self._store.reading() as connection:
            return everyone(connection)

    def totp(self, name: str) -> bytes:
        """The secret that the codes are made from. Raises `KeyError`."""
        return self._secrets.get(_totp_name(name))

    def add(self, new: Administrator, approve: Approve, totp: bytes = b"") -> None:
        """Any secret for setting up is void from then on."""
        with self._store.transaction() as connection:
            self._add(connection, new, approve)
            self._put_totp(connection, new.name, totp)
            connection.execute(setup.delete())

    def change(self, name: str, change: AdministratorChange, approve: Approve) -> None:
        """Raises `KeyError`. A new password, a new or no TOTP, and being disabled end the sessions."""
        with self._store.transaction() as connection:
            lock_table(connection, administrator)
            before = everyone(connection)
            changed = _changed(before[name], change)
            record = approve(before, {**before, name: changed})
            columns = {"password_hash": changed.password_hash, "enabled": changed.enabled}
            update = administrator.update().where(administrator.c.name == name)
            connection.execute(update.values(**columns, roles=json.dumps(changed.roles), totp_step=changed.totp_step))
            if change.totp is not None:
                self._put_totp(connection, name, change.totp)
            if change.password_hash is not None or change.enabled is False:
                connection.execute(invitation.delete().where(invitation.c.administrator == name))
            if change.ends_sessions:
                end_sessions(connection, name, but=change.keep_session)
            audit.append(connection, [record])

    def remove(self, name: str, approve: Approve) -> None:
        """With their sessions. Raises `KeyError`."""
        with self._store.transaction() as connection:
            lock_table(connection, administrator)
            before = everyone(connection)
            del (after := dict(before))[name]
            record = approve(before, after)
            connection.execute(administrator.delete().where(administrator.c.name == name))
            self._put_totp(connection, name, b"")
            connection.execute(invitation.delete().where(invitation.c.administrator == name))
            end_sessions(connection, name)
            audit.append(connection, [record])

    def end_sessions(self, name: str, record: AuditRecord) -> None:
        """Raises `KeyError`."""
        with self._store.transaction() as connection:
            if name not in everyone(connection):
                raise KeyError(name)
            end_sessions(connection, name)
            audit.append(connection, [record])

    def invite(self, name: str, hashed: str, expires_at: float, record: AuditRecord) -> None:
        """Whoever brings the secret with this hash before that time may set the password; earlier ones are void.

        Raises `KeyError`.
        """
        with self._store.transaction() as connection:
            if name not in everyone(connection):
                raise KeyError(name)
            connection.execute(invitation.delete().where(invitation.c.administrator == name))
            connection.execute(invitation.insert().values(administrator=name, hash=hashed, expires_at=expires_at))
            audit.append(connection, [record])

    def invited(self, hashed: str) -> Administrator | None:
        """Whom the secret with this hash is for; None where it is none, or not any more."""
        valid = (invitation.c.hash == hashed) & (invitation.c.expires_at > time.time())
        with self._store.reading() as connection:
            name = connection.scalar(sa.select(invitation.c.administrator).where(valid))
            who = everyone(connection).get(name) if name else None
        return who if who and who.enabled else None

    def redeem_invitation(self, hashed: str, who: Administrator, password_hash: str, record: AuditRecord) -> bool:
        """Use up an invitation. The sessions end. False where meanwhile it was used up, or is void."""
        its = (invitation.c.hash == hashed) & (invitation.c.administrator == who.name)
        to_set = administrator.update().where(administrator.c.name == who.name, administrator.c.enabled)
        with self._store.transaction() as connection:
            if not connection.execute(invitation.delete().where(its, invitation.c.expires_at > time.time())).rowcount:
                return False
            if not connection.execute(to_set.values(password_hash=password_hash)).rowcount:
                return False
            end_sessions(connection, who.name)
            audit.append(connection, [record])
            return True

    def put_recovery_codes(self, name: str, hashes: Collection[str], record: AuditRecord) -> None:
        """In place of those that there are."""
        rows = [{"administrator": name, "hash": each} for each in hashes]
        with self._store.transaction() as connection:
            connection.execute(recovery_code.delete().where(recovery_code.c.administrator == name))
            connection.execute(recovery_code.insert(), rows)
            audit.append(connection, [record])

    def recovery_codes(self, name: str) -> frozenset[str]:
        """The hashes of those that aren't used up."""
        with self._store.reading() as connection:
            its = recovery_code.c.administrator == name
            return frozenset(connection.scalars(sa.select(recovery_code.c.hash).where(its)))

    def offer_setup(self, hashed: str, expires_at: float, approve: Approve) -> None:
        """Whoever brings the secret with this hash before that time may make the first administrator."""
        with self._store.transaction() as connection:
            lock_table(connection, administrator)
            found = everyone(connection)
            record = approve(found, found)
            connection.execute(setup.delete())
            connection.execute(setup.insert().values(id=_THE_ONE, hash=hashed, expires_at=expires_at))
            audit.append(connection, [record])

    def redeem_setup(self, hashed: str, new: Administrator, approve: Approve) -> bool:
        """Use up a set-up secret to make the first administrator. False where the secret is none, or not any more."""
        valid = (setup.c.hash == hashed) & (setup.c.expires_at > time.time())
        with self._store.transaction() as connection:
            lock_table(connection, administrator)
            if everyone(connection) or not connection.execute(setup.delete().where(valid)).rowcount:
                return False
            self._add(connection, new, approve)
            return True

    @staticmethod
    def _add(connection: sa.Connection, new: Administrator, approve: Approve) -> None:
        lock_table(connection, administrator)
        before = everyone(connection)
        record = approve(before, {**before, new.name: new})
        values = {"name": new.name, "password_hash": new.password_hash, "enabled": new.enabled}
        insert = administrator.insert().values(**values, roles=json.dumps(new.roles), totp_step=0)
        connection.execute(insert.values(created_at=time.time()))
        audit.append(connection, [record])

    def _put_totp(self, connection: sa.Connection, name: str, totp: bytes) -> None:
        key = _totp_name(name)
        put_secrets(connection, self._key, {key: totp} if totp else {}, drop=[key])
        connection.execute(recovery_code.delete().where(recovery_code.c.administrator == name))


def everyone(connection: sa.Connection) -> Everyone:
    query = sa.select(administrator, has_totp.label("has_totp"))
    rows = connection.execute(query.order_by(administrator.c.name))
    return {
        row.name: Administrator(
            name=row.name,
            password_hash=row.password_hash,
            roles=tuple(json.loads(row.roles)),
            enabled=row.enabled,
            has_totp=bool(row.has_totp),
            totp_step=row.totp_step,
            created_at=row.created_at,
            last_sign_in_at=row.last_sign_in_at,
        )
        for row in rows
    }


def end_sessions(connection: sa.Connection, name: str, *, but: str = "") -> None:
    connection.execute(session.delete().where(session.c.administrator == name, session.c.hash != but))


def _changed(found: Administrator, change: AdministratorChange) -> Administrator:
    return replace(
        found,
        password_hash=found.password_hash if change.password_hash is None else change.password_hash,
        roles=found.roles if change.roles is None else change.roles,
        enabled=found.enabled if change.enabled is None else change.enabled,
        has_totp=found.has_totp if change.totp is None else bool(change.totp),
        totp_step=found.totp_step if change.totp is None else change.totp_step,
    )


def _totp_name(name: str) -> str:
    return f"{_OF_TOTP}{name}"
