"""A client's certificate, or its login, and what it may send by it: the whole way from the handshake to the reply."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.x509.oid import ExtendedKeyUsageOID

from net.tls_peers import identity_of, issue, leaf_of, load_into
from posthouse.net.certificates import Identity, self_signed
from support.house import House, MakeHouse, wait_for
from support.peers import Peer
from support.wire import Wire

STARTTLS, LOGINS_IN_PLAIN = 2525, 2526

SETTINGS = f"""
workers = 1

[[listener]]
address = "ADDRESS:{STARTTLS}"
certificate = "relay.pfx"
certificate_password_env = "RELAY_PFX"

[[listener]]
address = "ADDRESS:{LOGINS_IN_PLAIN}"
auth_without_tls = true
"""

ORGANIZATION = """
trusted_roots = ["own-ca.pem"]

[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "SMTP Relay (TLS)"
connector_type = "OnPremises"
require_tls = true
tls_sender_certificate_name = "*.contoso.com"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_credentials = [{{ user = "scanner-2", password_env = "SCANNER_2" }}]

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]

[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {port}
"""

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
DENIED = "550 5.7.64 TenantAttribution; Relay Access Denied"


@dataclass(frozen=True)
class Authorities:
    own: trustme.CA
    other: trustme.CA


Issuer = Callable[[Authorities], Identity]

RELAYING: dict[str, Issuer] = {
    "valid": lambda ca: identity_of(ca.own.issue_cert("app.contoso.com")),
    "wildcard": lambda ca: identity_of(ca.own.issue_cert("*.contoso.com")),
    "one name of several": lambda ca: identity_of(ca.own.issue_cert("app.fabrikam.test", "app.contoso.com")),
    "upper case": lambda ca: issue(ca.own, names=["APP.Contoso.COM"]),
    "its whole chain": lambda ca: identity_of(ca.own.create_child_ca().create_child_ca().issue_cert("a.contoso.com")),
    "serverAuth only": lambda ca: issue(ca.own, names=["a.contoso.com"], usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
    "clientAuth only": lambda ca: issue(ca.own, names=["a.contoso.com"], usages=[ExtendedKeyUsageOID.CLIENT_AUTH]),
}

REFUSED: dict[str, tuple[Issuer, str]] = {
    "wrong name": (lambda ca: identity_of(ca.own.issue_cert("app.fabrikam.test")), "NameMismatch"),
    "the domain itself": (lambda ca: identity_of(ca.own.issue_cert("contoso.com")), "NameMismatch"),
    "two labels below": (lambda ca: identity_of(ca.own.issue_cert("a.b.contoso.com")), "NameMismatch"),
    "our domain as a label": (lambda ca: identity_of(ca.own.issue_cert("app.contoso.com.test")), "NameMismatch"),
    "expired": (
        lambda ca: identity_of(ca.own.issue_cert("a.contoso.com", not_before=NOW - 2 * DAY, not_after=NOW - DAY)),
        "Expired",
    ),
    "not yet valid": (
        lambda ca: identity_of(ca.own.issue_cert("a.contoso.com", not_before=NOW + DAY, not_after=NOW + 2 * DAY)),
        "NotYetValid",
    ),
    "self-signed": (lambda ca: self_signed("app.contoso.com"), "SelfSigned"),
    "unknown issuer": (lambda ca: identity_of(ca.other.issue_cert("app.contoso.com")), "UnknownIssuer"),
    "missing intermediate": (
        lambda ca: leaf_of(ca.own.create_child_ca().issue_cert("app.contoso.com")),
        "UnknownIssuer",
    ),
    "a leaf that issues": (
        lambda ca: issue(ca.own, names=["a.contoso.com"], issuer=identity_of(ca.own.issue_cert("b.contoso.com"))),
        "UnknownIssuer",
    ),
    "usage for mail": (
        lambda ca: issue(ca.own, names=["a.contoso.com"], usages=[ExtendedKeyUsageOID.EMAIL_PROTECTION]),
        "InvalidUsage",
    ),
}


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    return Authorities(trustme.CA(), trustme.CA())


@pytest.fixture(scope="module")
def internet() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, authorities: Authorities, internet: Peer) -> House:
    house = shared_house(ORGANIZATION.format(port=internet.port), SETTINGS)
    authorities.own.cert_pem.write_to_path(house.folder / "own-ca.pem")
    identity = identity_of(authorities.own.issue_cert("relay.test"))
    (house.folder / "relay.pfx").write_bytes(identity.to_pfx("pfx password"))
    house.apply(SCANNER_2="secret")
    return house.start(RELAY_PFX="pfx password")


@pytest.fixture
def context(authorities: Authorities) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authorities.own.configure_trust(context)
    return context


def under_tls(relay: House, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Wire:
    wire = relay.wire().greeted()
    assert wire.say(b"STARTTLS\r\n").startswith("220 ")
    wire.start_tls(context, session)
    assert wire.say(b"EHLO device.test\r\n").startswith("250-")
    return wire


def rcpt(wire: Wire, forward_path: str) -> str:
    return wire.say(f"RCPT TO:<{forward_path}>\r\n".encode())


def status(certificate: Identity | None, status: str) -> str:
    return f"{DENIED} [ValidationStatus of '{certificate.subject if certificate else ''}' is {status}]"


# Certificates


@pytest.mark.parametrize("make", RELAYING.values(), ids=RELAYING)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_relays(
    relay: House,
    authorities: Authorities,
    context: ssl.SSLContext,
    tmp_path: Path,
    make: Issuer,
    version: ssl.TLSVersion,
) -> None:
    load_into(context, make(authorities), tmp_path)
    context.maximum_version = version
    with under_tls(relay, context) as wire:
        for reverse_path in ("a@contoso.com", "a@fabrikam.test", ""):
            wire.begin(reverse_path, "b@example.net")
            assert wire.say(b"RSET\r\n") == "250 2.0.0 OK"


@pytest.mark.parametrize(("make", "expected"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_does_not(
    relay: House,
    authorities: Authorities,
    context: ssl.SSLContext,
    tmp_path: Path,
    make: Issuer,
    expected: str,
    version: ssl.TLSVersion,
) -> None:
    """The session goes on all the same: mail to ourselves is taken."""
    certificate = make(authorities)
    load_into(context, certificate, tmp_path)
    context.maximum_version = version
    with under_tls(relay, context) as wire:
        wire.begin("a@contoso.com")
        assert rcpt(wire, "b@example.net").startswith(status(certificate, expected))
        assert rcpt(wire, "user@contoso.com") == "250 2.1.5 Recipient OK"


def test_no_certificate(relay: House, context: ssl.SSLContext) -> None:
    with under_tls(relay, context) as wire:
        wire.begin("a@contoso.com")
        assert rcpt(wire, "b@example.net").startswith(status(None, "EmptyCertificate"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("make", [RELAYING["valid"], RELAYING["its whole chain"]], ids=["valid", "its whole chain"])
def test_a_resumed_session_relays_too(
    relay: House,
    authorities: Authorities,
    context: ssl.SSLContext,
    tmp_path: Path,
    version: ssl.TLSVersion,
    make: Issuer,
) -> None:
    load_into(context, make(authorities), tmp_path)
    context.maximum_version = version
    with under_tls(relay, context) as first:
        session = first.tls.session
    with under_tls(relay, context, session) as again:
        assert again.tls.session_reused
        again.begin("a@fabrikam.test", "b@example.net")


def test_the_trace_tells_the_connector_the_certificate_and_why(
    relay: House, authorities: Authorities, context: ssl.SSLContext, internet: Peer, tmp_path: Path
) -> None:
    certificate = RELAYING["valid"](authorities)
    load_into(context, certificate, tmp_path)
    with under_tls(relay, context) as wire:
        assert wire.send_mail("a@contoso.com", "traced@example.net").startswith("250 2.6.0 ")
    wait_for(lambda: any("traced@" in message.recipients[0] for message in internet.messages), what="the mail")
    (entry,) = relay.json("trace", "--to", "traced@example.net")
    assert entry["connector"] == "SMTP Relay (TLS)"
    assert entry["certificate"] == certificate.subject
    assert entry["protocol"] == "ESMTPS"
    assert "SMTP Relay (TLS): the certificate's name matches its TlsSenderCertificateName *.contoso.com" in str(
        entry["reasons"]
    )
    assert "chosen: SenderDomains admit <a@contoso.com>" in str(entry["reasons"])


def test_the_trace_of_a_stranger_tells_why_nothing_matched(
    relay: House, authorities: Authorities, context: ssl.SSLContext, tmp_path: Path
) -> None:
    load_into(context, REFUSED["expired"][0](authorities), tmp_path)
    with under_tls(relay, context) as wire:
        assert wire.send_mail("a@fabrikam.test", "stranger@contoso.com").startswith("250 2.6.0 ")
    relay.await_mail("stranger@contoso.com")
    (entry,) = relay.json("trace", "--to", "stranger@contoso.com")
    assert (entry["connector"], entry["certificate"]) == (None, "")
    assert "SMTP Relay (TLS): the certificate is not valid: Expired" in str(entry["reasons"])
    assert "Scanners: no login of its SenderCredentials was used" in str(entry["reasons"])


@pytest.mark.parametrize("kind", ["PEM", "PFX"])
def test_the_test_sender_shows_a_certificate_from_either_kind_of_file(
    relay: House, authorities: Authorities, tmp_path: Path, kind: str
) -> None:
    leaf = authorities.own.create_child_ca().issue_cert("sender.contoso.com")
    if kind == "PFX":
        file = tmp_path / "cert.pfx"
        file.write_bytes(identity_of(leaf).to_pfx("pfx password"))
        options = ["--pfx", str(file), "--pfx-password-env", "PFX_PASSWORD"]
    else:
        file = tmp_path / "cert.pem"
        leaf.private_key_and_cert_chain_pem.write_to_path(file)
        options = ["--certificate", str(file)]
    words = ["--server", relay.address, "--port", str(STARTTLS), "--from", "a@fabrikam.test", "--to", "b@example.net"]
    sent = subprocess.run(
        [sys.executable, "-m", "posthouse", "send", *words, *options],
        env=os.environ | {"PFX_PASSWORD": "pfx password"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert sent.returncode == 0, sent.stderr
    assert "250 2.6.0 " in sent.stdout


# Logins


def plain(user: str, password: str) -> bytes:
    return b"AUTH PLAIN " + b64encode(f"\0{user}\0{password}".encode()) + b"\r\n"


@pytest.fixture
def secured(relay: House, context: ssl.SSLContext) -> Iterator[Wire]:
    with under_tls(relay, context) as wire:
        yield wire


def test_a_login_relays(relay: House, secured: Wire, internet: Peer) -> None:
    assert secured.say(plain("scanner-2", "secret")) == "235 2.7.0 Authentication successful"
    assert secured.send_mail("scanner@contoso.com", "login@example.net").startswith("250 2.6.0 ")
    wait_for(lambda: any("login@" in message.recipients[0] for message in internet.messages), what="the mail")
    (entry,) = relay.json("trace", "--to", "login@example.net")
    assert (entry["connector"], entry["login"], entry["protocol"]) == ("Scanners", "scanner-2", "ESMTPSA")
    assert "Scanners: login scanner-2 is one of its SenderCredentials" in str(entry["reasons"])


def test_auth_login_step_by_step(secured: Wire) -> None:
    assert secured.say(b"AUTH LOGIN\r\n") == "334 VXNlcm5hbWU6"
    assert secured.say(b64encode(b"scanner-2") + b"\r\n") == "334 UGFzc3dvcmQ6"
    assert secured.say(b64encode(b"secret") + b"\r\n") == "235 2.7.0 Authentication successful"
    secured.begin("", "b@example.net")


def test_a_login_may_send_from_accepted_domains_only(secured: Wire) -> None:
    assert secured.say(plain("scanner-2", "secret")).startswith("235 ")
    secured.begin("a@fabrikam.test")
    assert rcpt(secured, "b@example.net").startswith(
        f"{DENIED} SMTP; sender domain fabrikam.test is not an accepted domain"
    )


@pytest.mark.parametrize(("user", "password"), [("scanner-2", "wrong"), ("nobody", "secret"), ("scanner-2", "")])
def test_a_wrong_login_is_refused_and_relays_nothing(secured: Wire, user: str, password: str) -> None:
    assert secured.say(plain(user, password)) == "535 5.7.3 Authentication unsuccessful"
    secured.begin("a@contoso.com")
    assert rcpt(secured, "b@example.net").startswith(status(None, "EmptyCertificate"))


def test_without_tls_no_login_is_offered_or_taken(relay: House) -> None:
    with relay.wire() as wire:
        wire.reply()
        assert "AUTH" not in wire.say(b"EHLO device.test\r\n")
        assert wire.say(plain("scanner-2", "secret")) == "538 5.7.11 Encryption required"
        wire.begin("a@contoso.com")
        assert rcpt(wire, "b@example.net").startswith(status(None, "EmptyCertificate"))


def test_under_tls_it_is_offered(relay: House, secured: Wire) -> None:
    assert "250-AUTH LOGIN PLAIN" in secured.say(b"EHLO device.test\r\n").split("\n")


def test_a_listener_may_allow_logins_in_plain(relay: House) -> None:
    with relay.wire(port=LOGINS_IN_PLAIN) as wire:
        wire.reply()
        assert "250-AUTH LOGIN PLAIN" in wire.say(b"EHLO device.test\r\n").split("\n")
        assert wire.say(plain("scanner-2", "secret")).startswith("235 ")
        wire.begin("a@contoso.com", "b@example.net")


def test_a_login_wins_over_a_certificate(
    relay: House, authorities: Authorities, context: ssl.SSLContext, tmp_path: Path
) -> None:
    """docs/policy.md 1: candidates are the login's connector, else those by certificate."""
    load_into(context, RELAYING["valid"](authorities), tmp_path)
    with under_tls(relay, context) as wire:
        wire.begin("a@fabrikam.test", "b@example.net")
        wire.say(b"RSET\r\n")
        assert wire.say(plain("scanner-2", "secret")).startswith("235 ")
        wire.begin("a@fabrikam.test")
        assert rcpt(wire, "b@example.net").startswith(f"{DENIED} SMTP; ")
