"""TLS sessions: our two sides with each other, and each with Python's `ssl`."""

from __future__ import annotations

import gc
import ssl
import tracemalloc
import weakref
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from net.tls_clients import CLIENTS
from net.tls_peers import VERSIONS, PythonTls, carry, client_of, identity_of, pem_of, shake_hands
from posthouse.net.certificates import CertificateError, Identity, self_signed
from posthouse.net.tls import ClientContext, ServerContext, TlsError, TlsSession
from posthouse.net.verification import Verifier
from posthouse.organization.certificate import CertificateVerdict

HOST = "relay.contoso.test"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


FUZZED_SERVER = ServerContext(self_signed(HOST), "legacy", Verifier())
FUZZED_CLIENT = ClientContext(self_signed(HOST), "legacy", Verifier())


def verdict_on(server_context: ServerContext, identity: Identity | None) -> CertificateVerdict:
    """What a server of ours finds a client's certificate to be."""
    server = TlsSession(server_context)
    shake_hands(TlsSession(ClientContext(identity, "intermediate", server_context.verifier), HOST), server)
    assert server.peer_verdict
    return server.peer_verdict


# A session's life


def test_both_ways(pair: tuple[TlsSession, TlsSession]) -> None:
    client, server = pair
    assert carry(client, server, b"EHLO device\r\n") == b"EHLO device\r\n"
    assert carry(server, client, b"250 relay\r\n") == b"250 relay\r\n"


def test_the_handshake_says_what_was_agreed(pair: tuple[TlsSession, TlsSession]) -> None:
    client, server = pair
    assert server.description == client.description == "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"


def test_before_the_handshake_nothing_is_known_and_nothing_sent(server_context: ServerContext) -> None:
    server = TlsSession(server_context)
    assert (server.handshake_done, server.description, server.peer_verdict) == (False, "", None)
    with pytest.raises(TlsError, match="before the TLS handshake is done"):
        server.send(b"220 relay\r\n")


def test_records_may_come_byte_by_byte(server_context: ServerContext, client_context: ClientContext) -> None:
    client, server = TlsSession(client_context, HOST), TlsSession(server_context)
    client.start()
    received = b""
    while flight := client.data_to_send():
        for byte in flight:
            received += server.receive(bytes([byte]))
        client.receive(server.data_to_send())
    client.send(b"EHLO device\r\n")
    for byte in client.data_to_send():
        received += server.receive(bytes([byte]))
    assert received == b"EHLO device\r\n"


def test_what_follows_the_handshake_in_one_flight_is_read(
    server_context: ServerContext, client_context: ClientContext
) -> None:
    client, server = TlsSession(client_context, HOST), TlsSession(server_context)
    client.start()
    server.receive(client.data_to_send())
    client.receive(server.data_to_send())
    client.send(b"EHLO device\r\n")
    assert server.receive(client.data_to_send()) == b"EHLO device\r\n"


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 1 << 20])
def test_any_size_arrives_whole(pair: tuple[TlsSession, TlsSession], size: int) -> None:
    client, server = pair
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert carry(client, server, content) == content


def test_a_closed_side_is_seen_and_what_comes_after_is_not(pair: tuple[TlsSession, TlsSession]) -> None:
    client, server = pair
    client.send(b"QUIT\r\n")
    client.close()
    assert not server.closed
    assert server.receive(client.data_to_send()) == b"QUIT\r\n"
    assert server.closed
    assert server.receive(b"anything") == b""


def test_the_other_side_may_still_answer_after_a_close(pair: tuple[TlsSession, TlsSession]) -> None:
    client, server = pair
    client.close()
    server.receive(client.data_to_send())
    assert carry(server, client, b"221 bye\r\n") == b"221 bye\r\n"
    server.close()
    client.receive(server.data_to_send())
    assert client.closed


def test_nothing_is_sent_after_a_close(pair: tuple[TlsSession, TlsSession]) -> None:
    client, _ = pair
    client.close()
    with pytest.raises(TlsError, match=r"^TLS: "):
        client.send(b"NOOP\r\n")


