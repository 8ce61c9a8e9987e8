"""The server's certificate, as a TLS handshake showed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from posthouse.mail.address import normalize_domain
from posthouse.mail.text import one_line
from posthouse.net.tls import TlsSession
from posthouse.organization.certificate import ValidationStatus, is_named
from posthouse.probe.options import is_address

_NAMES_TOLD: Final = 10


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Judged by its chain, and by the host's name where that is not an address."""

    status: ValidationStatus
    subject: str = ""
    names: tuple[str, ...] = ()
    issuer: str = ""
    expires: datetime | None = None

    @classmethod
    def shown_in(cls, session: TlsSession, host: str) -> ServerCertificate | None:
        """None where the handshake didn't come so far."""
        verdict, leaf = session.peer_verdict, session.peer_certificate
        if verdict is None:
            return None
        status = verdict.status
        if verdict.is_valid and not is_address(host) and not is_named(verdict.names, normalize_domain(host)):
            status = ValidationStatus.NAME_MISMATCH
        names = tuple(map(one_line, verdict.names))
        issuer, expires = (leaf.issuer.rfc4514_string(), leaf.not_valid_after_utc) if leaf else ("", None)
        return cls(status, one_line(verdict.subject), names, one_line(issuer), expires)

    @property
    def is_valid(self) -> bool:
        return self.status is ValidationStatus.VALID

    def __str__(self) -> str:
        names = f" for {in_short(self.names)}" if self.names else ""
        expiry = f", expires {self.expires:%Y-%m-%d}" if self.expires else ""
        return f"'{self.subject}'{names}, issued by '{self.issuer}'{expiry}: {self.status}"


def in_short(names: tuple[str, ...], separator: str = ", ") -> str:
    more = len(names) - _NAMES_TOLD
    return separator.join(names[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")
