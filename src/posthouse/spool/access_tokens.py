"""What is held of each credential that gives access tokens: tokens, the refresh token, refusals. Shared by all workers.

A row is one credential, whatever its tokens are for, so that one lease covers the refresh token that they share. It is
encrypted with the key of the secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field

import sqlalchemy as sa

from posthouse.spool.locks import lock_table
from posthouse.spool.schema import access_token
from posthouse.spool.secrets import SecretsKey, SecretUnreadable, access_token_name
from posthouse.spool.store import Store

_LONGEST_LEASE = 300.0
"""Seconds: one that ends later was written by a clock that has been set back since."""


@dataclass(frozen=True, slots=True)
class HeldToken:
    """To be replaced from `renew_at` on, good until `expires_at`."""

    value: str = field(repr=False)
    renew_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class TokenRefusal:
    """No token could be had; not to be tried again before `until`."""

    problem: str
    remedy: str
    until: float


@dataclass(frozen=True, slots=True)
class Holding:
    """Tokens and refusals by scope."""

    tokens: Mapping[str, HeldToken] = field(default_factory=dict[str, HeldToken])
    refusals: Mapping[str, TokenRefusal] = field(default_factory=dict[str, TokenRefusal])
    refresh_token: str = field(default="", repr=False)

    def with_token(self, scope: str, token: HeldToken, refresh_token: str) -> Holding:
        refusals = {of: refusal for of, refusal in self.refusals.items() if of != scope}
        return Holding({**self.tokens, scope: token}, refusals, refresh_token)

    def with_refusal(self, scope: str, refusal: TokenRefusal) -> Holding:
        return Holding(self.tokens, {**self.refusals, scope: refusal}, self.refresh_token)

    def without_token(self, scope: str, value: str) -> Holding:
        """The same where it holds another one."""
        tokens = {of: token for of, token in self.tokens.items() if of != scope or token.value != value}
        return Holding(tokens, self.refusals, self.refresh_token)


@dataclass(frozen=True, slots=True)
class _Row:
    holding: Holding = Holding()
    renewing_until: float = 0.0


class AccessTokens:
    """By a credential's key. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = SecretsKey(store.data_dir)

    def held(self, credential: str) -> Holding:
        """Nothing where it was encrypted with a key that is lost: tokens can be had again."""
        for _ in range(2):  # the key may have been rotated between the two looks: at the store, and at the key
            with suppress(SecretUnreadable), self._store.reading() as connection:
                return self._row(connection, credential).holding
        return Holding()

    def lease(self, credential: str, now: float, until: float) -> bool:
        """Whether it is the caller who gets the next token. The lease ends by `release`, or by itself."""
        with self._store.transaction() as connection:
            row = self._locked_row(connection, credential)
            if now < row.renewing_until < now + _LONGEST_LEASE:
                return False
            self._put(connection, credential, _Row(row.holding, until))
        return True

    def update(self, credential: str, change: Callable[[Holding], Holding]) -> None:
        """Change what is held, as it is then."""
        with self._store.transaction() as connection:
            row = self._locked_row(connection, credential)
            self._put(connection, credential, _Row(change(row.holding), row.renewing_until))

    def release(self, credential: str, until: float, used: str, change: Callable[[Holding], Holding]) -> None:
        """End a lease, unless another has it by now, and change what is held; nothing of it if somebody has signed in
        meanwhile, so that `used` is not the refresh token any more."""
        with self._store.transaction() as connection:
            row = self._locked_row(connection, credential)
            holding = change(row.holding) if row.holding.refresh_token == used else row.holding
            is_ours = row.renewing_until == until
            self._put(connection, credential, _Row(holding, 0.0 if is_ours else row.renewing_until))

    def keep(self, credentials: Collection[str]) -> None:
        """Forget what is held of all others."""
        with self._store.reading() as connection:
            stale = set(connection.scalars(sa.select(access_token.c.credential))) - set(credentials)
        if stale:
            with self._store.transaction() as connection:
                connection.execute(access_token.delete().where(access_token.c.credential.in_(stale)))

    def _row(self, connection: sa.Connection, credential: str) -> _Row:
        found = connection.execute(sa.select(access_token).where(access_token.c.credential == credential)).first()
        return _Row(self._opened(credential, bytes(found.ciphertext)), found.renewing_until) if found else _Row()

    def _locked_row(self, connection: sa.Connection, credential: str) -> _Row:
        """Nobody changes it until the transaction ends, nor rotates the key away that it is put back with."""
        lock_table(connection, access_token)
        with suppress(SecretUnreadable):
            return self._row(connection, credential)
        return _Row()

    def _put(self, connection: sa.Connection, credential: str, row: _Row) -> None:
        text = json.dumps(asdict(row.holding)).encode()
        connection.execute(access_token.delete().where(access_token.c.credential == credential))
        values = {"credential": credential, "renewing_until": row.renewing_until}
        sealed = self._key.encrypt(access_token_name(credential), text)
        connection.execute(access_token.insert().values(ciphertext=sealed, **values))

    def _opened(self, credential: str, ciphertext: bytes) -> Holding:
        document = json.loads(self._key.decrypt(access_token_name(credential), ciphertext))
        return Holding(
            {scope: HeldToken(**token) for scope, token in document["tokens"].items()},
            {scope: TokenRefusal(**refusal) for scope, refusal in document["refusals"].items()},
            document["refresh_token"],
        )
