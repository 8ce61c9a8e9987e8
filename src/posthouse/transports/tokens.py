"""Access tokens for the next hops: got when first needed, shared by all workers, renewed by one of them in time.

A refusal is remembered for a while too, so that a wrong secret is not tried for each mail.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from posthouse import observe
from posthouse.mail import Reply
from posthouse.net.apart import apart
from posthouse.net.certificates import CertificateError, Identity, load_pfx
from posthouse.organization import Credential
from posthouse.organization.connectors import CredentialKind
from posthouse.spool import (
    AccessTokens,
    HeldToken,
    Holding,
    Secrets,
    SpoolError,
    Store,
    StoreUnavailable,
    TokenRefusal,
)
from posthouse.transports.sign_in import SignInFailed

if TYPE_CHECKING:
    from posthouse.net.oauth_wire import Token, TokenError

_AHEAD: Final = 300.0
"""Seconds before its end that a token is renewed; a quarter of its life, if that is less."""
_JUST_GOOD: Final = 10.0
"""Seconds that a token must still be good for, to be used while the next one can't be had."""
_REFUSED_FOR: Final = 300.0
_UNAVAILABLE_FOR: Final = 30.0
_LONGEST_REFUSAL: Final = 3700.0
"""As long as Entra may ask for."""
_LEASE: Final = 120.0
_PATIENCE: Final = 30.0
"""Seconds that a worker waits for another one to get the token."""
_LONGEST_TRY: Final = 60.0
"""Seconds that mail waits for a token."""
_POLL: Final = 0.05
_BY_ITSELF: Final = "it is tried again by itself"

log = observe.logger


