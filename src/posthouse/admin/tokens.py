"""Acts on API tokens: what programs sign in with."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

from posthouse.admin.administrators import token_hash
from posthouse.admin.audit import Ledger
from posthouse.admin.errors import AdminError, AlreadyThere, NotFound
from posthouse.admin.names import checked_name
from posthouse.admin.roles import Acts, Role
from posthouse.spool import AuditChange, Store, Token, TokenTable

PREFIX = "ph_"
"""By which scanners for leaked secrets can tell a token."""
_LONGEST_LIFETIME = 10 * 366 * 86400.0


class Tokens:
    """Those of one store."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._table = TokenTable(store)
        self._ledger = ledger

    def list(self) -> tuple[Token, ...]:
        """All, by name; the expired ones too."""
        self._ledger.check(Acts.GET_TOKEN)
        return self._table.list()

    def new(self, name: str, role: Role, lifetime: float) -> str:
        """Make a token that is good for `lifetime` seconds. It is returned, and can't be shown again."""
        with self._ledger.attempt(Acts.NEW_TOKEN, name) as record:
            if lifetime <= 0:
                raise AdminError("the token would have expired already; give it a time like 90d")
            if lifetime > _LONGEST_LIFETIME:
                raise AdminError("the token would be good for too long; give it at most 10 years, as 365d")
            token = PREFIX + secrets.token_urlsafe(32)
            now = time.time()
            new = Token(checked_name(name), role.value, now, self._ledger.actor.name, now + lifetime)
            changes = [AuditChange("Role", after=role.value), AuditChange("ExpiresAt", after=_date(new.expires_at))]
            if not self._table.add(new, token_hash(token), record(changes)):
                raise AlreadyThere(f'there is a token "{new.name}" already; take another name, or remove that one')
        return token

    def remove(self, name: str) -> None:
        """From the next request on it is nothing."""
        with self._ledger.attempt(Acts.REMOVE_TOKEN, name) as record:
            if not self._table.remove(checked_name(name), record()):
                names = ", ".join(token.name for token in self._table.list()) or "none"
                raise NotFound(f'there is no token "{name}"; there are: {names}')


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
