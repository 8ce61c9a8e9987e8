"""Sections 5.2 to 5.6 of the design and its reply table, a case a line."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from posthouse.mail import Notify, Recipient
from posthouse.organization import (
    AcceptedDomain,
    CertificateVerdict,
    ConnectorType,
    InboundConnector,
    Organization,
    OutboundConnector,
    Peer,
    SenderCredential,
    TransportKind,
    ValidationStatus,
    check_mail,
    check_rcpt,
    internal_headers_retained,
    resolve_postmaster,
)

PARTNER, ON_PREMISES = ConnectorType.PARTNER, ConnectorType.ON_PREMISES
STRANGER = Peer("203.0.113.1")
PRINTER = Peer("10.0.0.7")
DENIED = "550 5.7.64 TenantAttribution; Relay Access Denied"
DIRECT_SEND = (
    "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources"
)
NO_CERTIFICATE = f"{DENIED} [ValidationStatus of '' is EmptyCertificate]"


def connector(name: str, *networks: str, kind: ConnectorType = ON_PREMISES, **settings) -> InboundConnector:
    addresses = tuple(map(ip_network, networks))
    return InboundConnector(name, connector_type=kind, sender_ip_addresses=addresses, **settings)


def contoso(*inbound: InboundConnector, **settings) -> Organization:
    return Organization((AcceptedDomain("contoso.com"), AcceptedDomain("fabrikam.com")), inbound, **settings)


def presenting(*names: str, status: str = "Valid", subject: str = "CN=mail") -> Peer:
    return Peer("203.0.113.1", tls=True, certificate=CertificateVerdict(ValidationStatus(status), names, subject))


@pytest.fixture
def mail(attributed):
    def answer(organization: Organization, peer: Peer, reverse_path: str) -> str:
        attribution = attributed(organization, peer, reverse_path)
        return str(check_mail(organization, peer, attribution, reverse_path) or "250")

    return answer


@pytest.fixture
def rcpt(attributed):
    def answer(organization: Organization, peer: Peer, reverse_path: str, forward_path: str) -> str:
        attribution = attributed(organization, peer, reverse_path)
        return str(check_rcpt(organization, peer, attribution, reverse_path, forward_path) or "250")

    return answer


BY_ADDRESS = contoso(connector("Scanners", "10.0.0.0/24"))
BY_CERTIFICATE = contoso(connector("Relay", tls_sender_certificate_name="*.contoso.com"))
BELOW = contoso(connector("Relay", tls_sender_certificate_name="relay.eu.contoso.com"))
LISTED = contoso(connector("Relay", tls_sender_certificate_name="*.contoso.com", sender_domains=("example.org",)))
FOREIGN = contoso(connector("Relay", tls_sender_certificate_name="mail.example.org"))
BY_LOGIN = contoso(connector("Devices", sender_credentials=(SenderCredential("scanner", ""),)))
BY_PARTNER = contoso(connector("Partner", "10.0.0.0/24", kind=PARTNER))
LISTED_ADDRESS = contoso(connector("Scanners", "10.0.0.0/24", sender_domains=("contoso.com", "example.org")))
CERTIFIED, LOGGED_IN = presenting("mail.contoso.com"), Peer("203.0.113.1", login="scanner")


@pytest.mark.parametrize(
    ("organization", "peer", "reverse_path", "reply"),
    [
        pytest.param(BY_ADDRESS, STRANGER, "a@contoso.com", NO_CERTIFICATE, id="no-connector"),
        pytest.param(BY_ADDRESS, PRINTER, "a@contoso.com", "250", id="accepted-sender-by-address"),
        pytest.param(
            BY_ADDRESS, PRINTER, "a@example.org", f"{DENIED} SMTP; sender domain example.org is not an accepted domain",
            id="foreign-sender-by-address",
        ),
        pytest.param(
            BY_ADDRESS, PRINTER, "", f"{DENIED} SMTP; the null reverse-path relays by a login, "
            "or a certificate of an accepted domain, only",
            id="null-by-address",
        ),
        pytest.param(LISTED_ADDRESS, PRINTER, "a@contoso.com", "250", id="accepted-and-admitted"),
        pytest.param(
            LISTED_ADDRESS, PRINTER, "a@example.org",
            f"{DENIED} SMTP; sender domain example.org is not an accepted domain", id="admitted-but-not-accepted",
        ),
        pytest.param(
            LISTED_ADDRESS, PRINTER, "a@fabrikam.com",
            f"{DENIED} SMTP; sender domain fabrikam.com is not in the connector's SenderDomains",
            id="accepted-but-not-admitted",
        ),
        pytest.param(
            BY_PARTNER, PRINTER, "a@contoso.com",
            f"{DENIED} SMTP; the connector is of type Partner, which relays to accepted domains only", id="partner",
        ),
        pytest.param(BY_CERTIFICATE, CERTIFIED, "a@example.org", "250", id="certificate-lets-any-sender"),
        pytest.param(BY_CERTIFICATE, CERTIFIED, "", "250", id="certificate-lets-null"),
        pytest.param(BELOW, presenting("relay.eu.contoso.com"), "a@example.org", "250", id="below-accepted"),
        pytest.param(LISTED, CERTIFIED, "a@example.org", "250", id="certificate-and-admitted"),
        pytest.param(LISTED, CERTIFIED, "", "250", id="certificate-and-null"),
        pytest.param(
            LISTED, CERTIFIED, "a@contoso.com",
            f"{DENIED} SMTP; sender domain contoso.com is not in the connector's SenderDomains",
            id="certificate-not-admitted",
        ),
        pytest.param(FOREIGN, presenting("mail.example.org"), "a@contoso.com", "250", id="foreign-as-address"),
        pytest.param(
            FOREIGN, presenting("mail.example.org"), "a@example.org",
            f"{DENIED} SMTP; sender domain example.org is not an accepted domain", id="foreign-certificate",
        ),
        pytest.param(BY_LOGIN, LOGGED_IN, "a@contoso.com", "250", id="login"),
        pytest.param(BY_LOGIN, LOGGED_IN, "", "250", id="login-lets-null"),
        pytest.param(
            BY_LOGIN, LOGGED_IN, "a@example.org",
            f"{DENIED} SMTP; sender domain example.org is not an accepted domain", id="login-as-a-foreigner",
        ),
    ],
)  # fmt: skip
def test_a_recipient_in_no_accepted_domain(
    rcpt, organization: Organization, peer: Peer, reverse_path: str, reply: str
) -> None:
    assert rcpt(organization, peer, reverse_path, "u@example.net") == reply


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        (STRANGER, "'' is EmptyCertificate"),
        (presenting("mail.contoso.com", status="Expired"), "'CN=mail' is Expired"),
        (presenting("mail.contoso.com", status="SelfSigned"), "'CN=mail' is SelfSigned"),
        (presenting("mail.contoso.com", status="UnknownIssuer"), "'CN=mail' is UnknownIssuer"),
        (presenting("mail.example.org"), "'CN=mail' is NameMismatch"),
        (presenting("mail.contoso.com"), "'CN=mail' is Valid"),
        (presenting("x.org", status="Expired", subject="CN=a\r\n250 ok\x00é"), "'CN=a??250 ok??' is Expired"),
        (presenting("x.org", status="Expired", subject="x" * 400), f"'{'x' * 200}' is Expired"),
    ],
)  # fmt: skip
def test_a_refused_relay_says_how_the_certificate_was_found(rcpt, peer: Peer, status: str) -> None:
    """Valid is said where a connector knows the name, but wants an address too."""
    organization = contoso(connector("Both", "10.0.0.0/24", tls_sender_certificate_name="*.contoso.com"))
    assert rcpt(organization, peer, "a@contoso.com", "u@example.net") == f"{DENIED} [ValidationStatus of {status}]"


@pytest.mark.parametrize(
    ("reject_direct_send", "peer", "reverse_path", "reply"),
    [
        (False, STRANGER, "a@contoso.com", "250"),
        (False, STRANGER, "a@example.org", "250"),
        (True, STRANGER, "a@contoso.com", DIRECT_SEND),
        (True, STRANGER, "a@FABRIKAM.com", DIRECT_SEND),
        (True, STRANGER, "a@example.org", "250"),
        (True, STRANGER, "", "250"),
        (True, PRINTER, "a@contoso.com", "250"),
        (True, PRINTER, "a@example.org", "250"),
    ],
)
def test_a_recipient_in_an_accepted_domain(
    rcpt, reject_direct_send: bool, peer: Peer, reverse_path: str, reply: str
) -> None:
    organization = replace(BY_ADDRESS, reject_direct_send=reject_direct_send)
    assert rcpt(organization, peer, reverse_path, "user@Contoso.com") == reply


RESTRICTING = contoso(
    connector("Restricted", "10.0.0.0/24", kind=PARTNER, sender_domains=("*.example.org",),
              restrict_domains_to_ip_addresses=True),
    connector("Own", "10.0.1.0/24", restrict_domains_to_ip_addresses=True, restrict_domains_to_certificate=True),
    connector("Other", "10.0.2.0/24", sender_domains=("example.org",)),
    connector("Off", "10.0.3.0/24", kind=PARTNER, enabled=False, restrict_domains_to_ip_addresses=True),
)  # fmt: skip
REJECTING = "550 5.7.51 TenantInboundAttribution; Rejecting. {} is restricted by a connector's {}"
BY_IP = "RestrictDomainsToIPAddresses"


@pytest.mark.parametrize(
    ("peer", "reverse_path", "reply"),
    [
        (STRANGER, "a@example.org", REJECTING.format("example.org", BY_IP)),
        (STRANGER, "a@mail.example.org", REJECTING.format("mail.example.org", BY_IP)),
        (STRANGER, "a@contoso.com", REJECTING.format("contoso.com", f"{BY_IP} and RestrictDomainsToCertificate")),
        (STRANGER, "a@example.net", "250"),
        (STRANGER, "", "250"),
        (PRINTER, "a@example.org", "250"),
        (Peer("10.0.1.7"), "a@contoso.com", "250"),
        (Peer("10.0.1.7"), "a@example.org", REJECTING.format("example.org", BY_IP)),
        (Peer("10.0.2.7"), "a@example.org", "250"),
        (Peer("10.0.2.7"), "a@mail.example.org", REJECTING.format("mail.example.org", BY_IP)),
    ],
)
def test_a_restricted_domain_comes_over_its_connector_or_one_that_admits_it(
    mail, peer: Peer, reverse_path: str, reply: str
) -> None:
    assert mail(RESTRICTING, peer, reverse_path) == reply


def test_a_partner_that_restricts_every_domain_shuts_out_strangers(mail) -> None:
    organization = contoso(connector("Filter", "10.0.0.0/24", kind=PARTNER, restrict_domains_to_ip_addresses=True))
    assert mail(organization, STRANGER, "a@anywhere.example") == REJECTING.format("anywhere.example", BY_IP)
    assert mail(organization, PRINTER, "a@anywhere.example") == "250"


def test_a_connector_that_requires_tls_says_so_before_all_else(mail) -> None:
    organization = contoso(
        connector("Tls", "10.0.0.0/24", require_tls=True),
        connector("Restricted", "10.0.9.9", kind=PARTNER, restrict_domains_to_ip_addresses=True),
    )
    assert mail(organization, PRINTER, "a@example.org") == "530 5.7.0 Must issue a STARTTLS command first"
    assert mail(organization, replace(PRINTER, tls=True), "a@contoso.com") == "250"
    assert mail(organization, replace(PRINTER, tls=True), "a@example.org").startswith("550 5.7.51 ")


@pytest.mark.parametrize(
    ("forward_path", "stranger", "printer"),
    [
        ("user%example.net@contoso.com", "550 5.7.1", "250"),
        ("example.net!user@contoso.com", "550 5.7.1", "250"),
        ('"user@example.net"@contoso.com', "550 5.7.1", "250"),
        ("user@example.net@contoso.com", "550 5.7.1", "250"),
        (r'"user\@example.net"@contoso.com', "550 5.7.1", "250"),
        ('"quoted user"@contoso.com', "250", "250"),
        ("user+tag@contoso.com", "250", "250"),
        ("@contoso.com:user@example.net", "550 5.7.1", "550 5.7.1"),
        ("user", "501 5.1.3", "501 5.1.3"),
        ("user@", "501 5.1.3", "501 5.1.3"),
        ("@contoso.com", "550 5.7.1", "550 5.7.1"),
        ("user@contoso.com@example.net", "550 5.7.1", "250"),
    ],
)
def test_routing_in_the_address_is_for_trusted_clients_and_the_final_domain_decides(
    rcpt, forward_path: str, stranger: str, printer: str
) -> None:
    assert rcpt(BY_ADDRESS, STRANGER, "a@contoso.com", forward_path).startswith(stranger)
    assert rcpt(BY_ADDRESS, PRINTER, "a@contoso.com", forward_path).startswith(printer)


MAILBOXES = OutboundConnector(
    "Mailboxes", all_accepted_domains=True, transport=TransportKind.MAILBOX, mailboxes=("User@contoso.com",)
)


@pytest.mark.parametrize(
    ("outbound", "forward_path", "reply"),
    [
        (MAILBOXES, "user@contoso.com", "250"),
        (MAILBOXES, "USER@CONTOSO.COM", "250"),
        (MAILBOXES, "user+tag@contoso.com", "550 5.1.1 Mailbox unavailable"),
        (MAILBOXES, "ghost@contoso.com", "550 5.1.1 Mailbox unavailable"),
        (MAILBOXES, "user@fabrikam.com", "550 5.1.1 Mailbox unavailable"),
        (MAILBOXES, "ghost@example.net", "250"),
        (replace(MAILBOXES, mailboxes=("*",)), "ghost@contoso.com", "250"),
        (replace(MAILBOXES, transport=TransportKind.SMTP, mailboxes=()), "ghost@contoso.com", "250"),
        (replace(MAILBOXES, enabled=False), "ghost@contoso.com", "250"),
    ],
)
def test_an_unknown_mailbox_is_refused_where_the_mailboxes_are_ours(
    rcpt, outbound: OutboundConnector, forward_path: str, reply: str
) -> None:
    organization = replace(BY_ADDRESS, outbound=(outbound,))
    assert rcpt(organization, PRINTER, "a@contoso.com", forward_path) == reply


def test_relaying_is_refused_before_a_mailbox_is_looked_up(rcpt) -> None:
    """So that a stranger can't try out which mailboxes there are in a domain that is not accepted."""
    outbound = replace(MAILBOXES, recipient_domains=("example.net",))
    organization = replace(BY_ADDRESS, outbound=(outbound,))
    assert rcpt(organization, STRANGER, "a@example.org", "ghost@example.net") == NO_CERTIFICATE


