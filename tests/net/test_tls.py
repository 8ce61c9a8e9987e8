"""TLS sessions: our two sides with each other, and each with Python's `ssl`."""

from __future__ import annotations

import gc
import ssl
import tracemalloc
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from net.tls_peers import PythonTls, identity_of, issue, leaf_of, load_into, pem_of, shake_hands
from posthouse.net.certificates import CertificateError, Identity, self_signed
from posthouse.net.tls import ClientContext, Profile, ServerContext, TlsError, TlsSession
from posthouse.net.verification import Verifier
from posthouse.organization.certificate import CertificateVerdict, ValidationStatus
from posthouse.organization.connectors import TlsSettings

HOST = "relay.contoso.test"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def server_context(server_identity: Identity, verifier: Verifier) -> ServerContext:
    return ServerContext(server_identity, "intermediate", verifier)


@pytest.fixture
def client_context(verifier: Verifier) -> ClientContext:
    return ClientContext(None, "intermediate", verifier)


@pytest.fixture
def python_client(authority: trustme.CA) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=pem_of(authority))


@pytest.fixture
def pair(server_context: ServerContext, client_context: ClientContext) -> tuple[TlsSession, TlsSession]:
    client, server = TlsSession(client_context, HOST), TlsSession(server_context)
    shake_hands(client, server)
    return client, server


def verdict_on(server_context: ServerContext, identity: Identity | None) -> CertificateVerdict:
    """What a server of ours finds a client's certificate to be."""
    server = TlsSession(server_context)
    shake_hands(TlsSession(ClientContext(identity, "intermediate", server_context.verifier), HOST), server)
    assert server.peer_verdict
    return server.peer_verdict


def carry(source: TlsSession, target: TlsSession, plaintext: bytes) -> bytes:
    source.send(plaintext)
    return target.receive(source.data_to_send())


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


# Profiles

FUZZED_SERVER = ServerContext(self_signed(HOST), "legacy", Verifier())
FUZZED_CLIENT = ClientContext(self_signed(HOST), "legacy", Verifier())
VERSIONS = {
    "TLSv1": SSL.TLS1_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.3": SSL.TLS1_3_VERSION,
}


def client_of(version: str, verifier: Verifier) -> TlsSession:
    """A client that knows no more than this version."""
    context = ClientContext(None, "legacy", verifier)
    context.openssl.set_max_proto_version(VERSIONS[version])
    return TlsSession(context, HOST)


@pytest.mark.parametrize(
    ("profile", "version"),
    [
        ("modern", "TLSv1.3"),
        ("intermediate", "TLSv1.2"),
        ("intermediate", "TLSv1.3"),
        ("legacy", "TLSv1"),
        ("legacy", "TLSv1.1"),
        ("legacy", "TLSv1.2"),
        ("legacy", "TLSv1.3"),
    ],
)
@pytest.mark.parametrize("rsa_key", [False, True])
def test_a_profile_speaks_its_versions(verifier: Verifier, profile: Profile, version: str, rsa_key: bool) -> None:
    client = client_of(version, verifier)
    server = TlsSession(ServerContext(self_signed(HOST, rsa_key=rsa_key), profile, verifier))
    shake_hands(client, server)
    assert server.description.startswith(f"{version} with cipher ")
    assert carry(client, server, b"EHLO printer\r\n") == b"EHLO printer\r\n"


@pytest.mark.parametrize(
    ("profile", "version"), [("modern", "TLSv1.2"), ("intermediate", "TLSv1.1"), ("intermediate", "TLSv1")]
)
def test_a_profile_refuses_older_versions(
    server_identity: Identity, verifier: Verifier, profile: Profile, version: str
) -> None:
    client, server = client_of(version, verifier), TlsSession(ServerContext(server_identity, profile, verifier))
    client.start()
    with pytest.raises(TlsError, match="only TLS versions that the tls_profile here forbids"):
        server.receive(client.data_to_send())
    with pytest.raises(TlsError, match="the other side wants another TLS version"):
        client.receive(server.data_to_send())


def test_an_old_printer_without_elliptic_curves(verifier: Verifier) -> None:
    context = ClientContext(None, "legacy", verifier)
    context.openssl.set_max_proto_version(SSL.TLS1_VERSION)
    context.openssl.set_cipher_list(b"AES128-SHA:@SECLEVEL=0")
    server = TlsSession(ServerContext(self_signed(HOST, rsa_key=True), "legacy", verifier))
    shake_hands(TlsSession(context, HOST), server)
    assert server.description == "TLSv1 with cipher AES128-SHA (128/128 bits)"


# A client's certificate: requested, never demanded, and a bad one breaks nothing

