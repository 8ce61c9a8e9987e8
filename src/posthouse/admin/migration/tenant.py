"""Connectors, accepted domains and settings of an Exchange Online tenant, as its Get- cmdlets show them.

What their properties mean is on the pages of the cmdlets that set them:
https://learn.microsoft.com/powershell/module/exchange/new-inboundconnector
https://learn.microsoft.com/powershell/module/exchange/new-outboundconnector
https://learn.microsoft.com/powershell/module/exchange/set-accepteddomain
https://learn.microsoft.com/powershell/module/exchange/set-organizationconfig
https://learn.microsoft.com/powershell/module/exchange/set-transportconfig
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from posthouse.admin.migration.findings import Findings, Kind
from posthouse.admin.migration.onpremises import read_receive_connector, read_send_connector
from posthouse.admin.migration.records import Record
from posthouse.admin.migration.values import is_nothing, texts, truth
from posthouse.admin.spelling import cmdlet_spelling
from posthouse.organization import InboundConnector, OutboundConnector
from posthouse.organization.connectors import ANY
from posthouse.organization.fields import domain_pattern

_OURS = {
    "sender_credentials",
    "rate_limit",
    "rewrite_from",
    "transport",
    "port",
    "source_address",
    "client_certificate",
    "credential",
    "throttle",
    "mailboxes",
    "endpoint",
    "priority",
}
"""Fields that no tenant has."""
_ONLY_THERE = {
    "associated_accepted_domains",
    "treat_messages_as_internal",
    "ef_skip_last_ip",
    "ef_skip_ips",
    "mta_sts_mode",
    "smtp_dane_mode",
    "sender_rewriting_enabled",
    "test_mode",
}
"""Fields that nothing here acts on."""
_LIMITS = {"enabled", "sender_domains", "tls_sender_certificate_name", "require_tls", "tls_settings"}

_ABOUT_THE_OBJECT = frozenset(
    "adminDisplayName direction distinguishedName exchangeObjectId exchangeVersion guid id identity isValid "
    "isValidated lastValidationTimestamp linkForModifiedConnector name objectCategory objectClass objectState "
    "organizationId organizationalUnitRoot originatingServer psComputerName psShowComputerName runspaceId "
    "validationRecipients whenChanged whenChangedUtc whenCreated whenCreatedUtc "
    "@odata.id objectCategoryName".casefold().split()
)
_NO_FILTER = "Posthouse has no filter that would look past a hop"
_REASONS = {
    "istransportrulescoped": "Posthouse has no mail flow rules: the connector is taken, and switched off",
    "routeallmessagesviaonpremises": "mail goes where the connectors' RecipientDomains say, without a detour",
    "trustedorganizations": "it is about other tenants, which Posthouse has none of",
    "associatedaccepteddomains": "the domains are limited by SenderDomains only",
    "treatmessagesasinternal": "mail gets no mark of being internal",
    "efskiplastip": _NO_FILTER,
    "efskipips": _NO_FILTER,
    "efusers": _NO_FILTER,
    "mtastsmode": "policies of MTA-STS are not looked up",
    "smtpdanemode": "TLSA records are not looked up; where they were mandatory, TLS is",
    "senderrewritingenabled": "reverse-paths are not rewritten by SRS",
    "testmode": "there is no test mode: the connector is taken, and switched off",
    "cloudservicesmailenabled": "Posthouse keeps or removes internal headers by inbound connectors only",
}
_NO_COUNTERPART = "Posthouse has no such property"
_LOST = re.compile(r"System\.|Microsoft\.Exchange\.")
_SIZE = re.compile(r"\(([\d,. \u00a0]+) bytes\)")
_UNLIMITED = "unlimited"


def read_tenant(records: Iterable[Record], findings: Findings) -> None:
    """Objects of any of the cmdlets; each is told by the properties that it alone has."""
    for record in records:
        properties = {key.casefold(): _clean(value) for key, value in record.items()}
        read = next((read for keys, read in _KINDS.items() if properties.keys() & set(keys)), None)
        if read is None:
            known = "a connector, an accepted domain, Get-OrganizationConfig or Get-TransportConfig"
            findings.leave("object", ", ".join(record), f"it is not {known}")
        else:
            read(properties, findings)


def _inbound(properties: Record, findings: Findings) -> None:
    """AssociatedAcceptedDomains are the only senders of a connector; SenderDomains can say so where they are all."""
    _connector("inbound_connector", InboundConnector, properties, findings)
    name, associated = _name(properties), properties.get("associatedaccepteddomains")
    if not is_nothing(associated):
        setting = f"InboundConnector {name}: AssociatedAcceptedDomains"
        domains = texts(associated)
        others = findings.value("inbound_connector", name, "sender_domains") or [ANY]
        keys: dict[str, Any] = {"enabled": False}
        if {domain_pattern(other) for other in others} == {ANY}:
            findings.unset("inbound_connector", name, "sender_domains")
            keys = {"sender_domains": domains}
        findings.take(setting, domains, "inbound_connector", name, **keys)


def _outbound(properties: Record, findings: Findings) -> None:
    _connector("outbound_connector", OutboundConnector, properties, findings)
    name = _name(properties)
    for key in ("IsTransportRuleScoped", "TestMode"):
        if truth(properties.get(key.casefold())):
            findings.take(f"OutboundConnector {name}: {key}", True, "outbound_connector", name, enabled=False)
    is_dane = str(properties.get("smtpdanemode")).casefold() == "mandatory"
    if is_dane and findings.value("outbound_connector", name, "tls_settings") is None:
        setting = f"OutboundConnector {name}: SmtpDaneMode"
        findings.take(setting, "Mandatory", "outbound_connector", name, tls_settings="EncryptionOnly")


def _connector(kind: Kind, model: type, properties: Record, findings: Findings) -> None:
    name = _name(properties)
    label = f"{cmdlet_spelling(kind)} {name}"
    if not findings.take(label, "", kind, name):
        return
    fields = _fields(model)
    for key, value in properties.items():
        field = fields.get(key)
        if key in _ABOUT_THE_OBJECT:
            continue
        if field is not None and field.name not in _OURS | _ONLY_THERE:
            _known(kind, name, field, value, findings)
        elif not is_nothing(value) and value != "None" and truth(value) is not False:
            findings.leave(f"{label}: {key}", value, _REASONS.get(key, _NO_COUNTERPART))


@cache
def _fields(model: type) -> Mapping[str, dataclasses.Field[Any]]:
    return {cmdlet_spelling(field.name).casefold(): field for field in dataclasses.fields(model)}


def _name(properties: Record) -> str:
    return str(properties.get("name") or properties.get("identity") or "")


def _known(kind: Kind, name: str, field: dataclasses.Field[Any], value: Any, findings: Findings) -> None:
    """A default is set without a word. Without one of its limits a connector would let more through than there."""
    setting = f"{cmdlet_spelling(kind)} {name}: {cmdlet_spelling(field.name)}"
    wanted = field.default if is_nothing(value) else _wanted(field, value)
    if wanted == field.default:
        return findings.unset(kind, name, field.name)
    if isinstance(wanted, list) and any(_LOST.match(text) for text in wanted):
        findings.leave(setting, value, "Export-Csv wrote the list's type for its values; use ConvertTo-Json")
    elif findings.take(setting, value, kind, name, **{field.name: wanted}):
        return None
    if field.name in _LIMITS:
        findings.take(f"{setting} (not taken)", value, kind, name, enabled=False)
    return None


def _wanted(field: dataclasses.Field[Any], value: Any) -> Any:
    """The value in the shape of the field, as far as it can be brought to it."""
    if isinstance(field.default, bool):
        found = truth(value)
        return str(value) if found is None else found
    if isinstance(field.default, tuple):
        return texts(value)
    return value if isinstance(value, str) else str(value)


def _accepted_domain(properties: Record, findings: Findings) -> None:
    domain = properties["domainname"]
    name = str(domain.get("Domain", "") if isinstance(domain, Mapping) else domain or properties.get("name", ""))
    kind = properties.get("domaintype") or "Authoritative"
    findings.take(f"AcceptedDomain {name}: DomainType", kind, "accepted_domain", name.removeprefix("*."), type=kind)
    if truth(properties.get("matchsubdomains")) or name.startswith("*."):
        findings.leave(
            f"AcceptedDomain {name}: MatchSubDomains", True, "a domain is accepted for itself; add its subdomains"
        )


def _organization_config(properties: Record, findings: Findings) -> None:
    reject = truth(properties.get("rejectdirectsend"))
    findings.set("OrganizationConfig: RejectDirectSend", reject, "", "reject_direct_send", bool(reject))


def _transport_config(properties: Record, findings: Findings) -> None:
    """MaxSendSize is for what the organization's own send, which here is what comes in by connectors."""
    if size := _size(properties.get("maxsendsize")):
        findings.set("TransportConfig: MaxSendSize", properties["maxsendsize"], "limits", "message_size", size)
    recipients = str(properties.get("maxrecipientenvelopelimit") or _UNLIMITED)
    if recipients.isdecimal() and len(recipients) < 10:
        findings.set("TransportConfig: MaxRecipientEnvelopeLimit", recipients, "limits", "recipients", int(recipients))
    if truth(properties.get("allowlegacytlsclients")):
        findings.leave(
            "TransportConfig: AllowLegacyTLSClients",
            True,
            'it is the listener\'s: set tls_profile = "legacy" in posthouse.toml',
        )


_KINDS: Mapping[tuple[str, ...], Callable[[Record, Findings], None]] = {
    ("addressspaces",): read_send_connector,
    ("remoteipranges",): read_receive_connector,
    ("senderdomains", "senderipaddresses", "tlssendercertificatename"): _inbound,
    ("recipientdomains", "smarthosts", "usemxrecord"): _outbound,
    ("domainname",): _accepted_domain,
    ("rejectdirectsend",): _organization_config,
    ("maxrecipientenvelopelimit", "allowlegacytlsclients"): _transport_config,
}


def _size(value: Any) -> int:
    """`35 MB (36,700,160 bytes)`."""
    found = _SIZE.search(str(value)[:100])
    digits = re.sub(r"\D", "", found[1]) if found else ""
    return int(digits) if digits else 0


def _clean(value: Any) -> Any:
    """JSON and CLIXML can say halves of surrogate pairs, and NUL, which no store can hold."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")
    return [_clean(one) for one in value] if isinstance(value, list) else value