class NoToken(Exception):
    """One line: what is wrong, and what to do. It never holds a secret."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


class TokenSource:
    """Gets tokens, blocking. `own_roots` are trusted besides the public ones."""

    def __init__(
        self,
        store: Store,
        *,
        own_roots: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.own_roots = own_roots
        self._held = AccessTokens(store)
        self._secrets = Secrets(store)
        self._clock = clock
        self._pause = pause

    def obtain(self, credential: Credential, scope: str, *, afresh: bool = False) -> HeldToken:
        """A token that is still good for a while; `afresh` asks for one in any case. Raises `NoToken`."""
        try:
            return self._obtained(credential, scope, afresh=afresh)
        except StoreUnavailable as error:
            raise NoToken(str(error), _BY_ITSELF) from None
        except (CertificateError, SpoolError, KeyError) as error:
            raise NoToken(f"its secret can't be read: {error}", "store it again") from None

    def forget(self, credential: Credential, scope: str, token: str) -> None:
        self._held.update(key_of(credential), lambda held: held.without_token(scope, token))

    def keep_user(self, credential: Credential, scope: str, token: Token, refresh_token: str) -> None:
        """Somebody has signed in by a device code. What was held before is of another sign-in."""
        fresh = Holding({scope: self._to_hold(token)}, {}, refresh_token)
        self._held.update(key_of(credential), lambda _: fresh)

    def _obtained(self, credential: Credential, scope: str, *, afresh: bool) -> HeldToken:
        key = key_of(credential)
        deadline = self._clock() + _PATIENCE
        while (now := self._clock()) < deadline:
            held = self._held.held(key)
            if not afresh and (token := _usable(held, scope, now)):
                return token
            if self._held.lease(key, now, until := now + _LEASE):
                return self._renewed(credential, scope, until, afresh=afresh)
            if not afresh and (token := _just_good(held, scope, now)):
                return token
            self._pause(_POLL)
        raise NoToken("another worker is still getting one", _BY_ITSELF)

    def _renewed(self, credential: Credential, scope: str, until: float, *, afresh: bool) -> HeldToken:
        """The next token; the lease is ours until then. Between the last look and the lease another may have got it."""
        from posthouse.net.oauth_wire import TokenError

        change: Callable[[Holding], Holding] = _unchanged
        key = key_of(credential)
        held = self._held.held(key)
        try:
            if not afresh and (token := _usable(held, scope, self._clock())):
                return token
            fresh, refresh_token = self._asked(credential, scope, held.refresh_token)
            token = self._to_hold(fresh)
            change = partial(Holding.with_token, scope=scope, token=token, refresh_token=refresh_token)
            return token
        except TokenError as error:
            refusal = TokenRefusal(error.problem, error.remedy, self._clock() + _wait_after(error))
            change = partial(Holding.with_refusal, scope=scope, refusal=refusal)
            log.warning("no token", credential=credential.name, reason=error.problem, hint=error.remedy)
            if not afresh and (token := _just_good(held, scope, self._clock())):
                return token
            raise NoToken(error.problem, error.remedy) from None
        finally:
            self._held.release(key, until, held.refresh_token, change)

    def _asked(self, credential: Credential, scope: str, refresh_token: str) -> tuple[Token, str]:
        """Whatever gives tokens is loaded only here: most workers never need it."""
        match credential.kind:
            case CredentialKind.CLIENT_CREDENTIALS:
                from posthouse.net.oauth import Application, acquire_token

                proof = self._proof(credential)
                application = Application(credential.tenant, credential.client_id, proof, credential.authority)
                return acquire_token(application, scope, own_roots=self.own_roots), ""
            case CredentialKind.MANAGED_IDENTITY:
                from posthouse.net.oauth_machine import machine_token

                return machine_token(scope, credential.client_id), ""
            case CredentialKind.DEVICE_CODE if refresh_token:
                from posthouse.net.oauth_user import PublicClient, refreshed

                client = PublicClient(credential.tenant, credential.client_id, credential.authority)
                user = refreshed(client, refresh_token, scope, own_roots=self.own_roots)
                return user.token, user.refresh_token
            case CredentialKind.DEVICE_CODE:
                raise NoToken("nobody has signed in yet", f'run posthouse credential login "{credential.name}"')
            case CredentialKind.BASIC:
                raise NoToken("it is a password, which gives none", "set another kind")

    def _proof(self, credential: Credential) -> str | Identity:
        if credential.certificate is None:
            return self._secrets.get(credential.secret).decode()
        source = f"certificate of {credential.name}"
        return load_pfx(self._secrets.get(credential.certificate.secret), source=source)

    def _to_hold(self, token: Token) -> HeldToken:
        ahead = min(_AHEAD, (token.expires_at - self._clock()) / 4)
        return HeldToken(token.value, token.expires_at - ahead, token.expires_at)


class SharedTokens:
    """`Tokens` for the event loop of a worker: those that are good are kept in memory too."""

    def __init__(self, source: TokenSource, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._clock = clock
        self._known: dict[tuple[str, str], HeldToken] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def trust(self, own_roots: Sequence[str]) -> None:
        self._source.own_roots = own_roots

    async def get(self, credential: Credential, scope: str) -> str:
        key = key_of(credential)
        async with self._locks[key]:
            known = self._known.get((key, scope))
            if known is None or self._clock() >= known.renew_at:
                known = self._known[key, scope] = await self._obtained(credential, scope)
        return known.value

    async def forget(self, credential: Credential, scope: str, token: str) -> None:
        key = key_of(credential)
        known = self._known.get((key, scope))
        if known is not None and known.value == token:
            del self._known[key, scope]
        with suppress(StoreUnavailable):
            await asyncio.to_thread(self._source.forget, credential, scope, token)

    async def _obtained(self, credential: Credential, scope: str) -> HeldToken:
        """An authority that hangs holds up neither the end of this worker nor its other threads."""
        try:
            return await apart(_LONGEST_TRY, partial(self._source.obtain, credential, scope))
        except NoToken as error:
            why = str(error)
        except TimeoutError:
            why = f"{credential.authority} takes too long; {_BY_ITSELF}"
        raise SignInFailed(Reply(451, "4.7.0", f'no token for the credential "{credential.name}": {why}'))


def key_of(credential: Credential) -> str:
    """Another secret, tenant or user makes another key, so that what is held of the former counts no more.

    Made of what is named here alone: what a later version adds to credentials must not cost the refresh tokens.
    """
    certificate = credential.certificate.secret if credential.certificate else ""
    account = (credential.kind, credential.user, credential.tenant, credential.client_id, credential.authority)
    return hashlib.sha256(json.dumps([*account, credential.secret, certificate]).encode()).hexdigest()


def _unchanged(held: Holding) -> Holding:
    return held


def _usable(held: Holding, scope: str, now: float) -> HeldToken | None:
    """What is held, if nobody need be asked. Raises `NoToken` while there is no point in asking."""
    token, refusal = held.tokens.get(scope), held.refusals.get(scope)
    if token is not None and now < token.renew_at:
        return token
    if refusal is None or not now < refusal.until < now + _LONGEST_REFUSAL:  # beyond: the clock has been set back
        return None
    if good := _just_good(held, scope, now):
        return good
    raise NoToken(refusal.problem, refusal.remedy)


def _just_good(held: Holding, scope: str, now: float) -> HeldToken | None:
    token = held.tokens.get(scope)
    return token if token is not None and now < token.expires_at - _JUST_GOOD else None


def _wait_after(error: TokenError) -> float:
    from posthouse.net.oauth_wire import TokenUnavailable

    return max(_UNAVAILABLE_FOR, error.retry_after) if isinstance(error, TokenUnavailable) else _REFUSED_FOR
