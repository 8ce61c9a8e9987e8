"""Two ends of a TLS session in memory: our `TlsSession`, and Python's own `ssl` behind the same few methods."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtensionOID, NameOID
from OpenSSL import SSL

from posthouse.net.certificates import Identity, load_pem
from posthouse.net.tls import ClientContext, TlsSession
from posthouse.net.verification import Verifier

VERSIONS = {
    "TLSv1": SSL.TLS1_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.3": SSL.TLS1_3_VERSION,
}


class Peer(Protocol):
    @property
    def handshake_done(self) -> bool: ...
    def start(self) -> None: ...
    def receive(self, ciphertext: bytes) -> bytes: ...
    def send(self, plaintext: bytes) -> None: ...
    def data_to_send(self) -> bytes: ...


class PythonTls:
    """A side that Python's `ssl` plays."""

    def __init__(self, context: ssl.SSLContext, hostname: str | None = None, session: ssl.SSLSession | None = None):
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server_side = context.protocol == ssl.PROTOCOL_TLS_SERVER
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side, hostname, session)
        self.handshake_done = False

    def start(self) -> None:
        self.receive(b"")

    def receive(self, ciphertext: bytes) -> bytes:
        self._incoming.write(ciphertext)
        plaintext = b""
        try:
            if not self.handshake_done:
                self.tls.do_handshake()
                self.handshake_done = True
            while chunk := self.tls.read(16384):
                plaintext += chunk
        except ssl.SSLWantReadError:
            pass
        return plaintext

    def send(self, plaintext: bytes) -> None:
        while plaintext:
            plaintext = plaintext[self.tls.write(plaintext) :]

    def data_to_send(self) -> bytes:
        return self._outgoing.read()


def shake_hands(client: Peer, server: Peer) -> None:
    """Carry bytes to and fro until neither side has more to say. What a side raises comes through."""
    client.start()
    while flight := client.data_to_send():
        server.receive(flight)
        client.receive(server.data_to_send())
    assert client.handshake_done
    assert server.handshake_done


def identity_of(leaf: trustme.LeafCert) -> Identity:
    """With the whole chain that trustme made for it."""
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    return load_pem(chain, leaf.private_key_pem.bytes())


def leaf_of(leaf: trustme.LeafCert) -> Identity:
    """Without its intermediates, as a server that was badly set up."""
    return load_pem(leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())


def pem_of(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def issue(
    authority: trustme.CA,
    *,
    names: list[str] | None = None,
    usages: list[x509.ObjectIdentifier] | None = None,
    san: bytes | None = None,
    issuer: Identity | None = None,
) -> Identity:
    """What trustme doesn't make: a chosen extended key usage, no SAN or one that cannot be read, a leaf's leaf."""
    issuer = issuer or load_pem(authority.cert_pem.bytes(), authority.private_key_pem.bytes())
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Device.contoso.test")]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
    if san:
        broken = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, san)
        builder = builder.add_extension(broken, False)
    return Identity(builder.sign(issuer.key, hashes.SHA256()), (), key)


def load_into(context: ssl.SSLContext, identity: Identity, folder: Path) -> None:
    """Python's `ssl` reads certificates from files only."""
    file = folder / "identity.pem"
    links = [link.public_bytes(Encoding.PEM) for link in (identity.certificate, *identity.chain)]
    file.write_bytes(identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + b"".join(links))
    context.load_cert_chain(file)


def client_of(version: str, verifier: Verifier) -> TlsSession:
    """A client that knows no more than this version."""
    context = ClientContext(None, "legacy", verifier)
    context.openssl.set_max_proto_version(VERSIONS[version])
    return TlsSession(context, "relay.contoso.test")


def carry(source: TlsSession, target: TlsSession, plaintext: bytes) -> bytes:
    """What arrives."""
    source.send(plaintext)
    return target.receive(source.data_to_send())
