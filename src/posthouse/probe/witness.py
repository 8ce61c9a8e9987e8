"""What a TLS handshake showed: the server's certificate, and what it wanted to know of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from OpenSSL import SSL, crypto

from posthouse.net.tls import ClientContext
from posthouse.organization.certificate import CertificateVerdict, ValidationStatus, name_matches
from posthouse.probe.options import is_address
from posthouse.smtp.replies import printable

_NAMES_TOLD: Final = 10


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """The server's certificate, judged by its chain, and by the host's name where that is not an address."""

    status: ValidationStatus
    subject: str = ""
    names: tuple[str, ...] = ()
    issuer: str = ""
    expires: datetime | None = None

    @property
    def is_valid(self) -> bool:
        return self.status is ValidationStatus.VALID

    def __str__(self) -> str:
        names = f" for {in_short(self.names)}" if self.names else ""
        expiry = f", expires {self.expires:%Y-%m-%d}" if self.expires else ""
        return f"'{self.subject}'{names}, issued by '{self.issuer}'{expiry}: {self.status}"


class Witness:
    """Watches the handshakes of a context. It lets everything pass, as a context does that has no witness."""

    def __init__(self, context: ClientContext) -> None:
        self._connection: SSL.Connection | None = None
        self._leaf: crypto.X509 | None = None
        context.openssl.set_verify(SSL.VERIFY_PEER, self._see)

    def _see(self, connection: SSL.Connection, certificate: crypto.X509, _error: int, depth: int, _ok: int) -> bool:
        self._connection = connection
        if depth == 0:
            self._leaf = certificate
        return True

    @property
    def authorities(self) -> tuple[str, ...]:
        """The issuers that the server named when it asked for a client certificate (RFC 8446 4.2.4)."""
        found = self._connection.get_client_ca_list() if self._connection else []
        return tuple(_text(name) for name in found)

    def certificate(self, verdict: CertificateVerdict | None, host: str) -> ServerCertificate | None:
        """The server's, of which the verifier thinks `verdict`. None where the handshake didn't come so far."""
        if verdict is None or self._leaf is None:
            return None
        status = verdict.status
        if verdict.is_valid and not is_address(host) and not any(name_matches(name, host) for name in verdict.names):
            status = ValidationStatus.NAME_MISMATCH
        try:
            leaf = self._leaf.to_cryptography()
            issuer, expires = leaf.issuer.rfc4514_string(), leaf.not_valid_after_utc
        except ValueError:  # broken, which the verdict says too
            issuer, expires = "", None
        return ServerCertificate(status, printable(verdict.subject.encode()), verdict.names, issuer, expires)


def in_short(names: tuple[str, ...], separator: str = ", ") -> str:
    more = len(names) - _NAMES_TOLD
    return separator.join(names[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def _text(name: crypto.X509Name) -> str:
    """As RFC 4514 writes it, the most specific part first."""
    parts = reversed(name.get_components())
    return ",".join(f"{printable(key)}={printable(value)}" for key, value in parts)
