"""A PowerShell script that makes this organization in an Exchange Online tenant, as far as a tenant can have it.

Where a tenant is narrower, or Microsoft documents a parameter otherwise, a `# WARNING:` stands above the command:
https://learn.microsoft.com/powershell/module/exchange/new-inboundconnector
https://learn.microsoft.com/powershell/module/exchange/new-outboundconnector
https://learn.microsoft.com/powershell/module/exchange/set-transportconfig
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping

from posthouse.admin.spelling import cmdlet_spelling
from posthouse.mail.text import one_line
from posthouse.organization import (
    AcceptedDomain,
    ConnectorSource,
    DomainType,
    InboundConnector,
    LimitOverrides,
    MtaStsMode,
    Organization,
    OutboundConnector,
    SmtpDaneMode,
    TlsSettings,
    TransportKind,
    network_text,
)

_SHORTEST_PREFIX = 24
_SPLIT_FROM = 20
"""A network of more than 16 times /24 is no list that anybody wants to keep."""
_MOST_RECIPIENTS = 1000
_PORT = 25
_UTF_8 = "\ufeff"
"""Without this mark Windows PowerShell reads a script in the system's code page, where the second octet of an O with a
grave accent is a curly quote, which ends a string and lets the rest of it be run.

https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_character_encoding
"""
_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")
_ON_PARTNER_ONLY = ("restrict_domains_to_ip_addresses", "restrict_domains_to_certificate", "require_tls")
_NOT_IN_A_TENANT = ("sender_credentials", "rate_limit", "rewrite_from", "priority")
_NOT_OUT_OF_A_TENANT = ("source_address", "client_certificate", "credential", "throttle", "rewrite_from")

_HEAD = """\
# The organization of a posthouse as an Exchange Online tenant has it. Look through the warnings, then run it in
# Exchange Online PowerShell: https://learn.microsoft.com/powershell/exchange/connect-to-exchange-online-powershell
"""
_DOMAINS = """\
# Accepted domains: Exchange Online has no New-AcceptedDomain. Add and verify each in the Microsoft 365 admin center
# under Settings > Domains: https://learn.microsoft.com/microsoft-365/admin/setup/add-domain
"""

Parameters = dict[str, str | bool | int | tuple[str, ...]]


def tenant_script(organization: Organization) -> str:
    """Runs in Exchange Online PowerShell, and in `posthouse run`, which refuses what only a tenant acts on."""
    domains = "".join(f"#   {domain.name}\n" for domain in organization.accepted_domains)
    parts = [
        _HEAD,
        *([_DOMAINS + domains] if domains else []),
        *(_domain(domain) for domain in organization.accepted_domains if domain.type is not DomainType.AUTHORITATIVE),
        *(_Command("New-InboundConnector", connector.name).inbound(connector) for connector in organization.inbound),
        *(_Command("New-OutboundConnector", connector.name).outbound(connector) for connector in organization.outbound),
        *_settings(organization),
    ]
    return encoded("\n".join(parts))


def encoded(script: str) -> str:
    """With the mark that a script with more than ASCII needs."""
    return script if script.isascii() else _UTF_8 + script


def remark(text: str) -> str:
    """A comment, which no line break ends too soon."""
    return f"# {one_line(text)}\n"


def splat(parameters: Mapping[str, object]) -> str:
    """`$splat`, for a cmdlet to be given as `@splat`."""
    width = max(map(len, parameters))
    lines = "".join(f"    {name:<{width}} = {_literal(value)}\n" for name, value in parameters.items())
    return f"$splat = @{{\n{lines}}}\n"


def quoted(text: str) -> str:
    """As a single-quoted string, in which a quote is doubled; PowerShell takes four more characters for one.

    https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_quoting_rules
    """
    return f"'{_QUOTES.sub(lambda quote: quote[0] * 2, text)}'"


def _domain(domain: AcceptedDomain) -> str:
    """https://learn.microsoft.com/powershell/module/exchange/set-accepteddomain"""
    if domain.type is DomainType.EXTERNAL_RELAY:
        return _warning(f"{domain.name}: ExternalRelay is a type of on-premises servers only; it is left Authoritative")
    return f"Set-AcceptedDomain -Identity {quoted(domain.name)} -DomainType {quoted(domain.type)}\n"


