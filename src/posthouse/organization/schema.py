"""Which keys a document has, and the reader of each. A key is the field of the dataclass it is read into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthouse.organization import fields
from posthouse.organization.connectors import (
    AcceptedDomain,
    ClientCertificateRef,
    ConnectorSource,
    ConnectorType,
    Credential,
    CredentialKind,
    DomainType,
    InboundConnector,
    MtaStsMode,
    OutboundConnector,
    Priority,
    SenderCredential,
    SmtpDaneMode,
    TenantConnection,
    Throttle,
    TlsSettings,
    TransportKind,
)
from posthouse.organization.fields import (
    Reader,
    boolean,
    one_of,
    one_or_several,
    optional,
    several,
    table,
    text,
    whole,
)
from posthouse.organization.model import DeliveryOverrides, LimitOverrides

_LIMIT_KEYS = ("messages_per_minute", "recipients_per_day", "connections")
THROTTLE: Reader[Throttle] = table(Throttle, dict.fromkeys(_LIMIT_KEYS, fields.limit))

CERTIFICATE: Reader[ClientCertificateRef] = table(
    ClientCertificateRef, {"secret": text, "thumbprint": fields.thumbprint}
)

ACCEPTED_DOMAIN: Mapping[str, Reader[Any]] = {"name": fields.domain, "type": one_of(DomainType)}

CONNECTOR: Mapping[str, Reader[Any]] = {
    "name": fields.name,
    "comment": text,
    "enabled": boolean,
    "connector_type": one_of(ConnectorType),
    "connector_source": one_of(ConnectorSource),
}

INBOUND_CONNECTOR: Mapping[str, Reader[Any]] = {
    **CONNECTOR,
    "sender_domains": several(fields.domain_pattern),
    "sender_ip_addresses": several(fields.network),
    "restrict_domains_to_ip_addresses": boolean,
    "restrict_domains_to_certificate": boolean,
    "require_tls": boolean,
    "tls_sender_certificate_name": optional(fields.wildcard_domain, ""),
    "associated_accepted_domains": several(fields.domain),
    "cloud_services_mail_enabled": boolean,
    "treat_messages_as_internal": boolean,
    "ef_skip_last_ip": boolean,
    "ef_skip_ips": several(fields.network),
    "sender_credentials": several(
        table(SenderCredential, {"user": fields.user, "password_hash": fields.password_hash})
    ),
    "rate_limit": fields.limit,
    "rewrite_from": one_or_several(fields.rewriting),
    "priority": one_of(Priority),
}

OUTBOUND_CONNECTOR: Mapping[str, Reader[Any]] = {
    **CONNECTOR,
    "recipient_domains": several(fields.domain_pattern),
    "all_accepted_domains": boolean,
    "transport": one_of(TransportKind),
    "use_mx_record": boolean,
    "smart_hosts": several(fields.host),
    "port": whole(1, 65535),
    "source_address": optional(fields.ip_address, ""),
    "tls_settings": one_of(TlsSettings),
    "tls_domain": optional(fields.wildcard_domain, ""),
    "client_certificate": CERTIFICATE,
    "credential": one_or_several(fields.name),
    "endpoint": fields.url,
    "throttle": THROTTLE,
    "rewrite_from": one_or_several(fields.rewriting),
    "mailboxes": several(fields.mailbox),
    "mta_sts_mode": one_of(MtaStsMode),
    "smtp_dane_mode": one_of(SmtpDaneMode),
    "sender_rewriting_enabled": boolean,
    "test_mode": boolean,
}

CREDENTIAL: Mapping[str, Reader[Any]] = {
    "name": fields.name,
    "kind": one_of(CredentialKind),
    "user": optional(fields.user, ""),
    "secret": text,
    "tenant": text,
    "client_id": text,
    "certificate": CERTIFICATE,
    "authority": fields.url,
    "throttle": THROTTLE,
}

TENANT: Mapping[str, Reader[Any]] = {"credential": fields.name, "endpoint": optional(fields.url, "")}

DELIVERY: Mapping[str, Reader[Any]] = {
    "retry_after": fields.retry_intervals,
    "warn_after": fields.interval,
    "give_up_after": fields.interval,
}

LIMITS: Mapping[str, Reader[Any]] = {
    "message_size": fields.size,
    "recipients": fields.count,
    "sessions": fields.count,
    "sessions_per_client": fields.count,
    "min_free": fields.size,
    "trace_keep": fields.duration,
}

SETTINGS: Mapping[str, Reader[Any]] = {
    "reject_direct_send": boolean,
    "postmaster_address": optional(fields.mail_address, ""),
    "trusted_roots": several(fields.certificate_text),
    "tenant": table(TenantConnection, TENANT),
    "delivery": table(DeliveryOverrides, DELIVERY),
    "limits": table(LimitOverrides, LIMITS),
}

ITEMS: Mapping[str, Reader[Any]] = {
    "accepted_domain": table(AcceptedDomain, ACCEPTED_DOMAIN),
    "inbound_connector": table(InboundConnector, INBOUND_CONNECTOR),
    "outbound_connector": table(OutboundConnector, OUTBOUND_CONNECTOR),
    "credential": table(Credential, CREDENTIAL),
}
"""The lists of tables in a document."""
