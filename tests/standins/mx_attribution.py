"""Whose mail it is, at a tenant's MX endpoint: by its connectors, as Microsoft documents them.

A second telling of the rules, apart from that of `posthouse.organization`: here SenderDomains, RequireTls and
RestrictDomainsTo… act on Partner connectors only.

https://learn.microsoft.com/powershell/module/exchange/new-inboundconnector
https://learn.microsoft.com/exchange/troubleshoot/connectors/office-365-notice
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

_DENIED = "550 5.7.64 TenantAttribution; Relay Access Denied"
_ELSEWHERE = (
    "451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35. For more information please go to "
    "https://go.microsoft.com/fwlink/?linkid=865268"
)
_RESTRICTED = (
    "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient "
    "domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set"
)
_NO_DIRECT_SEND = (
    "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources"
)


@dataclass
class Client:
    """Who sends. `status` is what its certificate was found to be, `tls` the protocol's version, "" in plain text."""

    ip: str
    tls: str = ""
    status: str = "EmptyCertificate"
    names: list[str] = field(default_factory=list)
    subject: str = ""


@dataclass
class Verdict:
    """On one recipient: a reply that refuses it, or the Name of the connector that the mail came by, if any."""

    refusal: str = ""
    connector: str = ""


@dataclass
class Tenant:
    connectors: list[dict[str, Any]]
    domains: set[str]
    elsewhere: set[str]
    reject_direct_send: bool

    def verdict(self, client: Client, sender: str, recipient: str) -> Verdict:
        domain = _domain(sender)
        if refusal := self._partners_refusal(client, domain):
            return Verdict(refusal)
        connector = self._on_premises(client)
        if _domain(recipient) in self.domains:
            return self._internal(connector or self._partner(client, domain), domain)
        if connector is None:
            return Verdict(_ELSEWHERE if _domain(recipient) in self.elsewhere else self._unattributed(client))
        if not self._may_relay(connector, client, domain):
            return Verdict(f"{_DENIED} SMTP")
        return Verdict(connector=connector["Name"])

    def _internal(self, connector: dict[str, Any] | None, domain: str) -> Verdict:
        if connector is None and self.reject_direct_send and domain in self.domains:
            return Verdict(_NO_DIRECT_SEND)
        return Verdict(connector=connector["Name"] if connector else "")

    def _unattributed(self, client: Client) -> str:
        status = "NameMismatch" if client.status == "Valid" else client.status
        return f"{_DENIED} [ValidationStatus of '{client.subject}' is {status}]"

    def _on_premises(self, client: Client) -> dict[str, Any] | None:
        """A certificate comes before an address."""
        found = [each for each in self._enabled("OnPremises") if _shows(client, each["TlsSenderCertificateName"])]
        found += [each for each in self._enabled("OnPremises") if _is_in(client, each["SenderIPAddresses"])]
        return found[0] if found else None

    def _may_relay(self, connector: dict[str, Any], client: Client, domain: str) -> bool:
        """Since November 2023: the certificate's domain, or that of MAIL FROM, is accepted."""
        name = connector["TlsSenderCertificateName"]
        proven = bool(name) and _shows(client, name) and self._is_accepted(name.removeprefix("*."))
        return proven or domain in self.domains

    def _is_accepted(self, name: str) -> bool:
        labels = name.lower().split(".")
        return any(".".join(labels[number:]) in self.domains for number in range(len(labels)))

    def _partner(self, client: Client, domain: str) -> dict[str, Any] | None:
        found = (
            each
            for each in self._enabled("Partner")
            if _admits(each, domain)
            and (_shows(client, each["TlsSenderCertificateName"]) or _is_in(client, each["SenderIPAddresses"]))
        )
        return next(found, None)

    def _partners_refusal(self, client: Client, domain: str) -> str:
        """Mail from a domain that a Partner connector is for must fit it."""
        for connector in self._enabled("Partner"):
            if not domain or not _admits(connector, domain):
                continue
            by_address, by_name = connector["RestrictDomainsToIPAddresses"], connector["RestrictDomainsToCertificate"]
            if by_address and not _is_in(client, connector["SenderIPAddresses"]):
                return _RESTRICTED
            if by_name and not _shows(client, connector["TlsSenderCertificateName"]):
                return _RESTRICTED
            if connector["RequireTls"] and not client.tls:
                return "451 5.7.3 STARTTLS is required to send mail"
        return ""

    def _enabled(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.connectors if each["Enabled"] and each["ConnectorType"] == kind]


def _shows(client: Client, name: str | None) -> bool:
    """`*.contoso.com` is one label below contoso.com, or that name itself."""
    if not name or client.status != "Valid":
        return False
    wanted = name.lower()
    return any(own == wanted or (wanted[:2] == "*." and own.partition(".")[2] == wanted[2:]) for own in client.names)


def _is_in(client: Client, networks: list[str]) -> bool:
    return any(ipaddress.ip_address(client.ip) in ipaddress.ip_network(each, strict=False) for each in networks)


def _admits(connector: dict[str, Any], domain: str) -> bool:
    for space in connector["SenderDomains"]:
        if space in ("*", domain) or (space.startswith("*.") and f".{domain}".endswith(space[1:])):
            return True
    return False


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
