"""Opening a session with a host: connect, greeting, EHLO, TLS as far as the connector wants it, signing in."""

from __future__ import annotations

import asyncio
import os

from posthouse.mail import Reply
from posthouse.net.certificates import Identity
from posthouse.net.tls import ClientContext, TlsSession
from posthouse.net.verification import Verifier
from posthouse.organization import OutboundConnector, TlsSettings
from posthouse.transports.connection import Connection, SessionFailed, Timeouts, TlsFailed
from posthouse.transports.hosts import Host
from posthouse.transports.sign_in import Account


class Dialler:
    """Opens sessions for one outbound connector."""

    def __init__(
        self,
        connector: OutboundConnector,
        *,
        helo_name: str,
        client_identity: Identity | None,
        verifier: Verifier,
        timeouts: Timeouts,
        account: Account | None = None,
    ) -> None:
        settings = connector.tls_settings
        self._port = connector.port
        self._source = (connector.source_address, 0) if connector.source_address else None
        self._helo_name = helo_name
        self._timeouts = timeouts
        self._account = account
        self._requires_tls = settings is not TlsSettings.OPPORTUNISTIC
        self._context = ClientContext(client_identity, "intermediate", verifier, settings, connector.tls_domain)

    async def dial(self, host: Host) -> Connection:
        """A session ready for its first transaction. Raises `SessionFailed`.

        Opportunistic TLS that fails is worth no more than none: the same host is called again in plain text.
        """
        if self._account is not None:
            await self._account.prepare()
        try:
            return await self._open(host, try_tls=True)
        except TlsFailed:
            if self._requires_tls:
                raise
        return await self._open(host, try_tls=False)

    async def _open(self, host: Host, *, try_tls: bool) -> Connection:
        connection = await self._connect(host)
        try:
            self._require(await connection.greet(), connection)
            self._require(await connection.hello(), connection)
            if try_tls:
                await self._secure(connection, host)
            if self._account is not None:
                await self._account.sign_in(connection)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _connect(self, host: Host) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeouts.connect):
                _, connection = await loop.create_connection(
                    lambda: Connection(host.name, host.ip, self._helo_name, self._timeouts),
                    host.ip,
                    self._port,
                    local_addr=self._source,
                )
        except TimeoutError:
            raise self._unreachable(host, "no answer") from None
        except OSError as error:
            raise self._unreachable(host, os.strerror(error.errno) if error.errno else str(error)) from None
        return connection

    def _unreachable(self, host: Host, reason: str) -> SessionFailed:
        source = f" from {self._source[0]}" if self._source else ""
        return SessionFailed(Reply(451, "4.4.1", f"{host.name} [{host.ip}]:{self._port}: {reason}{source}"))

    async def _secure(self, connection: Connection, host: Host) -> None:
        refusal = "it is not offered"
        if connection.extensions.starttls:
            reply = await connection.starttls(TlsSession(self._context, host.name))
            if reply.is_positive:
                await self._hello_again(connection)
                return
            refusal = str(reply)
        if self._requires_tls:  # deferred even for a 5yz: it says nothing of the mail, and a host's TLS comes back
            text = f"{connection.name} refuses STARTTLS, which the connector requires: {refusal}"
            raise TlsFailed(Reply(451, "4.7.4", text), connection.remote)

    async def _hello_again(self, connection: Connection) -> None:
        """RFC 3207 4.2. In TLS 1.3 a server that doesn't take our certificate says so only now (RFC 8446 4.4.2.4)."""
        try:
            self._require(await connection.hello(), connection)
        except SessionFailed as failure:
            raise TlsFailed(failure.reply, failure.remote) from None

    def _require(self, reply: Reply, connection: Connection) -> None:
        if not reply.is_positive:
            raise SessionFailed(reply, connection.remote)