def test_closing_once_more_says_nothing_more(pair: tuple[TlsSession, TlsSession]) -> None:
    client, _ = pair
    client.close()
    assert client.data_to_send()
    client.close()
    assert client.data_to_send() == b""


def test_closing_before_the_handshake_is_no_error(server_context: ServerContext) -> None:
    server = TlsSession(server_context)
    server.close()
    assert server.data_to_send() == b""


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"EHLO device\r\n", "what came is not TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", "what came is HTTP"),
        (b"\x16\x03\x01\x00\x05hello", "TLS handshake failed: "),
        (b"\x00" * 64, "TLS handshake failed: "),
        (b"\xff" * 100_000, "TLS handshake failed: "),
    ],
)
def test_garbage_instead_of_a_handshake(server_context: ServerContext, garbage: bytes, reason: str) -> None:
    server = TlsSession(server_context)
    with pytest.raises(TlsError, match=reason):
        server.receive(garbage)
    assert server.data_to_send()[:1] in (b"\x15", b"")  # an alert, where OpenSSL finds one due
    with pytest.raises(TlsError):
        server.receive(b"more")


def test_plain_text_from_a_server(client_context: ClientContext) -> None:
    client = TlsSession(client_context, HOST)
    client.start()
    with pytest.raises(TlsError, match="what came is not TLS"):
        client.receive(b"220 mail.contoso.test ESMTP\r\n")


def test_garbage_after_a_record_does_not_lose_it(pair: tuple[TlsSession, TlsSession]) -> None:
    """A reply that came whole settles a mail, whatever happens to the session next."""
    client, server = pair
    server.send(b"250 taken\r\n")
    assert client.receive(server.data_to_send() + b"\x17\x03\x03\x00\x20" + b"x" * 32) == b"250 taken\r\n"
    with pytest.raises(TlsError):
        client.receive(b"")
    with pytest.raises(TlsError):
        client.send(b"QUIT\r\n")


