"""The transports of the outbound connectors in force, kept across changes of the organization that don't touch them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from posthouse import observe
from posthouse.net.certificates import CertificateError, Identity, load_pfx
from posthouse.net.dns import Resolver
from posthouse.net.verification import Verifier
from posthouse.organization import Organization, OutboundConnector, TransportKind
from posthouse.spool import Secrets, SpoolError, StoreUnavailable
from posthouse.transports import MailboxTransport, RewritingTransport, SmtpTransport, Transport

log = observe.logger


@dataclass(frozen=True, slots=True)
class _Exit:
    connector: OutboundConnector
    verifier: Verifier
    transport: Transport


class Exits:
    """One transport for each enabled outbound connector that can be used."""

    def __init__(self, *, hostname: str, mailboxes: Path, resolver: Resolver, secrets: Secrets) -> None:
        self._hostname = hostname
        self._mailboxes = mailboxes
        self._resolver = resolver
        self._secrets = secrets
        self._exits: Mapping[str, _Exit] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def transport(self, connector: str) -> Transport | None:
        """The transport of a connector by its Name."""
        exit_ = self._exits.get(connector)
        return exit_.transport if exit_ else None

    async def prepare(self, organization: Organization, verifier: Verifier) -> None:
        """Make what is new or changed, keep what is the same, close the rest when its deliveries have ended."""
        fresh: dict[str, _Exit] = {}
        for connector in organization.outbound:
            if connector.enabled:
                known = self._exits.get(connector.name)
                if known and known.connector == connector and known.verifier is verifier:
                    fresh[connector.name] = known
                elif transport := await self._made(connector, verifier):
                    if connector.rewrite_from:
                        transport = RewritingTransport(transport, connector.rewrite_from)
                    fresh[connector.name] = _Exit(connector, verifier, transport)
        gone = [exit_ for name, exit_ in self._exits.items() if fresh.get(name) is not exit_]
        self._exits = fresh
        for exit_ in gone:
            task = asyncio.get_running_loop().create_task(exit_.transport.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        for exit_ in self._exits.values():
            await exit_.transport.close()

    async def _made(self, connector: OutboundConnector, verifier: Verifier) -> Transport | None:
        """None where the client certificate can't be had: without it the mail might be refused for good."""
        if connector.transport is TransportKind.MAILBOX:
            return MailboxTransport(self._mailboxes, self._hostname)
        try:
            identity = await asyncio.to_thread(self._identity, connector)
        except StoreUnavailable:
            raise
        except (CertificateError, SpoolError, KeyError) as error:
            log.error("connector unusable", connector=connector.name, reason=str(error), hint="its mail waits")
            return None
        return SmtpTransport(
            connector,
            resolver=self._resolver,
            helo_name=self._hostname,
            client_identity=identity,
            verifier=verifier,
        )

    def _identity(self, connector: OutboundConnector) -> Identity | None:
        reference = connector.client_certificate
        if reference is None:
            return None
        return load_pfx(self._secrets.get(reference.secret), source=f"client certificate of {connector.name}")
