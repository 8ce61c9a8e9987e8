"""How far a server's certificate must be right before anything is sent to it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography.x509.oid import ExtendedKeyUsageOID

from net.tls_peers import PythonTls, identity_of, issue, leaf_of, shake_hands
from posthouse.net.certificates import Identity, self_signed
from posthouse.net.tls import ClientContext, ServerContext, TlsError, TlsSession
from posthouse.net.verification import Verifier
from posthouse.organization.certificate import ValidationStatus
from posthouse.organization.connectors import TlsSettings

HOST = "relay.contoso.test"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def call(server: Identity, verifier: Verifier, settings: TlsSettings, host: str = HOST, domain: str = "") -> TlsSession:
    client = TlsSession(ClientContext(None, "intermediate", verifier, settings, domain), host)
    shake_hands(client, TlsSession(ServerContext(server, "intermediate", verifier)))
    return client


def test_without_validation_any_certificate_will_do(verifier: Verifier) -> None:
    for settings in (TlsSettings.OPPORTUNISTIC, TlsSettings.ENCRYPTION_ONLY):
        client = call(self_signed("other.test"), verifier, settings)
        assert client.peer_verdict
        assert client.peer_verdict.status is ValidationStatus.SELF_SIGNED


@pytest.mark.parametrize("settings", [TlsSettings.CERTIFICATE_VALIDATION, TlsSettings.DOMAIN_VALIDATION])
def test_with_validation_the_chain_must_be_right(
    verifier: Verifier, authority: trustme.CA, stranger: trustme.CA, settings: TlsSettings
) -> None:
    call(identity_of(authority.create_child_ca().issue_cert(HOST)), verifier, settings)
    for server, reason in [
        (self_signed(HOST), f"'CN={HOST}' of {HOST} is SelfSigned: it is self-signed"),
        (leaf_of(authority.create_child_ca().issue_cert(HOST)), "is UnknownIssuer: .* intermediate is missing"),
        (identity_of(stranger.issue_cert(HOST)), "is UnknownIssuer: its issuer is unknown"),
        (issue(authority, names=[HOST], usages=[ExtendedKeyUsageOID.CLIENT_AUTH]), "is InvalidUsage"),
    ]:
        with pytest.raises(TlsError, match=reason):
            call(server, verifier, settings)


def test_a_refused_server_is_sent_nothing(verifier: Verifier) -> None:
    client = TlsSession(ClientContext(None, "intermediate", verifier, TlsSettings.CERTIFICATE_VALIDATION), HOST)
    server = TlsSession(ServerContext(self_signed(HOST), "intermediate", verifier))
    client.start()
    server.receive(client.data_to_send())
    with pytest.raises(TlsError):
        client.receive(server.data_to_send())
    with pytest.raises(TlsError, match="SelfSigned"):
        client.send(b"MAIL FROM:<a@contoso.test>\r\n")
    assert client.peer_verdict
    assert client.peer_verdict.status is ValidationStatus.SELF_SIGNED


@pytest.mark.parametrize(
    ("names", "host", "domain", "fits"),
    [
        (["relay.contoso.test"], "relay.contoso.test", "", True),
        (["relay.contoso.test"], "Relay.Contoso.test.", "", True),
        (["*.contoso.test"], "relay.contoso.test", "", True),
        (["*.contoso.test"], "a.relay.contoso.test", "", False),
        (["*.contoso.test"], "contoso.test", "", False),
        (["other.test"], "relay.contoso.test", "", False),
        (["mail.outlook.test"], "contoso-test.mail.outlook.test", "mail.outlook.test", True),
        (["*.mail.outlook.test"], "contoso-test.mail.outlook.test", "mail.outlook.test", False),
        (["*.mail.outlook.test"], "10.0.0.1", "*.mail.outlook.test", True),
        (["mx.mail.outlook.test"], "10.0.0.1", "*.mail.outlook.test", True),
        (["relay.contoso.test"], "relay.contoso.test", "mail.outlook.test", False),
    ],
)
def test_domain_validation_looks_at_the_name(
    verifier: Verifier, authority: trustme.CA, names: list[str], host: str, domain: str, fits: bool
) -> None:
    identity = identity_of(authority.issue_cert(*names))
    if fits:
        call(identity, verifier, TlsSettings.DOMAIN_VALIDATION, host, domain)
    else:
        with pytest.raises(TlsError, match=r"is for .+, not for .+; see TlsDomain"):
            call(identity, verifier, TlsSettings.DOMAIN_VALIDATION, host, domain)
    call(identity, verifier, TlsSettings.CERTIFICATE_VALIDATION, host, domain)


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("relay.contoso.test", "relay.contoso.test"),
        ("Bücher.test", "xn--bcher-kva.test"),
        ("192.0.2.1", None),
        ("::1", None),
    ],
)
def test_a_server_hears_the_name_that_is_called_but_no_address(
    authority: trustme.CA, client_context: ClientContext, host: str, named: str | None
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    heard: list[str | None] = []
    context.sni_callback = lambda _, name, __: heard.append(name)
    shake_hands(TlsSession(client_context, host), PythonTls(context))
    assert heard == [named]
