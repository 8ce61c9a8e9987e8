"""Connectors and accepted domains; attribution, policy and routing, each answer with its reasons.

Pure: values in, values out. `Organization` is one immutable snapshot; a change makes another.
"""

from posthouse.organization.attribution import Attribution, Candidates, Peer, Proof, attribute, candidates
from posthouse.organization.certificate import CertificateVerdict, ValidationStatus, name_matches
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
    Rewriting,
    SenderCredential,
    SmtpDaneMode,
    TenantConnection,
    Throttle,
    TlsSettings,
    TransportKind,
)
from posthouse.organization.document import OrganizationError, from_document, network_text, to_document
from posthouse.organization.model import DeliveryOverrides, LimitOverrides, Organization
from posthouse.organization.notices import notices
from posthouse.organization.policy import (
    check_mail,
    check_rcpt,
    internal_headers_retained,
    resolve_postmaster,
)
from posthouse.organization.rewriting import Rewriter
from posthouse.organization.routing import Route, route

__all__ = [
    "AcceptedDomain",
    "Attribution",
    "Candidates",
    "CertificateVerdict",
    "ClientCertificateRef",
    "ConnectorSource",
    "ConnectorType",
    "Credential",
    "CredentialKind",
    "DeliveryOverrides",
    "DomainType",
    "InboundConnector",
    "LimitOverrides",
    "MtaStsMode",
    "Organization",
    "OrganizationError",
    "OutboundConnector",
    "Peer",
    "Priority",
    "Proof",
    "Rewriter",
    "Rewriting",
    "Route",
    "SenderCredential",
    "SmtpDaneMode",
    "TenantConnection",
    "Throttle",
    "TlsSettings",
    "TransportKind",
    "ValidationStatus",
    "attribute",
    "candidates",
    "check_mail",
    "check_rcpt",
    "from_document",
    "internal_headers_retained",
    "name_matches",
    "network_text",
    "notices",
    "resolve_postmaster",
    "route",
    "to_document",
]