def test_a_peers_alert_is_told(server_context: ServerContext, stranger: trustme.CA) -> None:
    """Python's client doesn't trust our issuer, and says so."""
    client = PythonTls(ssl.create_default_context(cadata=pem_of(stranger)), HOST)
    server = TlsSession(server_context)
    client.start()
    server.receive(client.data_to_send())
    with pytest.raises(ssl.SSLCertVerificationError):
        client.receive(server.data_to_send())
    with pytest.raises(TlsError, match="doesn't trust the issuer of our certificate"):
        server.receive(client.data_to_send())


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_server_that_demands_a_certificate_is_understood(
    authority: trustme.CA, verifier: Verifier, version: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    client, server = client_of(version, verifier), PythonTls(context)
    client.start()
    server.receive(client.data_to_send())
    client.receive(server.data_to_send())
    with pytest.raises(ssl.SSLError):
        server.receive(client.data_to_send())
    with pytest.raises(TlsError, match="certificate"):
        client.receive(server.data_to_send())
    assert client.client_certificate_requested


def test_a_session_is_freed_as_soon_as_it_is_let_go(server_context: ServerContext, verifier: Verifier) -> None:
    """Not by the garbage collector: OpenSSL's memory doesn't count as garbage for it."""
    client, server = TlsSession(ClientContext(None, "intermediate", verifier), HOST), TlsSession(server_context)
    shake_hands(client, server)
    connections = [weakref.ref(client._connection), weakref.ref(server._connection)]
    gc.disable()
    try:
        del client, server
        assert [connection() for connection in connections] == [None, None]
    finally:
        gc.enable()


@given(st.binary(max_size=200), st.integers(0, 1500), st.integers(0, 3))
def test_whatever_comes_a_session_fails_by_its_own_error(garbage: bytes, position: int, flights: int) -> None:
    """A handshake into which garbage is written somewhere: TlsError or nothing."""
    client, server = TlsSession(FUZZED_CLIENT, HOST), TlsSession(FUZZED_SERVER)
    client.start()
    with suppress(TlsError):
        for flight in range(4):
            data = client.data_to_send()
            if flight == flights:
                data = data[:position] + garbage + data[position + len(garbage) :]
            server.receive(data)
            client.receive(server.data_to_send())


def test_an_idle_session_keeps_no_content(pair: tuple[TlsSession, TlsSession]) -> None:
    client, server = pair
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        carry(client, server, bytes(4 << 20))
        assert tracemalloc.get_traced_memory()[0] - before < 64 << 10
    finally:
        tracemalloc.stop()


# A client's certificate: requested, never demanded, and a bad one breaks nothing


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("case", CLIENTS)
def test_a_client_certificate_is_judged_and_breaks_nothing(
    server_identity: Identity,
    verifier: Verifier,
    authority: trustme.CA,
    stranger: trustme.CA,
    case: str,
    version: str,
) -> None:
    make, status = CLIENTS[case]
    identity = make(authority, stranger)
    context = ClientContext(identity, "legacy", verifier)
    context.openssl.set_max_proto_version(VERSIONS[version])
    client, server = TlsSession(context, HOST), TlsSession(ServerContext(server_identity, "legacy", verifier))
    shake_hands(client, server)
    assert server.peer_verdict
    assert server.peer_verdict.status is status
    assert carry(client, server, b"EHLO device\r\n") == b"EHLO device\r\n"


def test_the_names_of_a_client_are_told(server_context: ServerContext, authority: trustme.CA) -> None:
    identity = identity_of(authority.issue_cert("relay.contoso.test", "*.contoso.test"))
    assert verdict_on(server_context, identity).names == ("relay.contoso.test", "*.contoso.test")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_client_knows_whether_its_certificate_was_wanted(
    server_context: ServerContext, authority: trustme.CA, verifier: Verifier, version: str
) -> None:
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(asking)
    authority.configure_trust(asking)
    silent = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(silent)
    asking.verify_mode = ssl.CERT_OPTIONAL
    for context, identity, expected in [
        (asking, identity_of(authority.issue_cert("a.test")), (True, True)),
        (asking, None, (True, False)),
        (silent, identity_of(authority.issue_cert("a.test")), (False, False)),
    ]:
        client_context = ClientContext(identity, "intermediate", verifier)
        client_context.openssl.set_max_proto_version(VERSIONS[version])
        client = TlsSession(client_context, HOST)
        shake_hands(client, PythonTls(context))
        assert (client.client_certificate_requested, client.client_certificate_sent) == expected


def test_a_client_sends_its_whole_chain(authority: trustme.CA, verifier: Verifier) -> None:
    """Python's server, which knows only the root, verifies it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    identity = identity_of(authority.create_child_ca().create_child_ca().issue_cert("a.test"))
    server = PythonTls(context)
    shake_hands(TlsSession(ClientContext(identity, "intermediate", verifier), HOST), server)
    certificate = server.tls.getpeercert()
    assert certificate
    assert certificate["subjectAltName"] == (("DNS", "a.test"),)


def test_a_weak_key_is_refused_before_any_session(verifier: Verifier) -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + DAY)
    weak = Identity(certificate.sign(key, SHA256()), (), key)
    with pytest.raises(CertificateError, match="use a stronger key"):
        ServerContext(weak, "intermediate", verifier)
    ServerContext(weak, "legacy", verifier)


# Python's ssl as the other side


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_pythons_client(
    server_context: ServerContext, python_client: ssl.SSLContext, authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    python_client.maximum_version = version
    authority.create_child_ca().issue_cert("a.test").configure_cert(python_client)
    client, server = PythonTls(python_client, HOST), TlsSession(server_context)
    shake_hands(client, server)
    assert server.peer_verdict
    assert server.peer_verdict.names == ("a.test",)
    content = b"content " * 20_000
    client.send(content)
    assert server.receive(client.data_to_send()) == content
    server.send(content)
    assert client.receive(server.data_to_send()) == content


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_pythons_server(client_context: ClientContext, authority: trustme.CA, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    authority.issue_cert(HOST).configure_cert(context)
    client, server = TlsSession(client_context, HOST), PythonTls(context)
    shake_hands(client, server)
    assert client.peer_verdict
    assert client.peer_verdict.is_valid
    client.send(b"EHLO relay\r\n")
    assert server.receive(client.data_to_send()) == b"EHLO relay\r\n"
