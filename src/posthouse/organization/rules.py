"""What must hold between values: each check yields the problems of one item, or of the organization, as `key: text`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posthouse.mail import domain_of
from posthouse.organization.connectors import (
    Credential,
    CredentialKind,
    InboundConnector,
    OutboundConnector,
    TlsSettings,
    TransportKind,
)
from posthouse.organization.model import Organization

_NEEDED: dict[CredentialKind, tuple[str, ...]] = {
    CredentialKind.BASIC: ("user", "secret"),
    CredentialKind.CLIENT_CREDENTIALS: ("tenant", "client_id"),
    CredentialKind.DEVICE_CODE: ("tenant", "client_id", "user"),
    CredentialKind.MANAGED_IDENTITY: (),
}

_SMTP_ONLY = (
    "use_mx_record",
    "smart_hosts",
    "port",
    "tls_settings",
    "tls_domain",
    "client_certificate",
    "source_address",
)
_SIGNING_IN = ("credential", "throttle", "rewrite_from")
_NOT_FOR: dict[TransportKind, tuple[str, ...]] = {
    TransportKind.SMTP: ("mailboxes", "endpoint"),
    TransportKind.GRAPH: (*_SMTP_ONLY, "mailboxes"),
    TransportKind.MAILBOX: (*_SMTP_ONLY, *_SIGNING_IN, "endpoint"),
}
_APPLICATIONS = (CredentialKind.CLIENT_CREDENTIALS, CredentialKind.MANAGED_IDENTITY)


def check_inbound(connector: InboundConnector) -> Iterator[str]:
    if not connector.sender_domains:
        yield 'sender_domains: it is empty; write ["*"] or the domains'
    if connector.restrict_domains_to_ip_addresses and not connector.sender_ip_addresses:
        yield "restrict_domains_to_ip_addresses: it needs sender_ip_addresses; name them, or set it to false"
    if connector.restrict_domains_to_certificate and not connector.tls_sender_certificate_name:
        yield "restrict_domains_to_certificate: it needs tls_sender_certificate_name; set that, or set this to false"
    if connector.treat_messages_as_internal and connector.cloud_services_mail_enabled:
        yield "treat_messages_as_internal: it excludes cloud_services_mail_enabled; set one of them to false"
    if connector.treat_messages_as_internal and not connector.is_on_premises:
        yield "treat_messages_as_internal: it needs connector_type OnPremises"


def check_outbound(connector: OutboundConnector) -> Iterator[str]:
    default = OutboundConnector(connector.name)
    for key in _NOT_FOR[connector.transport]:
        if getattr(connector, key) != getattr(default, key):
            yield f'{key}: it is not for transport "{connector.transport}"; remove it, or set transport'
    match connector.transport:
        case TransportKind.SMTP:
            yield from _check_smtp(connector)
        case TransportKind.GRAPH if not connector.credential:
            yield 'credential: transport "graph" needs one; name a credential that gives tokens'
        case TransportKind.MAILBOX if not connector.mailboxes:
            yield 'mailboxes: it is empty; write the addresses that exist, or ["*"]'
        case _:
            pass


def _check_smtp(connector: OutboundConnector) -> Iterator[str]:
    if not connector.use_mx_record and not connector.smart_hosts:
        yield "smart_hosts: neither smart_hosts nor use_mx_record say where to deliver; set one of them"
    if connector.use_mx_record and connector.smart_hosts:
        yield "use_mx_record: it excludes smart_hosts; set it to false, or remove them"
    if connector.tls_domain and connector.tls_settings is not TlsSettings.DOMAIN_VALIDATION:
        yield f"tls_domain: it needs tls_settings DomainValidation, not {connector.tls_settings}"
    if connector.credential and connector.use_mx_record:
        yield "credential: one signs in to smart hosts only; name them instead of use_mx_record, or remove it"
    if connector.credential and connector.tls_settings is TlsSettings.OPPORTUNISTIC:
        yield "credential: it would be sent in plain text; set tls_settings, best to DomainValidation"


def check_credential(credential: Credential) -> Iterator[str]:
    for key in _NEEDED[credential.kind]:
        if not getattr(credential, key):
            yield f"{key}: kind {credential.kind} needs it"
    if credential.kind is CredentialKind.CLIENT_CREDENTIALS and not (credential.secret or credential.certificate):
        yield "secret: kind client_credentials needs a secret or a certificate"


def check_organization(organization: Organization) -> Iterator[str]:
    """What concerns several items; each line names the item first."""
    domains = organization.domain_names
    address = organization.postmaster_address
    if address and domain_of(address) not in domains:
        yield f'postmaster_address: "{address}" is in no accepted domain; write an address of your own'
    for connector in organization.inbound:
        for domain in connector.associated_accepted_domains:
            if domain not in domains:
                yield (
                    f'inbound_connector "{connector.name}": associated_accepted_domains: '
                    f'"{domain}" is no accepted domain; add it as accepted_domain, or remove it'
                )
    yield from _check_logins(organization.inbound)
    yield from _check_credentials(organization)
    yield from _check_tenant(organization)


def _check_logins(connectors: Iterable[InboundConnector]) -> Iterator[str]:
    """A login names its connector, so it may belong to one only."""
    owners: dict[str, str] = {}
    for connector in connectors:
        for credential in connector.sender_credentials:
            owner = owners.setdefault(credential.user.casefold(), connector.name)
            if owner != connector.name:
                yield (
                    f'inbound_connector "{connector.name}": sender_credentials: user "{credential.user}" '
                    f'belongs to "{owner}" already; choose another'
                )


def _check_credentials(organization: Organization) -> Iterator[str]:
    """A token is good for whoever holds it, so it goes only to a server that has proved its name."""
    credentials = {credential.name: credential for credential in organization.credentials}
    for connector in organization.outbound:
        label = f'outbound_connector "{connector.name}": credential'
        for name in connector.credential:
            if name not in credentials:
                yield f'{label}: there is no credential "{name}"; add it, or remove it here'
            elif not credentials[name].user:
                yield f'{label}: "{name}" has no user; set it to the mailbox that sends'
            elif credentials[name].kind is CredentialKind.BASIC:
                if connector.transport is TransportKind.GRAPH:
                    yield f'{label}: "{name}" is a password, and Graph takes tokens only; name another'
            elif (
                connector.transport is TransportKind.SMTP
                and connector.tls_settings is not TlsSettings.DOMAIN_VALIDATION
            ):
                yield f'{label}: "{name}" gives tokens, which need tls_settings DomainValidation'


def _check_tenant(organization: Organization) -> Iterator[str]:
    """A user's token has no right to administer; an application's has."""
    if organization.tenant is None:
        return
    name = organization.tenant.credential
    credential = next((each for each in organization.credentials if each.name == name), None)
    if credential is None:
        yield f'tenant: credential: there is no credential "{name}"; add it, or remove tenant'
    elif credential.kind not in _APPLICATIONS:
        yield f'tenant: credential: "{name}" is of kind {credential.kind}; name one of {", ".join(_APPLICATIONS)}'
    elif not credential.tenant:
        yield f'tenant: credential: "{name}" has no tenant; set it to the tenant\'s id, or a domain of it'
