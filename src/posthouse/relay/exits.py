"""The transports of the outbound connectors in force, kept across changes of the organization that don't touch them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from posthouse import observe
from posthouse.net.certificates import CertificateError, Identity, load_pfx
from posthouse.net.dns import Resolver
from posthouse.net.https import client_context
from posthouse.net.verification import Verifier
from posthouse.organization import Credential, Organization, OutboundConnector, TransportKind
from posthouse.organization.connectors import CredentialKind
from posthouse.spool import Secrets, SpoolError, StoreUnavailable
from posthouse.transports import MailboxTransport, RewritingTransport, SharedTransport, SmtpTransport, Transport
from posthouse.transports.sign_in import Account
from posthouse.transports.tokens import SharedTokens

log = observe.logger


@dataclass(frozen=True, slots=True)
class _Exit:
    connector: OutboundConnector
    credentials: tuple[Credential, ...]
    verifier: Verifier
    transport: Transport

    def is_for(self, connector: OutboundConnector, credentials: tuple[Credential, ...], verifier: Verifier) -> bool:
        return self.connector == connector and self.credentials == credentials and self.verifier is verifier


class Exits:
    """One transport for each enabled outbound connector that can be used."""

    def __init__(
        self, *, hostname: str, mailboxes: Path, resolver: Resolver, secrets: Secrets, tokens: SharedTokens
    ) -> None:
        self._hostname = hostname
        self._mailboxes = mailboxes
        self._resolver = resolver
        self._secrets = secrets
        self._tokens = tokens
        self._roots: tuple[str, ...] = ()
        self._exits: Mapping[str, _Exit] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def transport(self, connector: str) -> Transport | None:
        """The transport of a connector by its Name."""
        exit_ = self._exits.get(connector)
        return exit_.transport if exit_ else None

    async def prepare(self, organization: Organization, verifier: Verifier) -> None:
        """Make what is new or changed, keep what is the same, close the rest when its deliveries have ended."""
        fresh: dict[str, _Exit] = {}
        self._roots = organization.trusted_roots
        self._tokens.trust(self._roots)
        for connector in organization.outbound:
            if connector.enabled:
                known = self._exits.get(connector.name)
                credentials = organization.credentials_of(connector)
                if known and known.is_for(connector, credentials, verifier):
                    fresh[connector.name] = known
                elif transport := await self._made(connector, credentials, verifier):
                    if connector.rewrite_from:
                        transport = RewritingTransport(transport, connector.rewrite_from)
                    fresh[connector.name] = _Exit(connector, credentials, verifier, transport)
        gone = [exit_ for name, exit_ in self._exits.items() if fresh.get(name) is not exit_]
        self._exits = fresh
        for exit_ in gone:
            task = asyncio.get_running_loop().create_task(exit_.transport.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        for exit_ in self._exits.values():
            await exit_.transport.close()

    async def _made(
        self, connector: OutboundConnector, credentials: tuple[Credential, ...], verifier: Verifier
    ) -> Transport | None:
        """None where a certificate or a password can't be had: without it the mail might be refused for good."""
        if connector.transport is TransportKind.MAILBOX:
            return MailboxTransport(self._mailboxes, self._hostname)
        if connector.transport is TransportKind.GRAPH:
            return await asyncio.to_thread(self._graph, connector, credentials)
        try:
            identity = await asyncio.to_thread(self._identity, connector)
            accounts = [await asyncio.to_thread(self._account, credential) for credential in credentials]
        except StoreUnavailable:
            raise
        except (CertificateError, SpoolError, KeyError) as error:
            log.error("connector unusable", connector=connector.name, reason=str(error), hint="its mail waits")
            return None
        ways = [
            SmtpTransport(
                connector,
                resolver=self._resolver,
                helo_name=self._hostname,
                client_identity=identity,
                account=account,
                verifier=verifier,
            )
            for account in accounts or [None]
        ]
        return SharedTransport(ways) if len(ways) > 1 else ways[0]

    def _graph(self, connector: OutboundConnector, credentials: tuple[Credential, ...]) -> Transport:
        """Its HTTP client is loaded only here: most workers never need it."""
        from posthouse.transports.graph import GraphTransport

        context = client_context(self._roots)
        return GraphTransport(connector, credentials, tokens=self._tokens, hostname=self._hostname, context=context)

    def _account(self, credential: Credential) -> Account:
        is_password = credential.kind is CredentialKind.BASIC
        password = self._secrets.get(credential.secret).decode() if is_password else ""
        return Account(credential, self._tokens, password)

    def _identity(self, connector: OutboundConnector) -> Identity | None:
        reference = connector.client_certificate
        if reference is None:
            return None
        return load_pfx(self._secrets.get(reference.secret), source=f"client certificate of {connector.name}")