Issuer = Callable[[trustme.CA, trustme.CA], Identity | None]
CLIENTS: dict[str, tuple[Issuer, ValidationStatus]] = {
    "none": (lambda own, other: None, ValidationStatus.EMPTY_CERTIFICATE),
    "valid": (lambda own, other: identity_of(own.issue_cert("a.test")), ValidationStatus.VALID),
    "wildcard": (lambda own, other: identity_of(own.issue_cert("*.contoso.test")), ValidationStatus.VALID),
    "intermediate": (
        lambda own, other: identity_of(own.create_child_ca().create_child_ca().issue_cert("a.test")),
        ValidationStatus.VALID,
    ),
    "missing intermediate": (
        lambda own, other: leaf_of(own.create_child_ca().issue_cert("a.test")),
        ValidationStatus.UNKNOWN_ISSUER,
    ),
    "unknown issuer": (lambda own, other: identity_of(other.issue_cert("a.test")), ValidationStatus.UNKNOWN_ISSUER),
    "self-signed": (lambda own, other: self_signed("a.test"), ValidationStatus.SELF_SIGNED),
    "serverAuth only": (
        lambda own, other: issue(own, names=["a.test"], usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
        ValidationStatus.VALID,
    ),
    "other usage": (
        lambda own, other: issue(own, names=["a.test"], usages=[ExtendedKeyUsageOID.EMAIL_PROTECTION]),
        ValidationStatus.INVALID_USAGE,
    ),
    "expired": (
        lambda own, other: identity_of(own.issue_cert("a.test", not_before=NOW - 2 * DAY, not_after=NOW - DAY)),
        ValidationStatus.EXPIRED,
    ),
    "not yet valid": (
        lambda own, other: identity_of(own.issue_cert("a.test", not_before=NOW + DAY, not_after=NOW + 2 * DAY)),
        ValidationStatus.NOT_YET_VALID,
    ),
    "unreadable": (lambda own, other: issue(own, san=b"\x04\x03abc"), ValidationStatus.INVALID),
}


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


# How far a server's certificate must be right


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


# Resumption


def resume(client: PythonTls, context: ssl.SSLContext, server_context: ServerContext) -> tuple[PythonTls, TlsSession]:
    again, server = PythonTls(context, HOST, client.tls.session), TlsSession(server_context)
    shake_hands(again, server)
    return again, server


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLSv1.2", "TLSv1.3"])
def resuming_client(request: pytest.FixtureRequest, python_client: ssl.SSLContext) -> ssl.SSLContext:
    python_client.maximum_version = request.param
    return python_client


def test_a_session_without_certificate_is_resumed(
    server_context: ServerContext, resuming_client: ssl.SSLContext
) -> None:
    first = PythonTls(resuming_client, HOST)
    shake_hands(first, TlsSession(server_context))
    again, server = resume(first, resuming_client, server_context)
    assert again.tls.session_reused
    assert server.peer_verdict == CertificateVerdict(ValidationStatus.EMPTY_CERTIFICATE)


@pytest.mark.parametrize("case", ["valid", "intermediate", "missing intermediate", "unknown issuer", "self-signed"])
def test_a_resumed_session_keeps_its_verdict(
    server_context: ServerContext,
    resuming_client: ssl.SSLContext,
    authority: trustme.CA,
    stranger: trustme.CA,
    case: str,
    tmp_path: Path,
) -> None:
    make, status = CLIENTS[case]
    identity = make(authority, stranger)
    assert identity
    load_into(resuming_client, identity, tmp_path)
    first, server = PythonTls(resuming_client, HOST), TlsSession(server_context)
    shake_hands(first, server)
    again, resumed = resume(first, resuming_client, server_context)
    assert again.tls.session_reused
    assert resumed.peer_verdict == server.peer_verdict
    assert resumed.peer_verdict
    assert resumed.peer_verdict.status is status


def test_a_session_is_not_resumed_after_the_roots_changed(
    server_identity: Identity, verifier: Verifier, resuming_client: ssl.SSLContext, authority: trustme.CA
) -> None:
    """New roots come with a new context, which cannot read the old one's tickets."""
    authority.issue_cert("a.test").configure_cert(resuming_client)
    first = PythonTls(resuming_client, HOST)
    shake_hands(first, TlsSession(ServerContext(server_identity, "intermediate", verifier)))
    again, server = resume(first, resuming_client, ServerContext(server_identity, "intermediate", Verifier()))
    assert not again.tls.session_reused
    assert server.peer_verdict
    assert server.peer_verdict.status is ValidationStatus.UNKNOWN_ISSUER


def test_a_resumed_session_whose_verdict_was_lost_goes_no_further(
    server_context: ServerContext, resuming_client: ssl.SSLContext, intermediate: trustme.CA
) -> None:
    intermediate.issue_cert("a.test").configure_cert(resuming_client)
    first = PythonTls(resuming_client, HOST)
    shake_hands(first, TlsSession(server_context))
    server_context.verifier._known.clear()
    with pytest.raises(TlsError, match="connect anew"):
        resume(first, resuming_client, server_context)
