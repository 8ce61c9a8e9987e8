"""The connectors compiled for look-up, once per snapshot: what a session asks costs the same for 10 and for 5,000."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from posthouse.organization.connectors import (
    ANY,
    InboundConnector,
    OutboundConnector,
    SenderCredential,
    TransportKind,
)
from posthouse.organization.domains import DomainSet, DomainTable, ancestry
from posthouse.organization.networks import NetworkTable


@dataclass(frozen=True, slots=True, eq=False)
class Sender:
    """An enabled inbound connector with what its settings come to."""

    connector: InboundConnector
    domains: DomainSet
    certificate_accepted: bool
    """Its TlsSenderCertificateName, less `*.`, is an accepted domain or below one."""

    @property
    def names_any_domain(self) -> bool:
        return ANY in self.connector.sender_domains

    def admits(self, reverse_path: str, domain: str) -> bool:
        """Whether SenderDomains admit it. The null reverse-path is always admitted."""
        return not reverse_path or domain in self.domains


@dataclass(frozen=True, slots=True, eq=False)
class Login:
    sender: Sender
    credential: SenderCredential


class InboundIndex:
    """Finds inbound connectors by login, certificate name and address, and those that restrict a domain."""

    __slots__ = ("certificates", "logins", "networks", "restricted")

    def __init__(self, accepted_domains: frozenset[str], connectors: Iterable[InboundConnector]) -> None:
        self.logins: dict[str, Login] = {}
        self.certificates: dict[str, list[Sender]] = {}
        self.networks: NetworkTable[Sender] = NetworkTable()
        self.restricted: DomainTable[Sender] = DomainTable(accepted_domains)
        compiled: dict[tuple[bool, tuple[str, ...]], DomainSet] = {}
        for connector in sorted(connectors, key=lambda connector: connector.name.casefold()):
            if not connector.enabled:
                continue
            key = (connector.is_on_premises, connector.sender_domains)
            domains = compiled.get(key)
            if domains is None:
                any_domain = accepted_domains if connector.is_on_premises else None
                domains = compiled[key] = DomainSet.compile(connector.sender_domains, any_domain)
            self._add(Sender(connector, domains, _certificate_accepted(connector, accepted_domains)))
        self.networks.freeze()

    def _add(self, sender: Sender) -> None:
        connector = sender.connector
        for credential in connector.sender_credentials:
            self.logins.setdefault(credential.user.casefold(), Login(sender, credential))
        for network in connector.sender_ip_addresses:
            self.networks.add(network, sender)
        if connector.tls_sender_certificate_name:
            self.certificates.setdefault(connector.tls_sender_certificate_name.lower(), []).append(sender)
        if connector.restricts_domains:
            self._restrict(sender)

    def _restrict(self, sender: Sender) -> None:
        patterns = sender.connector.sender_domains
        if sender.connector.is_on_premises and ANY in patterns:
            self.restricted.add_accepted(sender)
            patterns = tuple(pattern for pattern in patterns if pattern != ANY)
        self.restricted.add(patterns, sender)


def _certificate_accepted(connector: InboundConnector, accepted_domains: frozenset[str]) -> bool:
    name = connector.tls_sender_certificate_name.lower().removeprefix("*.")
    return any(above in accepted_domains for above in ancestry(name))


class Exit:
    """An enabled outbound connector. `holds` says whether a mailbox connector has a mailbox for an address."""

    __slots__ = ("_mailboxes", "connector")

    def __init__(self, connector: OutboundConnector) -> None:
        self.connector = connector
        mailboxes: frozenset[str] | None = None
        if connector.transport is TransportKind.MAILBOX and ANY not in connector.mailboxes:
            mailboxes = frozenset(map(str.lower, connector.mailboxes))
        self._mailboxes = mailboxes

    def holds(self, address: str) -> bool:
        """`address` is lower case, its domain normalised: our own mailboxes don't tell case apart (RFC 5321 2.4)."""
        return self._mailboxes is None or address in self._mailboxes


class OutboundIndex:
    """Finds the outbound connector of a domain. Of several that name it alike, the first by Name is taken."""

    __slots__ = ("table",)

    def __init__(self, accepted_domains: frozenset[str], connectors: Iterable[OutboundConnector]) -> None:
        self.table: DomainTable[Exit] = DomainTable(accepted_domains)
        for connector in sorted(connectors, key=lambda connector: connector.name.casefold()):
            if connector.enabled:
                exit_ = Exit(connector)
                self.table.add(connector.recipient_domains, exit_)
                if connector.all_accepted_domains:
                    self.table.add_accepted(exit_)
