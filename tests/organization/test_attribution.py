"""Section 5.1 of the design, a case a line."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from posthouse.organization import (
    AcceptedDomain,
    CertificateVerdict,
    ConnectorType,
    InboundConnector,
    Organization,
    Peer,
    Proof,
    SenderCredential,
    ValidationStatus,
)

PARTNER, ON_PREMISES = ConnectorType.PARTNER, ConnectorType.ON_PREMISES


def connector(name: str, *networks: str, kind: ConnectorType = ON_PREMISES, **settings) -> InboundConnector:
    addresses = tuple(map(ip_network, networks))
    return InboundConnector(name, connector_type=kind, sender_ip_addresses=addresses, **settings)


def presenting(*names: str, ip: str = "203.0.113.1", status: str = "Valid") -> Peer:
    return Peer(ip, tls=True, certificate=CertificateVerdict(ValidationStatus(status), names, names[0]))


ORGANIZATION = Organization(
    accepted_domains=(AcceptedDomain("contoso.com"), AcceptedDomain("fabrikam.com")),
    inbound=(
        connector("Everywhere", "10.0.0.0/8"),
        connector("Floor", "10.1.1.0/24"),
        connector("Another floor", "10.1.1.0/24"),
        connector("One printer", "10.1.1.9", sender_domains=("fabrikam.com",)),
        connector("Switched off", "10.1.1.9/32", enabled=False),
        connector("Version 6", "2001:db8::/32", "fe80::/10"),
        connector("Wildcard", tls_sender_certificate_name="*.contoso.com"),
        connector("Both", "10.2.0.0/16", tls_sender_certificate_name="both.fabrikam.com"),
        connector("Both wildcard", "10.3.0.0/16", tls_sender_certificate_name="*.contoso.com"),
        connector("Login", "10.4.0.0/16", sender_credentials=(SenderCredential("Scanner-2", "$argon2id$"),)),
        connector("Old login", sender_credentials=(SenderCredential("fax", "$argon2id$"),), enabled=False),
        connector("Partner", "192.0.2.0/24", kind=PARTNER),
    ),
)


@pytest.mark.parametrize(
    ("peer", "reverse_path", "name", "proof"),
    [
        pytest.param(Peer("203.0.113.1"), "a@contoso.com", None, None, id="nobody-knows-the-address"),
        pytest.param(Peer("unix"), "a@contoso.com", None, None, id="no-address-at-all"),
        pytest.param(Peer("10.9.9.9"), "a@contoso.com", "Everywhere", "address", id="address-in-a-network"),
        pytest.param(Peer("::ffff:10.9.9.9"), "a@contoso.com", "Everywhere", "address", id="ipv4-mapped"),
        pytest.param(Peer("2001:db8::9"), "a@contoso.com", "Version 6", "address", id="ipv6"),
        pytest.param(Peer("fe80::9%eth0"), "a@contoso.com", "Version 6", "address", id="scope-dropped"),
        pytest.param(Peer("10.1.1.8"), "a@contoso.com", "Another floor", "address", id="specific-then-name"),
        pytest.param(Peer("10.1.1.9"), "a@fabrikam.com", "One printer", "address", id="most-specific"),
        pytest.param(Peer("10.1.1.9"), "a@contoso.com", "Another floor", "address", id="admitting-goes-first"),
        pytest.param(Peer("10.1.1.9"), "a@example.org", "One printer", "address", id="none-admits-still-matched"),
        pytest.param(Peer("10.1.1.9"), "", "One printer", "address", id="null-is-always-admitted"),
        pytest.param(presenting("mail.contoso.com"), "a@contoso.com", "Wildcard", "certificate", id="certificate"),
        pytest.param(presenting("x.org", "*.contoso.com"), "", "Wildcard", "certificate", id="any-name-of-it"),
        pytest.param(
            presenting("mail.contoso.com", ip="10.1.1.9"),
            "",
            "Wildcard",
            "certificate",
            id="before-address",
        ),
        pytest.param(
            presenting("mail.contoso.com", ip="10.3.0.1"),
            "",
            "Both wildcard",
            "certificate",
            id="both-is-specific",
        ),
        pytest.param(presenting("both.fabrikam.com", ip="10.2.0.1"), "", "Both", "certificate", id="both-proven"),
        pytest.param(presenting("both.fabrikam.com"), "", None, None, id="both-without-its-address"),
        pytest.param(Peer("10.2.0.1", tls=True), "", "Everywhere", "address", id="both-without-its-certificate"),
        pytest.param(
            presenting("both.fabrikam.com", ip="10.1.1.8"), "", "Another floor", "address", id="certificate-for-nothing"
        ),
        pytest.param(presenting("mail.contoso.com", status="Expired"), "", None, None, id="bad-certificate"),
        pytest.param(
            presenting("mail.contoso.com", ip="10.9.9.9", status="SelfSigned"),
            "",
            "Everywhere",
            "address",
            id="bad-certificate-does-no-harm",
        ),
        pytest.param(Peer("203.0.113.1", login="scanner-2"), "", "Login", "login", id="login-from-anywhere"),
        pytest.param(Peer("10.1.1.9", login="SCANNER-2"), "", "Login", "login", id="login-before-address"),
        pytest.param(Peer("10.4.0.1"), "", "Login", "address", id="login-connector-by-its-address"),
        pytest.param(Peer("203.0.113.1", login="fax"), "", None, None, id="login-of-a-disabled-connector"),
        pytest.param(Peer("10.9.9.9", login="fax"), "", "Everywhere", "address", id="login-for-nothing"),
        pytest.param(Peer("192.0.2.1"), "a@example.org", "Partner", "address", id="partner"),
    ],
)
def test_the_transaction_belongs_to(
    attributed, peer: Peer, reverse_path: str, name: str | None, proof: str | None
) -> None:
    attribution = attributed(ORGANIZATION, peer, reverse_path)
    assert (attribution.connector and attribution.connector.name, attribution.proof) == (name, proof)


@pytest.mark.parametrize(
    ("kind", "sender_domains", "reverse_path", "admitted"),
    [
        (ON_PREMISES, ("*",), "a@contoso.com", True),
        (ON_PREMISES, ("*",), "a@CONTOSO.com.", True),
        (ON_PREMISES, ("*",), "a@mail.contoso.com", False),
        (ON_PREMISES, ("*",), "a@example.org", False),
        (ON_PREMISES, ("*", "example.org"), "a@example.org", True),
        (ON_PREMISES, ("example.org",), "a@contoso.com", False),
        (PARTNER, ("*",), "a@example.org", True),
        (PARTNER, ("contoso.com",), "a@example.org", False),
        (PARTNER, ("*.example.org",), "a@example.org", True),
        (PARTNER, ("*.example.org",), "a@a.b.example.org", True),
        (PARTNER, ("*.example.org",), "a@notexample.org", False),
        (PARTNER, ("example.org",), "a@mail.example.org", False),
        (PARTNER, ("xn--bcher-kva.example",), "a@bücher.example", True),
        (ON_PREMISES, ("example.org",), "", True),
    ],
)
def test_sender_domains_admit(
    attributed, kind: ConnectorType, sender_domains: tuple[str, ...], reverse_path: str, admitted: bool
) -> None:
    organization = Organization(
        (AcceptedDomain("contoso.com"),), (connector("C", "10.0.0.1", kind=kind, sender_domains=sender_domains),)
    )
    assert attributed(organization, Peer("10.0.0.1"), reverse_path).admitted is admitted


def test_a_connector_is_found_once_by_its_most_specific_network(attributed) -> None:
    organization = Organization(
        inbound=(connector("A", "10.0.0.0/16", "10.0.0.0/8"), connector("B", "10.0.0.0/24", "10.0.0.0/8"))
    )
    attribution = attributed(organization, Peer("10.0.0.1"), "")
    assert [(found.sender.connector.name, found.prefix) for found in attribution.candidates.found] == [
        ("B", 24),
        ("A", 16),
    ]


def test_the_reasons_tell_the_chosen_from_those_passed_over(attributed) -> None:
    one, *others = attributed(ORGANIZATION, Peer("10.1.1.9"), "a@contoso.com").reasons
    assert one.startswith("One printer: 10.1.1.9 is in its SenderIPAddresses (/32); passed over: ")
    assert one.endswith("SenderDomains do not admit <a@contoso.com>")
    assert others == [
        "Another floor: 10.1.1.9 is in its SenderIPAddresses (/24); chosen: SenderDomains admit <a@contoso.com>",
        "Floor: 10.1.1.9 is in its SenderIPAddresses (/24); passed over: a better match was chosen",
        "Everywhere: 10.1.1.9 is in its SenderIPAddresses (/8); passed over: a better match was chosen",
        "8 other inbound connectors: not proven",
    ]


def test_the_reasons_name_login_and_certificate(attributed) -> None:
    assert attributed(ORGANIZATION, Peer("203.0.113.1", login="Scanner-2"), "").reasons[0] == (
        "Login: login Scanner-2 is one of its SenderCredentials; chosen: SenderDomains admit <>"
    )
    assert attributed(ORGANIZATION, presenting("both.fabrikam.com", ip="10.2.0.1"), "a@x.org").reasons[0] == (
        "Both: the certificate's name matches its TlsSenderCertificateName both.fabrikam.com, "
        "and 10.2.0.1 is in its SenderIPAddresses; chosen, though SenderDomains do not admit <a@x.org>"
    )


def test_where_none_matched_the_reasons_say_why_for_each(attributed) -> None:
    organization = Organization(
        inbound=(
            connector("Address", "10.0.0.0/8"),
            connector("Certificate", tls_sender_certificate_name="*.contoso.com"),
            connector("Both", "10.0.0.0/8", tls_sender_certificate_name="x.example.org"),
            connector("Login", sender_credentials=(SenderCredential("scanner", "$argon2id$"),)),
            connector("Off", "203.0.113.1", enabled=False),
            connector("Idle"),
        )
    )
    assert attributed(organization, presenting("x.example.org"), "").reasons == (
        "Address: 203.0.113.1 is not in its SenderIPAddresses",
        "Certificate: its TlsSenderCertificateName *.contoso.com matches no name of the certificate",
        "Both: 203.0.113.1 is not in its SenderIPAddresses",
        "Login: no login of its SenderCredentials was used",
        "Off: disabled",
        "Idle: it names no address, certificate or login, so it matches nobody",
    )
    assert attributed(organization, Peer("203.0.113.1"), "").reasons[1:3] == (
        "Certificate: no certificate was presented",
        "Both: no certificate was presented",
    )
    empty = Peer("203.0.113.1", tls=True, certificate=CertificateVerdict(ValidationStatus.EMPTY_CERTIFICATE))
    assert attributed(organization, empty, "").reasons[1] == "Certificate: no certificate was presented"
    assert attributed(organization, presenting("a.contoso.com", status="UnknownIssuer"), "").reasons[1] == (
        "Certificate: the certificate is not valid: UnknownIssuer"
    )


def test_without_connectors_that_is_the_reason(attributed) -> None:
    assert attributed(Organization(), Peer("10.0.0.1"), "").reasons == ("there is no inbound connector",)


def test_of_very_many_connectors_the_reasons_go_through_a_few(attributed) -> None:
    organization = Organization(inbound=tuple(connector(f"C{number}", "10.0.0.1") for number in range(5000)))
    reasons = attributed(organization, Peer("203.0.113.1"), "").reasons
    assert len(reasons) == 21
    assert reasons[-1] == "4980 more inbound connectors: not proven either"


def test_a_login_has_the_hash_of_its_enabled_connector() -> None:
    assert ORGANIZATION.password_hash("SCANNER-2") == "$argon2id$"
    assert ORGANIZATION.password_hash("fax") is None
    assert ORGANIZATION.has_logins
    assert not Organization().has_logins


def test_proofs_read_as_words() -> None:
    assert [str(proof) for proof in Proof] == ["login", "certificate", "address"]
