"""What the test sender tells of certificates, the server's and its own."""

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
import trustme
from cryptography import x509

from net.tls_peers import PythonTls, identity_of, pem_of, shake_hands
from posthouse.net.certificates import Authority
from posthouse.net.tls import ClientContext, TlsSession
from posthouse.net.verification import Verifier
from posthouse.organization.certificate import ValidationStatus
from posthouse.probe.send import SendOptions, SendResult, ServerCertificate, send
from support.peers import Peer

BOB = "bob@example.net"


def context(
    authority: trustme.CA, *names: str, asks: ssl.VerifyMode = ssl.CERT_NONE, expires: datetime | None = None
) -> ssl.SSLContext:
    """A server's, which asks for client certificates of the same authority, by its name if it asks."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=expires).configure_cert(made)
    authority.configure_trust(made)
    made.verify_mode = asks
    return made


def sent(tls: ssl.SSLContext, **options: Any) -> SendResult:
    with Peer(tls=tls) as peer:
        defaults = {"server": "localhost", "port": peer.port, "sender": "app@contoso.com", "recipients": [BOB]}
        return send(SendOptions(**defaults | {"tls": "starttls"} | options))


def remarks(result: SendResult) -> list[str]:
    return [line.text for line in result.dialogue if line.speaker == "*"]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("names", "expires", "trusted", "status"),
    [
        (["localhost"], None, True, ValidationStatus.VALID),
        (["localhost"], None, False, ValidationStatus.UNKNOWN_ISSUER),
        (["mx.example.net", "*.example.net"], None, True, ValidationStatus.NAME_MISMATCH),
        (["localhost"], YESTERDAY, True, ValidationStatus.EXPIRED),
    ],
)
def test_the_servers_certificate_is_shown_and_judged(
    ca: trustme.CA, names: list[str], expires: datetime | None, trusted: bool, status: ValidationStatus
) -> None:
    result = sent(context(ca, *names, expires=expires), trusted_roots=[pem_of(ca)] if trusted else [])
    assert result.accepted  # judged, but never a reason to stop
    certificate = result.server_certificate
    assert certificate
    assert (certificate.status, certificate.is_valid) == (status, status is ValidationStatus.VALID)
    assert sorted(certificate.names) == sorted(names)
    assert certificate.issuer == x509.load_pem_x509_certificate(ca.cert_pem.bytes()).subject.rfc4514_string()
    assert certificate.expires
    assert (certificate.expires < datetime.now(UTC)) == (expires is not None)
    (told,) = [remark for remark in remarks(result) if remark.startswith("the server's certificate: ")]
    assert told.endswith(f"expires {certificate.expires:%Y-%m-%d}: {status}")
    assert result.to_json()["server_certificate"]["expires"] == certificate.expires.isoformat()
    assert result.tls.startswith("TLSv1.3 with cipher ")


def test_an_address_has_no_name_to_compare(ca: trustme.CA) -> None:
    result = sent(context(ca, "localhost"), server="127.0.0.1", trusted_roots=[pem_of(ca)])
    assert result.server_certificate
    assert result.server_certificate.is_valid


def test_a_certificate_that_is_not_asked_for_is_not_sent(ca: trustme.CA) -> None:
    result = sent(context(ca, "localhost"), identity=identity_of(ca.issue_cert("app.contoso.com")))
    assert result.accepted
    assert "the server did not ask for a client certificate, so ours was not sent" in remarks(result)
    assert (result.client_certificate_requested, result.client_certificate_sent) == (False, False)
    assert result.client_certificate == ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_is_asked_for_is_sent(ca: trustme.CA, version: ssl.TLSVersion) -> None:
    asking = context(ca, "localhost", asks=ssl.CERT_REQUIRED)
    asking.maximum_version = version
    identity = identity_of(ca.issue_cert("app.contoso.com"))
    result = sent(asking, identity=identity)
    assert result.accepted
    assert (result.client_certificate_requested, result.client_certificate_sent) == (True, True)
    assert result.client_certificate == identity.subject
    assert f"the server asked for a client certificate; sent: '{identity.subject}'" in remarks(result)


def test_the_issuers_that_the_server_names_are_told(make_server: Callable[..., Any], authority: Authority) -> None:
    issuers = (authority, Authority.create("Other CA"))
    server = make_server(identity=authority.issue(["mx.example.net"]), implicit=True, issuers=issuers)
    result = server.sent(tls="implicit", identity=authority.issue(["app.contoso.com"]))
    assert result.accepted
    assert result.client_certificate_authorities == ("CN=Test CA", "CN=Other CA")
    asked = "the server asked for a client certificate issued by CN=Test CA or CN=Other CA"
    assert f"{asked}; sent: 'CN=app.contoso.com'" in remarks(result)


def test_one_that_is_asked_for_and_not_there(ca: trustme.CA) -> None:
    result = sent(context(ca, "localhost", asks=ssl.CERT_OPTIONAL))
    assert result.accepted
    assert "the server asked for a client certificate; none was sent" in remarks(result)
    assert (result.client_certificate_requested, result.client_certificate_sent) == (True, False)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_one_that_is_demanded_and_not_there_ends_it_with_the_reason(ca: trustme.CA, version: ssl.TLSVersion) -> None:
    demanding = context(ca, "localhost", asks=ssl.CERT_REQUIRED)
    demanding.maximum_version = version
    result = sent(demanding)
    assert result.error
    assert "client certificate" in result.error or "the other side demands" in result.error
    assert result.client_certificate_requested
    assert not result.client_certificate_sent


def test_one_that_the_server_does_not_trust_ends_it_with_the_reason(ca: trustme.CA) -> None:
    stranger = identity_of(trustme.CA().issue_cert("app.contoso.com"))
    result = sent(context(ca, "localhost", asks=ssl.CERT_REQUIRED), identity=stranger)
    assert result.error
    assert "the other side doesn't trust the issuer of our certificate" in result.error
    assert result.client_certificate_sent
    assert result.client_certificate == stranger.subject


def test_a_greeting_right_behind_the_end_of_the_handshake_is_heard(ca: trustme.CA) -> None:
    """In TLS 1.2 the server has the last word of the handshake, and may greet in the same packet."""
    tls = context(ca, "localhost")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        server = PythonTls(tls)
        with client:
            while not server.handshake_done:
                server.receive(client.recv(65536))
                if server.handshake_done:
                    server.send(b"421 4.3.2 busy\r\n")
                client.sendall(server.data_to_send())
            client.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Thread(target=serve, args=(listener,))
        serving.start()
        port = listener.getsockname()[1]
        options = {"server": "127.0.0.1", "port": port, "sender": "app@contoso.com", "recipients": [BOB]}
        result = send(SendOptions(**options, tls="implicit", timeout=2))
        serving.join()
    assert result.error == "421 4.3.2 busy"


def test_what_the_servers_certificate_says_cannot_steer_a_terminal(make_server: Callable[..., Any]) -> None:
    hostile = Authority.create("\x1b[2J\nC: QUIT")
    server = make_server(identity=hostile.issue(["mx.example.net", "\x1b[31m"]), implicit=True, issuers=[hostile])
    result = server.sent(tls="implicit")
    assert result.server_certificate
    assert result.server_certificate.issuer == "CN= [2J C: QUIT"
    assert result.client_certificate_authorities == ("CN= [2J C: QUIT",)
    assert all(line.text.isprintable() for line in result.dialogue)


def test_the_name_of_a_host_may_be_written_in_any_alphabet(ca: trustme.CA) -> None:
    session = TlsSession(ClientContext(None, "intermediate", Verifier([pem_of(ca)])), "bücher.example")
    shake_hands(session, PythonTls(context(ca, "xn--bcher-kva.example")))
    shown = ServerCertificate.shown_in(session, "Bücher.example")
    assert shown
    assert shown.is_valid
