"""Signing in to a next hop, by an access token or a password: never without TLS, nor with what was just refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from posthouse.mail import Reply
from posthouse.net.oauth_scopes import outlook_scope
from posthouse.organization import Credential, Organization, OutboundConnector, TransportKind
from posthouse.organization.connectors import CredentialKind
from posthouse.transports.connection import Connection, SessionFailed

SIGNED_OUT: Final = (530, 534, 535, 538)
"""Replies that want a sign-in before mail (RFC 4954 6)."""
_REFUSED_FOR: Final = 300.0
_TROUBLED_FOR: Final = 30.0
"""Seconds until a credential is tried again that a server refused, or said 4yz to."""
_PASSWORD_MECHANISMS: Final = ("PLAIN", "LOGIN")
"""What a client may choose among, best first. Exchange Online offers LOGIN only."""
_TOKEN_MECHANISMS: Final = ("XOAUTH2",)


class SignInFailed(SessionFailed):
    """Nobody is signed in. The mail isn't at fault, so `reply` defers it; its text says what to do."""


class Tokens(Protocol):
    """Access tokens of credentials, kept until shortly before they expire and shared by all workers.

    `scope` is always `https://<resource>/.default`, like `https://graph.microsoft.com/.default`, whatever the kind of
    the credential: the delegated permissions of a device code follow from the resource.
    """

    async def get(self, credential: Credential, scope: str) -> str:
        """A token that is still good for a while. Raises `SignInFailed`."""
        ...

    async def forget(self, credential: Credential, scope: str, token: str) -> None:
        """The resource refused this token (401, or 535 after XOAUTH2): the next `get` brings another one.

        Names the token, so that of many who were refused at once none throws away what another has just got.
        """
        ...


def scope_of(connector: OutboundConnector, credential: Credential) -> str:
    """What a token is for that is used on a connector's way."""
    if connector.transport is TransportKind.GRAPH:
        return f"{connector.endpoint}/.default"
    return outlook_scope(credential.authority)


def scopes_of(organization: Organization, credential: Credential) -> list[str]:
    """What a credential's tokens are for, going by the connectors that name it: for SMTP where none does."""
    users = [connector for connector in organization.outbound if credential.name in connector.credential]
    return list(dict.fromkeys(scope_of(connector, credential) for connector in users)) or [
        outlook_scope(credential.authority)
    ]


class Account:
    """A credential as one connector's sessions sign in with it. It rests for a while once a server has refused it."""

    def __init__(
        self,
        credential: Credential,
        tokens: Tokens,
        password: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credential = credential
        self._tokens = tokens
        self._password = password
        self._scope = outlook_scope(credential.authority)
        self._clock = clock
        self._refusal = Reply(0, "", "")
        self._rests_until = 0.0
        self._is_taken = False
        self._one_at_a_time = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._credential.name

    async def prepare(self) -> None:
        """Whatever can be known before a server is called. Raises `SignInFailed`."""
        self._require_rested()
        if self._credential.kind is not CredentialKind.BASIC:
            await self._tokens.get(self._credential, self._scope)

    async def sign_in(self, connection: Connection) -> None:
        """Until a server takes the credential one tries at a time: ten failures at once lock a mailbox.

        Raises `SignInFailed`. https://learn.microsoft.com/entra/identity/authentication/howto-password-smart-lockout
        """
        if self._is_taken:
            await self._sign_in(connection)
            return
        async with self._one_at_a_time:
            self._require_rested()
            await self._sign_in(connection)
        self._is_taken = True

    def deferred(self, reply: Reply, connection: Connection) -> Reply:
        """Of a reply in a transaction: one that wants a sign-in is not the mail's fault."""
        if reply.code not in SIGNED_OUT:
            return reply
        text = f"{connection.name} has {self._credential.user} signed out: {reply}"
        return Reply(451, "4.7.0", text)

    def _require_rested(self) -> None:
        if self._clock() < self._rests_until:
            raise SignInFailed(self._refusal)

    async def _sign_in(self, connection: Connection) -> None:
        if not connection.is_secure:
            raise self._failure(connection, "4.7.11", "signs nobody in without TLS; set tls_settings")
        if self._credential.kind is CredentialKind.BASIC:
            mechanism = self._mechanism(connection, _PASSWORD_MECHANISMS)
            reply = await connection.auth(mechanism, self._credential.user, self._password)
        else:
            reply = await self._with_token(connection, self._mechanism(connection, _TOKEN_MECHANISMS))
        if not reply.is_positive:
            raise self._failure(connection, "4.7.0", f"does not sign {self._credential.user} in: {reply}", reply)

    async def _with_token(self, connection: Connection, mechanism: str) -> Reply:
        """A token can have been revoked since it was got: another one is tried, once."""
        token = await self._tokens.get(self._credential, self._scope)
        reply = await connection.auth(mechanism, self._credential.user, token)
        if reply.is_permanent and connection.is_usable:
            await self._tokens.forget(self._credential, self._scope, token)
            token = await self._tokens.get(self._credential, self._scope)
            reply = await connection.auth(mechanism, self._credential.user, token)
        return reply

    def _mechanism(self, connection: Connection, wanted: tuple[str, ...]) -> str:
        offered = connection.extensions.auth
        for mechanism in wanted:
            if mechanism in offered:
                return mechanism
        found = f"offers AUTH {' '.join(sorted(offered))}" if offered else "offers no AUTH"
        raise self._failure(connection, "4.7.4", f"{found}, and the credential needs {' or '.join(wanted)}")

    def _failure(self, connection: Connection, enhanced: str, text: str, said: Reply | None = None) -> SignInFailed:
        """From now on nobody calls the server with this credential for a while."""
        self._is_taken = False
        self._refusal = Reply(451, enhanced, f"{connection.name} {text}")
        self._rests_until = self._clock() + (_TROUBLED_FOR if said and said.is_transient else _REFUSED_FOR)
        return SignInFailed(self._refusal, connection.remote)
