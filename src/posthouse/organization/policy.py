"""What a transaction may do: the checks at MAIL and at each RCPT, with Exchange Online's replies (docs/policy.md).

Each check gives the reply that refuses, or None. The session appends the message id and our host.
"""

from __future__ import annotations

from dataclasses import replace

from posthouse.mail import Recipient, Reply, domain_of
from posthouse.mail.address import parse_address
from posthouse.organization.attribution import Attribution, Peer, Proof, certificate_senders
from posthouse.organization.certificate import ValidationStatus
from posthouse.organization.model import Organization
from posthouse.organization.routing import route

TLS_REQUIRED = Reply(530, "5.7.0", "Must issue a STARTTLS command first")
RELAY_DENIED = Reply(550, "5.7.64", "TenantAttribution; Relay Access Denied")
DOMAIN_RESTRICTED = Reply(550, "5.7.51", "TenantInboundAttribution; Rejecting")
DIRECT_SEND_REFUSED = Reply(
    550,
    "5.7.68",
    "TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources",
)
UNTRUSTED_ROUTING = Reply(550, "5.7.1", "Routing characters in the local part are not accepted from this client")
SOURCE_ROUTE = Reply(550, "5.7.1", "Source routes are not accepted")
NO_DOMAIN = Reply(501, "5.1.3", "The recipient's address has no domain")
NO_SUCH_MAILBOX = Reply(550, "5.1.1", "Mailbox unavailable")

SUBJECT_SHOWN = 200
"""Characters of a certificate's subject in a reply: a reply line has 512 octets (RFC 5321 4.5.3.1.5)."""


def check_mail(organization: Organization, peer: Peer, attribution: Attribution, reverse_path: str) -> Reply | None:
    """RequireTls, then RestrictDomainsTo…"""
    connector = attribution.connector
    if connector is not None and connector.require_tls and not peer.tls:
        return TLS_REQUIRED
    return _restricted(organization, attribution, reverse_path)


def check_rcpt(
    organization: Organization, peer: Peer, attribution: Attribution, reverse_path: str, forward_path: str
) -> Reply | None:
    """Syntax, untrusted routing, relaying or direct send, unknown mailbox; each recipient by itself."""
    if forward_path.startswith("@"):
        return SOURCE_ROUTE
    address = parse_address(forward_path)
    if not address.domain or not address.local_part:
        return NO_DOMAIN
    if attribution.chosen is None and not _ROUTING_CHARACTERS.isdisjoint(address.local_part):
        return UNTRUSTED_ROUTING
    if address.domain in organization.domain_names:
        refusal = _direct_send(organization, attribution, reverse_path)
    else:
        refusal = _relay(organization, peer, attribution, reverse_path)
    return refusal or (None if route(organization, forward_path).has_mailbox else NO_SUCH_MAILBOX)


def resolve_postmaster(organization: Organization, recipient: Recipient) -> Recipient:
    """`<postmaster>` without a domain (RFC 5321 4.5.1) goes to the organization's postmaster address."""
    if recipient.forward_path.lower() != "postmaster":
        return recipient
    address = organization.postmaster_address
    if not address and organization.accepted_domains:
        address = f"postmaster@{organization.accepted_domains[0].name}"
    return replace(recipient, forward_path=address) if address else recipient


def internal_headers_retained(attribution: Attribution) -> bool:
    """Whether X-MS-Exchange-Organization-… and -CrossPremises-… headers that came in are kept."""
    connector = attribution.connector
    return connector is not None and connector.cloud_services_mail_enabled


_ROUTING_CHARACTERS = frozenset("%!@")


def _restricted(organization: Organization, attribution: Attribution, reverse_path: str) -> Reply | None:
    """A domain that a connector restricts comes over that connector, or over another that admits it."""
    if not reverse_path or attribution.admitted:
        return None
    domain = domain_of(reverse_path)
    sender = organization.inbound_index.restricted.find(domain)
    if sender is None:
        return None
    settings = (
        ("RestrictDomainsToIPAddresses", sender.connector.restrict_domains_to_ip_addresses),
        ("RestrictDomainsToCertificate", sender.connector.restrict_domains_to_certificate),
    )
    rule = " and ".join(name for name, is_set in settings if is_set)
    return _because(DOMAIN_RESTRICTED, f". {_printable(domain)} is restricted by a connector's {rule}")


def _direct_send(organization: Organization, attribution: Attribution, reverse_path: str) -> Reply | None:
    """A recipient in an accepted domain is taken from anyone, unless a stranger claims to be one of us."""
    if (
        organization.reject_direct_send
        and attribution.chosen is None
        and domain_of(reverse_path) in organization.domain_names
    ):
        return DIRECT_SEND_REFUSED
    return None


def _relay(organization: Organization, peer: Peer, attribution: Attribution, reverse_path: str) -> Reply | None:
    """A recipient in no accepted domain needs an OnPremises connector, and a right of the sender to it."""
    chosen = attribution.chosen
    if chosen is None:
        return _because(RELAY_DENIED, f" {_validation_status(organization, peer)}")
    if not chosen.sender.connector.is_on_premises:
        return _sender_denied("the connector is of type Partner, which relays to accepted domains only")
    if attribution.admitted and domain_of(reverse_path) in organization.domain_names:
        return None
    if chosen.proof is Proof.CERTIFICATE and chosen.sender.certificate_accepted:
        allowed = attribution.admitted or chosen.sender.names_any_domain
    else:
        allowed = chosen.proof is Proof.LOGIN and not reverse_path
    return None if allowed else _sender_denied(_denial(attribution, reverse_path))


def _denial(attribution: Attribution, reverse_path: str) -> str:
    if not reverse_path:
        return "the null reverse-path relays by a login, or a certificate of an accepted domain, only"
    domain = _printable(domain_of(reverse_path))
    chosen = attribution.chosen
    if chosen and not attribution.admitted and not chosen.sender.names_any_domain:
        return f"sender domain {domain} is not in the connector's SenderDomains"
    return f"sender domain {domain} is not an accepted domain"


def _sender_denied(rule: str) -> Reply:
    return _because(RELAY_DENIED, f" SMTP; {rule}")


def _validation_status(organization: Organization, peer: Peer) -> str:
    certificate = peer.certificate
    if certificate is None:
        return f"[ValidationStatus of '' is {ValidationStatus.EMPTY_CERTIFICATE}]"
    status = certificate.status
    if certificate.is_valid and not certificate_senders(organization, certificate):
        status = ValidationStatus.NAME_MISMATCH
    return f"[ValidationStatus of '{_printable(certificate.subject)}' is {status}]"


def _because(reply: Reply, text: str) -> Reply:
    return replace(reply, text=reply.text + text)


def _printable(text: str) -> str:
    """What a client chose, fit for a reply line: printable ASCII (RFC 5321 4.2) of bounded length."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:SUBJECT_SHOWN])
