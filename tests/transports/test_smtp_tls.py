"""TLS to the next hop, as far as the connector wants it."""

from __future__ import annotations

import ssl
from dataclasses import replace

import pytest
import trustme

from posthouse.mail import MemoryContent
from posthouse.net.certificates import load_pem
from posthouse.net.verification import Verifier
from posthouse.organization import TlsSettings
from support.peers import CLOSE, CLOSE_NOTIFY, GARBAGE, GOOD, SILENCE, Misdeed, Peer

REQUIRED = [TlsSettings.ENCRYPTION_ONLY, TlsSettings.CERTIFICATE_VALIDATION, TlsSettings.DOMAIN_VALIDATION]


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def stranger() -> trustme.CA:
    return trustme.CA()


def serving(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*(names or ("example.net",))).configure_cert(context)
    return context


def over_tls(peer: Peer) -> bool:
    """Whether the mail of the last session came behind a handshake."""
    verbs = [command.split()[0] for command in peer.sessions[-1].commands]
    return "MAIL" in verbs[verbs.index("TLS") :] if "TLS" in verbs else False


class TestOpportunistic:
    def test_tls_where_it_is_offered_whatever_the_certificate(self, sender, stranger: trustme.CA):
        with Peer(tls=serving(stranger, "other.example.org")) as peer:
            (outcome,) = sender.deliver(peer)
        assert outcome.status == "delivered"
        assert over_tls(peer)
        commands = peer.sessions[0].commands
        assert commands[:4] == ["EHLO relay.contoso.com", "STARTTLS", "TLS", "EHLO relay.contoso.com"]

    def test_plain_text_where_it_is_not(self, sender):
        with Peer() as peer:
            assert sender.deliver(peer)[0].status == "delivered"
        assert not over_tls(peer)

    def test_plain_text_where_starttls_is_refused(self, sender, ca: trustme.CA):
        with Peer(tls=serving(ca), STARTTLS="454 4.7.0 not now") as peer:
            assert sender.deliver(peer)[0].status == "delivered"
        assert len(peer.sessions) == 1

    @pytest.mark.parametrize("answer", [CLOSE, GARBAGE, SILENCE, "220 go\r\n250 injected", "220 go"])
    def test_plain_text_where_it_fails(self, sender, ca: trustme.CA, answer: str | Misdeed):
        with Peer(tls=refusing(ca), STARTTLS=answer) as peer:
            timeouts = sender.TIMEOUTS if answer is SILENCE else sender.PATIENT
            assert sender.deliver(peer, timeouts=timeouts)[0].status == "delivered"
        assert len(peer.sessions) == 2
        assert not over_tls(peer)

    def test_plain_text_where_it_fails_behind_the_handshake(self, sender, ca: trustme.CA):
        """TLS 1.3: our side is done before the server misses our certificate (RFC 8446 4.4.2.4)."""
        context = serving(ca)
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with Peer(tls=context) as peer:
            assert sender.deliver(peer)[0].status == "delivered"
        assert len(peer.sessions) == 2


def refusing(ca: trustme.CA) -> ssl.SSLContext:
    """A server that wants a TLS version which we don't speak."""
    context = serving(ca)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-SHA")
    return context


