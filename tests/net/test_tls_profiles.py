"""Which versions of TLS a profile speaks."""

from __future__ import annotations

import pytest
from OpenSSL import SSL

from net.tls_peers import carry, client_of, shake_hands
from posthouse.net.certificates import Identity, self_signed
from posthouse.net.tls import ClientContext, Profile, ServerContext, TlsError, TlsSession
from posthouse.net.verification import Verifier

HOST = "relay.contoso.test"


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