def _settings(organization: Organization) -> Iterator[str]:
    yield f"Set-OrganizationConfig -RejectDirectSend {_literal(organization.reject_direct_send)}\n"
    yield from _limits(organization.limits)
    if organization.postmaster_address:
        yield _warning("postmaster_address: mail to <postmaster> goes to the tenant's global administrators")
    if organization.trusted_roots:
        yield _warning("trusted_roots: Exchange Online trusts public CAs only; own ones can't be added")


def _limits(limits: LimitOverrides) -> Iterator[str]:
    if limits.message_size is not None:
        yield _warning(
            "limits.message_size: a tenant has it for each mailbox: Set-Mailbox -MaxSendSize, -MaxReceiveSize"
        )
    if limits.recipients is None:
        return
    if 1 <= limits.recipients <= _MOST_RECIPIENTS:
        yield f"Set-TransportConfig -MaxRecipientEnvelopeLimit {limits.recipients}\n"
    else:
        yield _warning(f"limits.recipients: a tenant takes 1 to {_MOST_RECIPIENTS} recipients a message")


class _Command:
    """One cmdlet with its splat, and the warnings above it."""

    def __init__(self, cmdlet: str, name: str) -> None:
        self._cmdlet = cmdlet
        self._parameters: Parameters = {"Name": name}
        self._warnings: list[str] = []

    def inbound(self, connector: InboundConnector) -> str:
        self._common(connector)
        self._parameters["SenderDomains"] = connector.sender_domains
        self._unknown_to_a_tenant(connector, _NOT_IN_A_TENANT)
        addresses = tuple(self._addresses(connector))
        if addresses:
            self._parameters["SenderIPAddresses"] = addresses
        self._inbound_switches(connector, has_addresses=bool(addresses))
        self._certificate(connector)
        for field in ("associated_accepted_domains", "ef_skip_ips"):
            if values := getattr(connector, field):
                self._parameters[cmdlet_spelling(field)] = tuple(
                    value if isinstance(value, str) else network_text(value) for value in values
                )
        proven = bool(addresses or connector.tls_sender_certificate_name)
        return self._text() if proven else self._refused("it would match nobody in a tenant, so it is left out")

    def outbound(self, connector: OutboundConnector) -> str:
        if connector.transport is not TransportKind.SMTP:
            return self._refused(f"transport {connector.transport}: a tenant's connectors deliver by SMTP only")
        self._common(connector)
        self._recipients(connector)
        self._parameters["UseMXRecord"] = connector.use_mx_record
        if connector.smart_hosts:
            self._parameters["SmartHosts"] = connector.smart_hosts
        self._outbound_tls(connector)
        for field in ("sender_rewriting_enabled", "test_mode"):
            if getattr(connector, field):
                self._parameters[cmdlet_spelling(field)] = True
        if connector.port != _PORT:
            self._warnings.append(f"Port {connector.port}: a tenant delivers to port 25 only")
        self._unknown_to_a_tenant(connector, _NOT_OUT_OF_A_TENANT)
        carries = self._parameters.keys() & {"RecipientDomains", "AllAcceptedDomains"}
        return self._text() if carries else self._refused("it would carry nothing in a tenant, so it is left out")

    def _common(self, connector: InboundConnector | OutboundConnector) -> None:
        self._parameters["ConnectorType"] = connector.connector_type.value
        if connector.comment:
            self._parameters["Comment"] = connector.comment
        if not connector.enabled:
            self._parameters["Enabled"] = False
        if connector.connector_source is not ConnectorSource.DEFAULT:
            self._parameters["ConnectorSource"] = connector.connector_source.value
            self._warnings.append("ConnectorSource: Microsoft recommends not to set it")

    def _unknown_to_a_tenant(self, connector: InboundConnector | OutboundConnector, fields: Iterable[str]) -> None:
        """What is set and has no counterpart. Its value, which may be a login, isn't told."""
        default = type(connector)(connector.name)
        self._warnings += (
            f"{cmdlet_spelling(field)}: a tenant's connectors have no such thing; it is left out"
            for field in fields
            if getattr(connector, field) != getattr(default, field)
        )

    def _addresses(self, connector: InboundConnector) -> Iterator[str]:
        """IPv4 only, single or /24 to /32."""
        for network in connector.sender_ip_addresses:
            text = network_text(network)
            if isinstance(network, ipaddress.IPv6Network):
                self._warnings.append(f"SenderIPAddresses: {text}: a tenant takes no IPv6 address; it is left out")
            elif network.prefixlen < _SPLIT_FROM:
                self._warnings.append(f"SenderIPAddresses: {text}: wider than a tenant's /24; it is left out")
            else:
                if network.prefixlen < _SHORTEST_PREFIX:
                    self._warnings.append(f"SenderIPAddresses: {text}: wider than a tenant's /24; it is split")
                if network.is_private:
                    self._warnings.append(f"SenderIPAddresses: {text}: a tenant sees the public address instead")
                yield from map(network_text, network.subnets(new_prefix=max(network.prefixlen, _SHORTEST_PREFIX)))

    def _inbound_switches(self, connector: InboundConnector, *, has_addresses: bool) -> None:
        for field in ("restrict_domains_to_ip_addresses", "restrict_domains_to_certificate"):
            if getattr(connector, field):
                self._parameters[cmdlet_spelling(field)] = True
        if connector.restrict_domains_to_ip_addresses and not has_addresses:
            del self._parameters["RestrictDomainsToIPAddresses"]
            self._warnings.append("RestrictDomainsToIPAddresses: none of the addresses is left; it is left out")
        self._parameters["RequireTls"] = connector.require_tls  # Microsoft's default is the opposite of ours
        if connector.is_on_premises:
            self._warnings += (
                f"{cmdlet_spelling(field)}: documented as acting on Partner connectors only"
                for field in _ON_PARTNER_ONLY
                if getattr(connector, field)
            )
        for field in ("cloud_services_mail_enabled", "treat_messages_as_internal", "ef_skip_last_ip"):
            if getattr(connector, field):
                self._parameters[cmdlet_spelling(field)] = True
        if connector.cloud_services_mail_enabled:
            self._warnings.append("CloudServicesMailEnabled: Microsoft has the Hybrid Configuration Wizard set it")

    def _certificate(self, connector: InboundConnector) -> None:
        if not connector.tls_sender_certificate_name:
            return
        self._parameters["TlsSenderCertificateName"] = connector.tls_sender_certificate_name
        if not connector.require_tls:
            self._warnings.append("TlsSenderCertificateName: documented as used where RequireTls is $true")

    def _recipients(self, connector: OutboundConnector) -> None:
        if connector.recipient_domains:
            self._parameters["RecipientDomains"] = connector.recipient_domains
        if not connector.all_accepted_domains:
            return
        if connector.connector_type.value == "OnPremises":
            self._parameters["AllAcceptedDomains"] = True
        else:
            self._warnings.append("AllAcceptedDomains: a tenant takes it on OnPremises connectors only; it is left out")

    def _outbound_tls(self, connector: OutboundConnector) -> None:
        if connector.tls_settings is not TlsSettings.OPPORTUNISTIC:
            self._parameters["TlsSettings"] = connector.tls_settings.value
        if connector.tls_domain:
            self._parameters["TlsDomain"] = connector.tls_domain
        if connector.mta_sts_mode is not MtaStsMode.NONE:
            self._parameters["MtaStsMode"] = connector.mta_sts_mode.value
        if connector.smtp_dane_mode is not SmtpDaneMode.NONE:
            self._parameters["SmtpDaneMode"] = connector.smtp_dane_mode.value

    def _text(self) -> str:
        return _above(self._warnings) + splat(self._parameters) + f"{self._cmdlet} @splat\n"

    def _refused(self, reason: str) -> str:
        return _above([*self._warnings, f"{self._cmdlet} {self._parameters['Name']}: {reason}"])


def _above(warnings: Iterable[str]) -> str:
    return "".join(map(_warning, warnings))


def _warning(text: str) -> str:
    return remark(f"WARNING: {text}")


def _literal(value: object) -> str:
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return f"${str(value).lower()}"
    if isinstance(value, tuple):
        return ", ".join(quoted(str(one)) for one in value) or "@()"
    return quoted(str(value))