class TestRequired:
    @pytest.mark.parametrize("settings", REQUIRED)
    def test_it_is_had(self, sender, ca: trustme.CA, settings: TlsSettings):
        sender.connector = replace(sender.connector, tls_settings=settings)
        with Peer(tls=serving(ca)) as peer:
            (outcome,) = sender.deliver(peer, verifier=Verifier((ca.cert_pem.bytes().decode(),)))
        assert outcome.status == "delivered", outcome.reply
        assert over_tls(peer)

    @pytest.mark.parametrize("settings", REQUIRED)
    def test_nothing_goes_out_where_it_is_not_offered(self, sender, settings: TlsSettings):
        sender.connector = replace(sender.connector, tls_settings=settings)
        with Peer() as peer:
            (outcome,) = sender.deliver(peer)
        assert (outcome.status, outcome.reply.enhanced) == ("deferred", "4.7.4")
        assert peer.sessions[0].commands == ["EHLO relay.contoso.com"]

    @pytest.mark.parametrize(
        ("answer", "enhanced"),
        [
            (CLOSE, "4.7.5"),
            ("454 4.7.0 not now", "4.7.4"),
            ("554 5.7.0 never", "4.7.4"),
            ("220 go\r\n250 injected", "4.7.5"),
        ],
    )
    def test_nor_where_it_fails(self, sender, ca: trustme.CA, answer: str | Misdeed, enhanced: str):
        sender.connector = replace(sender.connector, tls_settings=TlsSettings.ENCRYPTION_ONLY)
        with Peer(tls=serving(ca), STARTTLS=answer) as peer:
            (outcome,) = sender.deliver(peer)
        assert (outcome.status, outcome.reply.enhanced) == ("deferred", enhanced)
        assert peer.messages == []

    def test_an_untrusted_certificate(self, sender, stranger: trustme.CA):
        sender.connector = replace(sender.connector, tls_settings=TlsSettings.CERTIFICATE_VALIDATION)
        with Peer(tls=serving(stranger)) as peer:
            (outcome,) = sender.deliver(peer)
        assert (outcome.status, outcome.reply.enhanced) == ("deferred", "4.7.5")
        assert "issuer is unknown" in outcome.reply.text
        assert peer.messages == []

    @pytest.mark.parametrize(("tls_domain", "fate"), [("", "deferred 4.7.5"), ("mail.example.org", "delivered 2.0.0")])
    def test_the_name_is_the_host_s_or_the_tls_domain(self, sender, ca: trustme.CA, tls_domain: str, fate: str):
        settings = TlsSettings.DOMAIN_VALIDATION
        sender.connector = replace(sender.connector, tls_settings=settings, tls_domain=tls_domain)
        with Peer(tls=serving(ca, "mail.example.org")) as peer:
            (outcome,) = sender.deliver(peer, verifier=Verifier((ca.cert_pem.bytes().decode(),)))
        assert f"{outcome.status} {outcome.reply.enhanced}" == fate


def test_our_certificate_is_shown_where_it_is_asked_for(sender, ca: trustme.CA):
    issued = ca.issue_cert("relay.contoso.com")
    identity = load_pem(issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes())
    context = serving(ca)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    sender.connector = replace(sender.connector, tls_settings=TlsSettings.ENCRYPTION_ONLY)
    with Peer(tls=context) as peer:
        (outcome,) = sender.deliver(peer, client_identity=identity)
    assert outcome.status == "delivered"
    assert ("DNS", "relay.contoso.com") in peer.sessions[0].client_certificate["subjectAltName"]


def test_a_session_whose_tls_the_server_ends_is_over(sender, mail, ca: trustme.CA):
    with Peer(tls=serving(ca), MAIL=[GOOD, CLOSE_NOTIFY, GOOD]) as peer:
        outcomes = sender.deliver(peer, mail(), mail())
    assert [outcome.status for outcome in outcomes] == ["delivered", "delivered"]
    assert [session.commands[-1] for session in peer.sessions] == ["CLOSE_NOTIFY", "QUIT"]


def test_a_server_may_say_goodbye_twice(sender, ca: trustme.CA, caplog: pytest.LogCaptureFixture):
    with Peer(tls=serving(ca), QUIT="221 2.0.0 bye\r\n421 4.3.2 bye") as peer:
        assert sender.deliver(peer)[0].status == "delivered"
    assert caplog.records == []


def test_large_content_over_tls(sender, mail, ca: trustme.CA):
    content = MemoryContent(tuple(b"%06d " % n * 8000 + b"\r\n" for n in range(30)))
    with Peer(tls=serving(ca)) as peer:
        assert sender.deliver(peer, mail(content=content), mail(content=content))[1].status == "delivered"
    assert peer.messages[1].content == b"".join(content.parts)
