"""What a tenant has, as far as mail from this relay is concerned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TypeVar

from posthouse.admin.migration.values import texts, truth
from posthouse.mail.text import one_line
from posthouse.net.exchange_online import ExchangeOnline, Record
from posthouse.organization.connectors import ANY
from posthouse.organization.domains import DomainSet
from posthouse.organization.fields import Invalid, domain, domain_pattern, wildcard_domain

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TenantConnector:
    """An inbound connector there. What posthouse can't read of it, as an IPv6 network, is left out."""

    name: str
    comment: str = ""
    enabled: bool = True
    is_on_premises: bool = True
    sender_domains: tuple[str, ...] = (ANY,)
    sender_ip_addresses: tuple[IPv4Network, ...] = ()
    tls_sender_certificate_name: str = ""
    require_tls: bool = True
    restrict_domains_to_ip_addresses: bool = False
    restrict_domains_to_certificate: bool = False
    associated_accepted_domains: tuple[str, ...] = ()

    def is_for(self, domains: Iterable[str]) -> list[str]:
        """Those of the domains that its SenderDomains admit."""
        admitted = DomainSet.compile(self.sender_domains, None)
        return [domain for domain in domains if domain in admitted]


@dataclass(frozen=True, slots=True)
class TenantState:
    accepted_domains: frozenset[str] = frozenset()
    connectors: tuple[TenantConnector, ...] = ()
    outbound: tuple[str, ...] = ()
    """The names of its outbound connectors, which carry mail the other way."""
    reject_direct_send: bool = False


def read_tenant(tenant: ExchangeOnline) -> TenantState:
    """Four cmdlets, none of which changes anything. Raises `ExchangeError`."""
    accepted = tenant.accepted_domains().objects
    connectors = tenant.invoke("Get-InboundConnector").objects
    outbound = tenant.invoke("Get-OutboundConnector").objects
    config = tenant.invoke("Get-OrganizationConfig").objects
    return TenantState(
        frozenset(_read(domain, (record.get("DomainName") for record in accepted))),
        tuple(map(_connector, connectors)),
        tuple(_name(record) for record in outbound),
        any(truth(record.get("RejectDirectSend")) for record in config),
    )


def _connector(record: Record) -> TenantConnector:
    return TenantConnector(
        _name(record),
        comment=str(record.get("Comment") or ""),
        enabled=truth(record.get("Enabled")) is not False,
        is_on_premises=record.get("ConnectorType") == "OnPremises",
        sender_domains=tuple(_read(domain_pattern, texts(record.get("SenderDomains")))),
        sender_ip_addresses=tuple(_read(_network, texts(record.get("SenderIPAddresses")))),
        tls_sender_certificate_name=next(_read(wildcard_domain, texts(record.get("TlsSenderCertificateName"))), ""),
        require_tls=bool(truth(record.get("RequireTls"))),
        restrict_domains_to_ip_addresses=bool(truth(record.get("RestrictDomainsToIPAddresses"))),
        restrict_domains_to_certificate=bool(truth(record.get("RestrictDomainsToCertificate"))),
        associated_accepted_domains=tuple(texts(record.get("AssociatedAcceptedDomains"))),
    )


def _name(record: Record) -> str:
    return one_line(str(record.get("Name") or record.get("Identity") or ""))


def _network(text: object) -> IPv4Network:
    return IPv4Network(str(text), strict=False)


def _read(read: Callable[[object], T], values: Iterable[object]) -> Iterator[T]:
    for value in values:
        try:
            yield read(value)
        except (Invalid, ValueError):
            continue
