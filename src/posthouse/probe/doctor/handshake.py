"""What a TLS handshake with a host showed: its certificate, and what became of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from posthouse.net.tls import TlsSession
from posthouse.organization import OutboundConnector, TlsSettings
from posthouse.organization.certificate import ValidationStatus, is_named
from posthouse.probe.doctor.certificates import expiry_step
from posthouse.probe.doctor.step import About, Step

_VALIDATING: Final = (TlsSettings.CERTIFICATE_VALIDATION, TlsSettings.DOMAIN_VALIDATION)
_TELL: Final = "tell who runs the host"
_PROBLEMS: Final = {
    ValidationStatus.EXPIRED: ("has expired", _TELL),
    ValidationStatus.NOT_YET_VALID: ("is not valid yet", f"look at this machine's clock, or {_TELL}"),
    ValidationStatus.SELF_SIGNED: ("is self-signed", "add it to trusted_roots, if the host is yours"),
    ValidationStatus.UNKNOWN_ISSUER: (
        "has an unknown issuer, or the host doesn't send the intermediates",
        "add its root to trusted_roots, if it is yours; else something on the way may open TLS",
    ),
    ValidationStatus.INVALID_USAGE: ("is not for servers", _TELL),
}


def host_certificate_steps(
    about: About, connector: OutboundConnector, host: str, session: TlsSession
) -> Iterator[Step]:
    """What is wrong with it ends the way only where TlsSettings look at it; else it is a warning."""
    verdict, shown = session.peer_verdict, session.peer_certificate
    if verdict is None or shown is None:
        yield about.failed(f"{host} shows no certificate that can be read", _TELL)
        return
    whose = f"the certificate '{verdict.subject}' of {host}"
    if not verdict.is_valid:
        what, remedy = _PROBLEMS.get(verdict.status, (f"is {verdict.status}", _TELL))
        problem = about.failed if connector.tls_settings in _VALIDATING else about.warning
        yield problem(f"{whose} {what}", remedy)
        return
    yield expiry_step(about, whose, shown)
    expected = connector.tls_domain or host
    if is_named(verdict.names, expected):
        yield about.ok(f"it is for {expected}")
        return
    problem = about.failed if connector.tls_settings is TlsSettings.DOMAIN_VALIDATION else about.warning
    yield problem(f"it is for {', '.join(verdict.names) or 'no name'}, not for {expected}", "see TlsDomain")


def client_certificate_step(about: About, host: str, session: TlsSession, *, has_one: bool) -> Step:
    asked = session.client_certificate_requested
    if not has_one:
        return about.ok(f"{host} {'asks' if asked else 'does not ask'} for a client certificate; none is set")
    if session.client_certificate_sent:
        return about.ok(f"{host} asked for the client certificate, and it was sent with its chain")
    if asked:
        return about.failed(f"{host} asked for a client certificate, and ours was not sent", "get one with an RSA key")
    return about.failed(
        f"{host} does not ask for a client certificate, so ours is never shown",
        "is this the MX endpoint of the tenant? Something on the way may open TLS",
    )
