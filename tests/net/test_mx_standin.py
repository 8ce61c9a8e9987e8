"""The stand-in of a tenant's MX endpoint, spoken to with Python's own client as Microsoft's pages say.

https://learn.microsoft.com/exchange/troubleshoot/connectors/office-365-notice
https://learn.microsoft.com/powershell/module/exchange/new-inboundconnector
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from OpenSSL import SSL

from net.tls_peers import identity_of, leaf_of, load_into
from posthouse.net.certificates import Identity, self_signed
from standins.entra import Entra
from standins.exchange import Exchange
from standins.mx import Mx

HOST = "contoso-com.mail.protection.test"
SCANNER, BOB, ANNE = "scanner@contoso.test", "bob@contoso.test", "anne@fabrikam.test"
MAIL = b"From: Scanner <scanner@contoso.test>\r\nSubject: Scan\r\n\r\n.\r\nPage 1\r\n"
DENIED = "5.7.64 TenantAttribution; Relay Access Denied"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
HERE = ["127.0.0.1"]

Connect = Callable[..., smtplib.SMTP]


@pytest.fixture
def exchange(authority: trustme.CA, entra: Entra) -> Exchange:
    """Not asked by HTTPS here: what it knows is what counts."""
    made = Exchange(authority, entra)
    made.server_close()
    made.domains["contoso.test"] = "Authoritative"
    made.connectors.takes_reserved = True
    return made


@pytest.fixture
def mx(authority: trustme.CA, exchange: Exchange) -> Iterator[Mx]:
    with Mx(authority, exchange, host=HOST) as running:
        yield running


@pytest.fixture
def connect(mx: Mx, authority: trustme.CA, tmp_path: Path) -> Iterator[Connect]:
    """A session from an address, in TLS with this certificate, if any is wanted."""
    with contextlib.ExitStack() as sessions:

        def connect(identity: Identity | None = None, *, tls: bool = True, source: str = "127.0.0.1") -> smtplib.SMTP:
            client = smtplib.SMTP("127.0.0.1", mx.port, "relay.test", timeout=20, source_address=(source, 0))
            sessions.callback(client.close)
            client._host = HOST  # what starttls verifies
            client.ehlo()
            if tls:
                context = ssl.create_default_context()
                authority.configure_trust(context)
                if identity:
                    load_into(context, identity, tmp_path)
                client.starttls(context=context)
                client.ehlo()
            return client

        yield connect


def said(client: smtplib.SMTP, sender: str = SCANNER, recipient: str = ANNE) -> str:
    """To RCPT."""
    client.mail(sender)
    code, text = client.rcpt(recipient)
    return f"{code} {text.decode()}"


def test_what_is_offered(connect: Connect) -> None:
    in_plain, in_tls = connect(tls=False), connect()
    assert in_plain.has_extn("starttls")
    assert not in_tls.has_extn("starttls")
    assert in_tls.esmtp_features["size"] == "157286400"
    assert all(map(in_tls.has_extn, ("pipelining", "dsn", "8bitmime", "chunking", "enhancedstatuscodes")))
    assert not in_tls.has_extn("auth")


def test_relaying_by_address(connect: Connect, mx: Mx) -> None:
    mx.exchange.connectors.add("Relay", ConnectorType="OnPremises", SenderIPAddresses=HERE)
    connect(tls=False).sendmail(SCANNER, [ANNE, BOB], MAIL)
    mail = mx.mails[0]
    assert (mail.sender, mail.recipients, mail.content, mail.connector) == (SCANNER, [ANNE, BOB], MAIL, "Relay")
    assert said(connect(source="127.0.0.9")).startswith(f"550 {DENIED} [ValidationStatus of '' is EmptyCertificate]")


def test_relaying_by_certificate(connect: Connect, mx: Mx, authority: trustme.CA) -> None:
    mx.exchange.connectors.add("Relay", ConnectorType="OnPremises", TlsSenderCertificateName="*.contoso.test")
    client = connect(identity_of(authority.create_child_ca().issue_cert("relay.contoso.test")))
    client.sendmail("anybody@elsewhere.test", [ANNE], MAIL)
    assert (mx.mails[0].connector, mx.mails[0].client.names) == ("Relay", ["relay.contoso.test"])
    assert mx.mails[0].client.tls == "TLSv1.3"


@pytest.mark.parametrize(
    ("issue", "status"),
    [
        (lambda own, other: identity_of(own.issue_cert("relay.fabrikam.test")), "NameMismatch"),
        (lambda own, other: identity_of(own.issue_cert("a.b.contoso.test")), "NameMismatch"),
        (lambda own, other: leaf_of(own.create_child_ca().issue_cert("a.contoso.test")), "UnknownIssuer"),
        (lambda own, other: identity_of(other.issue_cert("a.contoso.test")), "UnknownIssuer"),
        (lambda own, other: self_signed("a.contoso.test"), "SelfSigned"),
        (lambda own, other: identity_of(own.issue_cert("a.contoso.test", not_after=YESTERDAY)), "Expired"),
    ],
)
def test_certificates_that_prove_nothing(
    connect: Connect,
    mx: Mx,
    authority: trustme.CA,
    stranger: trustme.CA,
    issue: Callable[[trustme.CA, trustme.CA], Identity],
    status: str,
) -> None:
    mx.exchange.connectors.add("Relay", ConnectorType="OnPremises", TlsSenderCertificateName="*.contoso.test")
    client = connect(issue(authority, stranger))
    assert f"550 {DENIED} [ValidationStatus of '" in (reply := said(client))
    assert f"' is {status}]" in reply


def test_the_certificate_or_the_sender_must_be_of_an_accepted_domain(
    connect: Connect, mx: Mx, authority: trustme.CA
) -> None:
    mx.exchange.connectors.add("By address", ConnectorType="OnPremises", SenderIPAddresses=HERE)
    assert said(connect(), "anybody@elsewhere.test").startswith(f"550 {DENIED} SMTP [")
    mx.exchange.connectors.add("By name", ConnectorType="OnPremises", TlsSenderCertificateName="relay.elsewhere.test")
    client = connect(identity_of(authority.issue_cert("relay.elsewhere.test")))
    assert said(client, "anybody@elsewhere.test").startswith(f"550 {DENIED} SMTP [")
    assert said(client, SCANNER).startswith("250 ")


def test_direct_send(connect: Connect, mx: Mx) -> None:
    assert said(connect(tls=False), recipient=BOB).startswith("250 ")
    mx.exchange.reject_direct_send = True
    assert said(connect(), recipient=BOB).startswith("550 5.7.68 TenantInboundAttribution; Direct Send not allowed")
    assert said(connect(), ANNE, BOB).startswith("250 ")
    mx.exchange.connectors.add("Relay", ConnectorType="OnPremises", SenderIPAddresses=HERE)
    assert said(connect(), recipient=BOB).startswith("250 ")


@pytest.mark.parametrize(
    ("rules", "reply"),
    [
        ({"RestrictDomainsToIPAddresses": True, "SenderIPAddresses": ["127.0.0.9"]}, "550 5.7.51 "),
        ({"RestrictDomainsToCertificate": True, "TlsSenderCertificateName": "a.contoso.test"}, "550 5.7.51 "),
        ({"RequireTls": True}, "451 5.7.3 STARTTLS is required"),
        ({"SenderDomains": ["*.fabrikam.test"], "RequireTls": True}, "250 "),
        ({"Enabled": False}, "250 "),
    ],
)
def test_partner_connectors_have_rules_of_their_own(
    connect: Connect, mx: Mx, rules: dict[str, Any], reply: str
) -> None:
    mx.exchange.connectors.add("Partner", **{"SenderDomains": ["contoso.test"]} | rules)
    assert said(connect(tls=False), recipient=BOB).startswith(reply)


def test_on_premises_connectors_have_none_of_them(connect: Connect, mx: Mx) -> None:
    mx.exchange.connectors.add(
        "Relay",
        ConnectorType="OnPremises",
        SenderDomains=["fabrikam.test"],
        SenderIPAddresses=HERE,
        RestrictDomainsToIPAddresses=True,
        RequireTls=True,
    )
    assert said(connect(tls=False)).startswith("250 ")


def test_a_partner_does_not_relay(connect: Connect, mx: Mx) -> None:
    mx.exchange.connectors.add("Partner", SenderIPAddresses=HERE)
    assert said(connect()).startswith(f"550 {DENIED} [")


def test_mail_for_a_tenant_elsewhere_is_in_the_wrong_region(connect: Connect, mx: Mx) -> None:
    mx.elsewhere.add("fabrikam.test")
    assert said(connect()).startswith("451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35")
    mx.exchange.connectors.add("Relay", ConnectorType="OnPremises", SenderIPAddresses=HERE)
    assert said(connect()).startswith("250 ")


def test_troubles_come_first(connect: Connect, mx: Mx) -> None:
    mx.faults.append("451 4.4.4 Temporary server error. Please try again later ATTR5")
    client = connect()
    assert said(client, recipient=BOB).startswith("451 4.4.4 ")
    assert said(client, recipient=BOB).startswith("250 ")
    assert mx.refusals == {"451 4.4.4": 1}


def test_old_tls_is_told_off(mx: Mx) -> None:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_max_proto_version(SSL.TLS1_1_VERSION)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", mx.port), 20) as plain:
        reader = plain.makefile("rb")
        plain.sendall(b"STARTTLS\r\n")
        assert [reader.readline()[:3], reader.readline()[:3]] == [b"220", b"220"]
        plain.settimeout(None)
        tls = SSL.Connection(context, plain)
        tls.set_connect_state()
        tls.do_handshake()
        tls.sendall(b"MAIL FROM:<scanner@contoso.test>\r\n")
        assert tls.recv(1000).startswith(b"421 4.7.66 TLS 1.0 and 1.1 are not supported.")
