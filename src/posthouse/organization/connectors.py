"""Accepted domains, connectors and credentials as values. Names are those of Exchange Online's cmdlets, in snake case.

https://learn.microsoft.com/powershell/module/exchange/new-inboundconnector
https://learn.microsoft.com/powershell/module/exchange/new-outboundconnector
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network

ANY = "*"
"""In SenderDomains, RecipientDomains and Mailboxes: all of them."""


class DomainType(enum.StrEnum):
    """Where an accepted domain's mailboxes are. Policy and routing treat the three alike."""

    AUTHORITATIVE = "Authoritative"
    INTERNAL_RELAY = "InternalRelay"
    EXTERNAL_RELAY = "ExternalRelay"


class ConnectorType(enum.StrEnum):
    ON_PREMISES = "OnPremises"
    PARTNER = "Partner"


class ConnectorSource(enum.StrEnum):
    """What made a connector; it changes nothing."""

    DEFAULT = "Default"
    HYBRID_WIZARD = "HybridWizard"
    MIGRATED = "Migrated"


class TransportKind(enum.StrEnum):
    SMTP = "smtp"
    GRAPH = "graph"
    MAILBOX = "mailbox"


class TlsSettings(enum.StrEnum):
    """How far the next hop's TLS must go. `OPPORTUNISTIC` is an unset TlsSettings: TLS where it is offered."""

    OPPORTUNISTIC = "None"
    ENCRYPTION_ONLY = "EncryptionOnly"
    CERTIFICATE_VALIDATION = "CertificateValidation"
    DOMAIN_VALIDATION = "DomainValidation"


class MtaStsMode(enum.StrEnum):
    NONE = "None"
    OPPORTUNISTIC = "Opportunistic"


class SmtpDaneMode(enum.StrEnum):
    NONE = "None"
    OPPORTUNISTIC = "Opportunistic"
    MANDATORY = "Mandatory"


class Priority(enum.StrEnum):
    """Whose mail goes first where a next hop's limits make it wait."""

    HIGH = "High"
    NORMAL = "Normal"
    LOW = "Low"


class CredentialKind(enum.StrEnum):
    BASIC = "password"
    CLIENT_CREDENTIALS = "client_credentials"
    DEVICE_CODE = "device_code"
    MANAGED_IDENTITY = "managed_identity"


@dataclass(frozen=True, slots=True)
class AcceptedDomain:
    """A domain that the organization receives mail for. `name` is lower case, A-labels."""

    name: str
    type: DomainType = DomainType.AUTHORITATIVE


@dataclass(frozen=True, slots=True)
class SenderCredential:
    """A login that devices may use. `password_hash` is argon2id in PHC form."""

    user: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class ClientCertificateRef:
    """A certificate with its key, in the store's secrets. `thumbprint` is its fingerprint in upper-case hex."""

    secret: str
    thumbprint: str


@dataclass(frozen=True, slots=True)
class Throttle:
    """What a next hop allows us. None is no limit."""

    messages_per_minute: int | None = None
    recipients_per_day: int | None = None
    connections: int | None = None


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A sender that gets another address. `sender` is an address, `@domain` or `*`; `address` an address, or `@domain`,
    which keeps the local part."""

    sender: str
    address: str

    def __str__(self) -> str:
        return self.address if self.sender == ANY else f"{self.sender}={self.address}"


@dataclass(frozen=True, slots=True)
class Credential:
    """What signs in to a next hop as `user`. `secret` names an entry in the store's secrets."""

    name: str
    kind: CredentialKind
    user: str = ""
    secret: str = ""
    tenant: str = ""
    client_id: str = ""
    certificate: ClientCertificateRef | None = None
    authority: str = "https://login.microsoftonline.com"
    throttle: Throttle = Throttle()


@dataclass(frozen=True, slots=True)
class TenantConnection:
    """By which credential the Exchange Online tenant behind this relay is administered, and where it is asked: by
    default at the endpoint of the credential's cloud."""

    credential: str
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class InboundConnector:
    """Who may hand us mail, how they prove it, what they may send. `rate_limit` is messages a minute."""

    name: str
    comment: str = ""
    enabled: bool = True
    connector_type: ConnectorType = ConnectorType.PARTNER
    connector_source: ConnectorSource = ConnectorSource.DEFAULT
    sender_domains: tuple[str, ...] = (ANY,)
    sender_ip_addresses: tuple[Network, ...] = ()
    restrict_domains_to_ip_addresses: bool = False
    restrict_domains_to_certificate: bool = False
    require_tls: bool = False
    tls_sender_certificate_name: str = ""
    associated_accepted_domains: tuple[str, ...] = ()
    cloud_services_mail_enabled: bool = False
    treat_messages_as_internal: bool = False
    ef_skip_last_ip: bool = False
    ef_skip_ips: tuple[Network, ...] = ()
    sender_credentials: tuple[SenderCredential, ...] = ()
    rate_limit: int | None = None
    rewrite_from: tuple[Rewriting, ...] = ()
    priority: Priority = Priority.NORMAL

    @property
    def is_on_premises(self) -> bool:
        return self.connector_type is ConnectorType.ON_PREMISES

    @property
    def restricts_domains(self) -> bool:
        return self.restrict_domains_to_ip_addresses or self.restrict_domains_to_certificate


@dataclass(frozen=True, slots=True)
class OutboundConnector:
    """How mail for some recipients leaves. `mailboxes` are the addresses a `mailbox` connector holds, or `*`.

    Several `credential`s share the mail; `endpoint` is Microsoft Graph's.
    """

    name: str
    comment: str = ""
    enabled: bool = True
    connector_type: ConnectorType = ConnectorType.PARTNER
    connector_source: ConnectorSource = ConnectorSource.DEFAULT
    recipient_domains: tuple[str, ...] = ()
    all_accepted_domains: bool = False
    transport: TransportKind = TransportKind.SMTP
    use_mx_record: bool = False
    smart_hosts: tuple[str, ...] = ()
    port: int = 25
    source_address: str = ""
    tls_settings: TlsSettings = TlsSettings.OPPORTUNISTIC
    tls_domain: str = ""
    client_certificate: ClientCertificateRef | None = None
    credential: tuple[str, ...] = ()
    endpoint: str = "https://graph.microsoft.com"
    throttle: Throttle = Throttle()
    rewrite_from: tuple[Rewriting, ...] = ()
    mailboxes: tuple[str, ...] = ()
    mta_sts_mode: MtaStsMode = MtaStsMode.NONE
    smtp_dane_mode: SmtpDaneMode = SmtpDaneMode.NONE
    sender_rewriting_enabled: bool = False
    test_mode: bool = False
