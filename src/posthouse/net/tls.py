"""TLS for both sides, STARTTLS and implicit alike: bytes in, bytes out, on pyOpenSSL's memory BIOs.

Python's own `ssl` cannot ask a client for a certificate without breaking the session when it is a bad one, and is tied
to the system's OpenSSL, which may forbid the TLS 1.0 that an old printer speaks.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from OpenSSL import SSL, crypto

from posthouse.mail.address import normalize_domain
from posthouse.mail.text import one_line
from posthouse.net.certificates import CertificateError, Identity
from posthouse.net.verification import NO_CERTIFICATE, SESSION_LIFETIME, ChainUnknownError, Purpose, Verifier
from posthouse.organization.certificate import CertificateVerdict, ValidationStatus, is_named
from posthouse.organization.connectors import TlsSettings

Profile = Literal["modern", "intermediate", "legacy"]

_MINIMUM = {"modern": SSL.TLS1_3_VERSION, "intermediate": SSL.TLS1_2_VERSION, "legacy": SSL.TLS1_VERSION}
_RECORD = 16 * 1024
"""The most plaintext that a TLS record holds (RFC 8446 5.1)."""
_FEED = 8 * 1024
"""How much ciphertext OpenSSL is given at once. Its buffers never shrink, so this bounds what an idle session holds."""

_ADVICE = {
    "wrong version number": "what came is not TLS; is plain SMTP spoken on a TLS port?",
    "http request": "what came is HTTP, not TLS",
    "unsupported protocol": "the other side knows only TLS versions that the tls_profile here forbids",
    "no shared cipher": "the two sides have no cipher in common; an old device may need tls_profile legacy and RSA",
    "alert protocol version": "the other side wants another TLS version; an old one needs the legacy tls_profile",
    "alert handshake failure": "the two sides have no version or cipher in common, or it wants a client certificate",
    "alert certificate required": "the other side demands a client certificate",
    "alert unknown ca": "the other side doesn't trust the issuer of our certificate; was its whole chain given?",
    "alert bad certificate": "the other side refuses our certificate",
    "alert certificate expired": "our certificate has expired",
    "alert certificate unknown": "the other side refuses our certificate",
}
_PROBLEMS = {
    ValidationStatus.EXPIRED: "it has expired",
    ValidationStatus.NOT_YET_VALID: "it is not valid yet",
    ValidationStatus.SELF_SIGNED: "it is self-signed",
    ValidationStatus.UNKNOWN_ISSUER: "its issuer is unknown, or an intermediate is missing from its chain",
    ValidationStatus.INVALID_USAGE: "its extended key usage does not allow it for servers",
}


class TlsError(Exception):
    """A TLS session cannot go on. One line: why. What `data_to_send` still holds is the alert that tells the peer."""


class ServerContext:
    """How we answer: immutable, so that a new certificate or new roots mean a new one and sessions keep theirs.

    A client certificate is requested, never demanded, and even a bad one lets the handshake go on. A session can be
    resumed by a ticket that only this context can read; the internal cache is off, since strangers could fill it.
    """

    purpose = Purpose.CLIENT

    def __init__(self, identity: Identity, profile: Profile, verifier: Verifier) -> None:
        """Raises `CertificateError` for a key that the profile finds too weak."""
        self.verifier = verifier
        self.openssl = _context(SSL.TLS_SERVER_METHOD, identity, profile)
        self.openssl.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, _let_pass)
        self.openssl.set_session_id(b"posthouse")  # without one, OpenSSL cuts off a client that resumes
        self.openssl.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self.openssl.set_timeout(SESSION_LIFETIME)


class ClientContext:
    """How we call: with what certificate, if asked for one, and how far the server's must be right.

    `domain` is a connector's TlsDomain: the name that the server's certificate must have instead of its host name.
    Sessions aren't resumed: a next hop that goes by certificate needs to see the whole chain.
    """

    purpose = Purpose.SERVER

    def __init__(
        self,
        identity: Identity | None,
        profile: Profile,
        verifier: Verifier,
        settings: TlsSettings = TlsSettings.OPPORTUNISTIC,
        domain: str = "",
    ) -> None:
        self.verifier = verifier
        self.settings = settings
        self.domain = domain
        self.openssl = _context(SSL.TLS_CLIENT_METHOD, identity, profile)
        self.openssl.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self.openssl.set_info_callback(_note_progress)


def _context(method: int, identity: Identity | None, profile: Profile) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(_MINIMUM[profile])
    if profile == "legacy":
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")  # TLS 1.0 signs with SHA-1, which is below level 1
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # an idle session holds no record buffers
    if identity is None:
        return context
    try:
        context.use_certificate(identity.certificate)
        context.use_privatekey(identity.key)
    except SSL.Error as error:
        raise CertificateError(f"certificate {identity.subject}: {_reason(error)}; use a stronger key") from None
    for certificate in identity.chain:
        context.add_extra_chain_cert(certificate)
    return context


def _let_pass(*_: object) -> bool:
    return True


@dataclass(slots=True)
class _ClientCertificate:
    """What became of the client's certificate. Not in the session itself, or OpenSSL's object would make a cycle."""

    requested: bool = False
    sent: bool = False


def _note_progress(connection: SSL.Connection, where: int, _: int) -> None:
    """OpenSSL's own words for where a handshake is. CertificateVerify follows only a certificate that isn't empty."""
    if where & SSL.SSL_CB_LOOP:
        state = connection.get_state_string()
        if state.endswith(b"read server certificate request"):
            connection.get_app_data().requested = True
        elif state.endswith(b"write certificate verify"):
            connection.get_app_data().sent = True


class TlsSession:
    """One side of a TLS session. After every call, what `data_to_send` returns is for the wire."""

    __slots__ = (
        "_client_certificate",
        "_connection",
        "_context",
        "_fault",
        "_host",
        "_outgoing",
        "closed",
        "handshake_done",
        "peer_verdict",
    )

    def __init__(self, context: ServerContext | ClientContext, server_hostname: str | None = None) -> None:
        """`server_hostname` is whom a client calls: a host name or an IP address."""
        self._context = context
        self._host = normalize_domain(server_hostname or "")
        self._client_certificate = _ClientCertificate()
        self._outgoing: list[bytes] = []
        self._fault: TlsError | None = None
        self.handshake_done = False
        self.closed = False
        """The peer has said that it sends no more (close_notify)."""
        self.peer_verdict: CertificateVerdict | None = None
        """What the peer's certificate is worth; None before the handshake is done."""
        self._connection = SSL.Connection(context.openssl)
        self._connection.set_app_data(self._client_certificate)
        if isinstance(context, ServerContext):
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
            if self._host and not _is_address(self._host):  # RFC 6066 3: literal addresses are not permitted
                self._connection.set_tlsext_host_name(self._host.encode("ascii", "replace"))

    @property
    def client_certificate_requested(self) -> bool:
        """Client side: the server asked for a certificate."""
        return self._client_certificate.requested

    @property
    def client_certificate_sent(self) -> bool:
        """Client side: we sent ours, and proved that we hold its key."""
        return self._client_certificate.sent

    @property
    def client_certificate_authorities(self) -> tuple[str, ...]:
        """Client side: the issuers that the server named when it asked for one (RFC 8446 4.2.4), as RFC 4514 writes."""
        return tuple(map(_name_text, self._connection.get_client_ca_list()))

    @property
    def peer_certificate(self) -> x509.Certificate | None:
        """None where there is none, or none that can be read."""
        found = self._connection.get_peer_certificate()
        with suppress(ValueError):
            return found and found.to_cryptography()
        return None

    @property
    def description(self) -> str:
        """`TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)`, as `Received` lines have it; empty before."""
        if not self.handshake_done:
            return ""
        bits = self._connection.get_cipher_bits()
        version = self._connection.get_protocol_version_name()
        return f"{version} with cipher {self._connection.get_cipher_name()} ({bits}/{bits} bits)"

    def start(self) -> None:
        """A client speaks first."""
        self._shake_hands()

    def receive(self, ciphertext: bytes) -> bytes:
        """What the peer said in these bytes, which may be nothing yet.

        Raises `TlsError`, but never before all that came whole is handed out: it may be the reply that settles a mail.
        """
        if self._fault:
            raise self._fault
        plaintext: list[bytes] = []
        try:
            with memoryview(ciphertext) as view:
                for start in range(0, len(view), _FEED):
                    self._feed(view[start : start + _FEED], plaintext)
        except TlsError as error:
            self._fault = error
            if not plaintext:
                raise
        return plaintext[0] if len(plaintext) == 1 else b"".join(plaintext)

    def send(self, plaintext: bytes) -> None:
        """Encrypt. Raises `TlsError` before the handshake is done and after `close`."""
        if self._fault:
            raise self._fault
        if not self.handshake_done:
            raise TlsError("nothing can be sent before the TLS handshake is done")
        try:
            with memoryview(plaintext) as view:
                for start in range(0, len(view), _RECORD):
                    self._connection.sendall(view[start : start + _RECORD])
                    self._drain()
        except SSL.Error as error:
            self._fault = TlsError(f"TLS: {_reason(error)}")
            raise self._fault from None

    def data_to_send(self) -> bytes:
        """Takes what is queued for the wire."""
        self._drain()
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    def close(self) -> None:
        """Say that we send no more (close_notify), unless that is said already or can't be said."""
        if self.handshake_done and self._fault is None:
            with suppress(SSL.Error):
                self._connection.shutdown()

    def _feed(self, ciphertext: memoryview, plaintext: list[bytes]) -> None:
        if self.closed:
            return
        self._connection.bio_write(ciphertext)
        if not self.handshake_done:
            self._shake_hands()
        if not self.handshake_done:
            return
        try:
            while True:
                plaintext.append(self._connection.recv(_RECORD))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error as error:
            raise TlsError(f"TLS: {_reason(error)}") from None

    def _shake_hands(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            raise TlsError(f"TLS handshake failed: {_reason(error)}") from None
        self.peer_verdict = self._judge_peer()
        if isinstance(self._context, ClientContext):
            self._require(self._context, self.peer_verdict)
        self.handshake_done = True

    def _judge_peer(self) -> CertificateVerdict:
        leaf = self._connection.get_peer_certificate()
        if leaf is None:
            return NO_CERTIFICATE
        chain = self._connection.get_peer_cert_chain()  # without the leaf on the server's side; None if resumed
        try:
            return self._context.verifier.verify(leaf, chain, self._context.purpose)
        except ChainUnknownError:
            raise TlsError("a TLS session was resumed whose certificate is no longer known; connect anew") from None

    def _require(self, context: ClientContext, verdict: CertificateVerdict) -> None:
        """What TlsSettings demands of the server."""
        if context.settings not in (TlsSettings.CERTIFICATE_VALIDATION, TlsSettings.DOMAIN_VALIDATION):
            return
        if not verdict.is_valid:
            problem = _PROBLEMS.get(verdict.status, "it cannot be verified")
            raise TlsError(f"the certificate '{verdict.subject}' of {self._host} is {verdict.status}: {problem}")
        expected = context.domain or self._host
        if context.settings is TlsSettings.DOMAIN_VALIDATION and not is_named(verdict.names, expected):
            names = ", ".join(verdict.names) or "no DNS name"
            raise TlsError(f"the certificate of {self._host} is for {names}, not for {expected}; see TlsDomain")

    def _drain(self) -> None:
        try:
            while True:
                self._outgoing.append(self._connection.bio_read(2 * _RECORD))
        except SSL.WantReadError:
            return


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _name_text(name: crypto.X509Name) -> str:
    """The most specific part first."""
    parts = reversed(name.get_components())
    return one_line(",".join(f"{key.decode()}={value.decode('utf-8', 'replace')}" for key, value in parts))


def _reason(error: SSL.Error) -> str:
    """OpenSSL's last word, in ours where we can say what to do."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reason = str(queue[-1][-1]) if queue else str(error)
    return next((advice for words, advice in _ADVICE.items() if reason.endswith(words)), reason or "unknown error")