@pytest.mark.parametrize(
    ("address", "forward_path", "resolved"),
    [
        ("admin@contoso.com", "postmaster", "admin@contoso.com"),
        ("admin@contoso.com", "PostMaster", "admin@contoso.com"),
        ("", "postmaster", "postmaster@contoso.com"),
        ("admin@contoso.com", "postmaster@fabrikam.com", "postmaster@fabrikam.com"),
        ("admin@contoso.com", "user", "user"),
    ],
)
def test_postmaster_without_a_domain_is_the_organizations(address: str, forward_path: str, resolved: str) -> None:
    organization = contoso(postmaster_address=address)
    recipient = Recipient(forward_path, Notify.SUCCESS, "rfc822;postmaster")
    assert resolve_postmaster(organization, recipient) == replace(recipient, forward_path=resolved)


def test_postmaster_stays_where_there_is_no_domain_to_have_one(rcpt) -> None:
    assert resolve_postmaster(Organization(), Recipient("postmaster")).forward_path == "postmaster"
    assert rcpt(Organization(), STRANGER, "", "postmaster").startswith("501 5.1.3")


def test_internal_headers_are_retained_where_the_connector_says_so(attributed) -> None:
    retaining = contoso(connector("Hybrid", "10.0.0.0/24", cloud_services_mail_enabled=True))
    assert internal_headers_retained(attributed(retaining, PRINTER, ""))
    assert not internal_headers_retained(attributed(retaining, STRANGER, ""))
    assert not internal_headers_retained(attributed(BY_ADDRESS, PRINTER, ""))


@pytest.mark.parametrize("kind", ["Authoritative", "InternalRelay", "ExternalRelay"])
def test_the_type_of_an_accepted_domain_makes_no_difference(rcpt, kind: str) -> None:
    organization = Organization((AcceptedDomain("contoso.com", kind),), BY_ADDRESS.inbound)
    assert rcpt(organization, STRANGER, "a@example.org", "u@contoso.com") == "250"
    assert rcpt(organization, PRINTER, "a@contoso.com", "u@example.net") == "250"
