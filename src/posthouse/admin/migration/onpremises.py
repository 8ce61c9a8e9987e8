"""Connectors of an Exchange Server, as Get-SendConnector and Get-ReceiveConnector show them.

https://learn.microsoft.com/powershell/module/exchange/new-sendconnector
https://learn.microsoft.com/powershell/module/exchange/new-receiveconnector
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.records import Record
from posthouse.admin.migration.values import is_nothing, texts, truth
from posthouse.organization import network_text

_COST = re.compile(r";\d+$")
_MOST_NETWORKS = 10_000
_SHORTEST_PREFIX = 8
"""Anything wider is no list of clients: the default connectors have all addresses."""
_UNSET = ("none", "unlimited")
_SEND_REASONS = {
    "smarthostauthmechanism": "its login isn't in this export: name a credential with --credential",
    "isscopedconnector": "there is one site here: the connector is taken for all",
    "domainsecureenabled": "certificates are not demanded of both sides: set tls_settings, and --client-certificate",
    "maxmessagesize": "a connector has no limit of its own: set message_size of [limits]",
    "tlscertificatename": "give it to the connector: posthouse connector set outbound NAME --client-certificate FILE",
}
_RECEIVE_REASONS = {
    "bindings": "set the address of each listener in posthouse.toml",
    "fqdn": "set hostname in posthouse.toml",
    "authmechanism": "logins are Windows accounts: give devices their own with --sender-credentials",
    "maxmessagesize": "a connector has no limit of its own: set message_size of [limits]",
    "tlscertificatename": "set certificate of a listener in posthouse.toml",
}
"""Of the other properties, which are many, those that say nothing of who may send or where it goes are passed over."""


def read_send_connector(properties: Record, findings: Findings) -> None:
    name = str(properties.get("name") or "")
    label = f"SendConnector {name}"
    domains = [_COST.sub("", space) for space in texts(properties.get("addressspaces"))]
    findings.take(
        label,
        domains,
        "outbound_connector",
        name,
        recipient_domains=[re.sub("^smtp:", "", domain, flags=re.IGNORECASE) for domain in domains],
        enabled=truth(properties.get("enabled")) is not False,
        **_way(properties),
    )
    _leave(label, properties, _SEND_REASONS, findings)


def _way(properties: Record) -> dict[str, Any]:
    is_by_mx = truth(properties.get("dnsroutingenabled"))
    way: dict[str, Any] = {"use_mx_record": True} if is_by_mx else {"smart_hosts": texts(properties.get("smarthosts"))}
    level = str(properties.get("tlsauthlevel") or "")
    if level or truth(properties.get("requiretls")):
        way["tls_settings"] = level or "EncryptionOnly"
    if level.casefold() == "domainvalidation" and not is_nothing(properties.get("tlsdomain")):
        way["tls_domain"] = properties["tlsdomain"]
    port = str(properties.get("port") or "25")
    if port != "25":
        way["port"] = int(port) if port.isdecimal() and len(port) < 6 else port
    source = str(properties.get("sourceipaddress") or "")
    if source.strip("0.:"):  # it is not the unspecified address
        way["source_address"] = source
    return way


def read_receive_connector(properties: Record, findings: Findings) -> None:
    """Its name is unique on one server only. Whoever is externally secured is trusted like an Exchange server."""
    identity = str(properties.get("identity") or properties.get("name") or "").replace("\\", " ")
    label = f"ReceiveConnector {identity}"
    groups, mechanisms = (_words(properties.get(key)) for key in ("permissiongroups", "authmechanism"))
    trusted = "externalauthoritative" in mechanisms
    _leave(label, properties, _RECEIVE_REASONS, findings)
    if not trusted and "anonymoususers" not in groups:
        return findings.leave(label, "", "only those who sign in may send by it; logins are in no export")
    networks = list(islice(_clients(label, properties, findings), _MOST_NETWORKS))
    if not networks:
        return None
    keys: dict[str, Any] = {"connector_type": "OnPremises", "sender_ip_addresses": networks}
    is_enabled = trusted and truth(properties.get("enabled")) is not False
    if truth(properties.get("requiretls")):
        keys["require_tls"] = True
    findings.take(f"{label}: RemoteIPRanges", networks, "inbound_connector", identity, **keys, enabled=is_enabled)
    if not trusted:
        reason = "whether they may relay is a right that no export has: the connector is taken, and switched off"
        findings.leave(f"{label}: PermissionGroups", "AnonymousUsers", reason)
    return None


def _clients(label: str, properties: Record, findings: Findings) -> Iterator[str]:
    for text in texts(properties.get("remoteipranges")):
        try:
            networks = list(_networks(text))
        except (TypeError, ValueError):
            findings.leave(f"{label}: RemoteIPRanges", text, "it is no address, network or range")
            continue
        if any(network.prefixlen < _SHORTEST_PREFIX for network in networks):
            reason = "that is everybody: mail for accepted domains is taken from anyone here, and relayed for nobody"
            findings.leave(f"{label}: RemoteIPRanges", text, reason)
        else:
            yield from map(network_text, networks)


def _networks(text: str) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Raises `ValueError` or `TypeError`."""
    first, dash, last = text.partition("-")
    if dash:
        yield from ipaddress.summarize_address_range(ipaddress.ip_address(first), ipaddress.ip_address(last))
    else:
        yield ipaddress.ip_network(first, strict=False)


def _words(value: Any) -> set[str]:
    return {word.casefold() for word in texts(value)}


def _leave(label: str, properties: Record, reasons: Mapping[str, str], findings: Findings) -> None:
    for key, reason in reasons.items():
        value = properties.get(key)
        if not is_nothing(value) and truth(value) is not False and str(value).casefold() not in _UNSET:
            findings.leave(f"{label}: {key}", value, reason)
