"""How scripts send mail: by the test sender, as an act that needs its role and is on record."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from posthouse.admin import Acts, AdminError, Administration
from posthouse.cmdlets.interface import Services
from posthouse.cmdlets.mail.administered import administered, trusted_roots
from posthouse.cmdlets.mail.letters import Letter
from posthouse.cmdlets.mail.smtp_words import UNTRUSTED, SmtpFailure, failure
from posthouse.cmdlets.mail.x509 import Certificate
from posthouse.settings import Settings
from posthouse.spool import AuditChange

if TYPE_CHECKING:
    from posthouse.probe.send import DialogueLine, SendOptions, SendResult

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to send a mail, and how. `timeout` is in seconds, for each step."""

    host: str
    port: int = 25
    is_secure: bool = False
    certificate: Certificate | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 100.0

    @property
    def is_here(self) -> bool:
        """A chain that is rehearsed on one machine has no certificate that Windows would trust."""
        try:
            return self.host.lower() == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class _NotSent(AdminError):
    """The attempt failed, as `result` says."""

    def __init__(self, result: SendResult) -> None:
        super().__init__(result.error or "")
        self.result = result


def send_letter(letter: Letter, server: Server, services: Services, warn: Warn) -> None:
    """Raises `SmtpFailure` in .NET's words, after warnings that say what to do; `PSError` where the role is missing."""
    options = _options(letter, server, services.service(Settings))
    for sentence in _before(letter, server):
        warn(sentence)
    result = _sent(letter, server, options, services.service(Administration), warn)
    for sentence in _after(server, result):
        warn(sentence)
    if failed := failure(result):
        raise failed


def _options(letter: Letter, server: Server, settings: Settings) -> SendOptions:
    from posthouse.probe.send import SendOptions

    if not server.host:
        raise SmtpFailure("The SMTP host was not specified.", "InvalidOperationException")
    if not letter.recipients:
        raise SmtpFailure("A recipient must be specified.", "InvalidOperationException")
    try:
        return SendOptions(
            server=server.host,
            port=server.port,
            sender=letter.sender.address,
            recipients=[one.address for one in letter.recipients],
            raw=letter.content(time.time()),
            tls="starttls" if server.is_secure else "none",
            identity=server.certificate.identity if server.certificate and server.is_secure else None,
            trusted_roots=trusted_roots(settings) if server.is_secure else (),
            user=server.user,
            password=server.password,
            notify=letter.notify,
            timeout=server.timeout,
            observe=None if server.is_here else _insist,
        )
    except ValueError as error:
        raise SmtpFailure(str(error), "ArgumentException") from None


def _insist(line: DialogueLine) -> None:
    """Ends the session with a server that isn't trusted, as .NET does, before it hears a password or a mail."""
    from posthouse.probe.hosts import SendError

    if line.speaker == "*" and line.text.startswith("the server's certificate: ") and not line.text.endswith(": Valid"):
        raise SendError(UNTRUSTED)


def _sent(
    letter: Letter, server: Server, options: SendOptions, administration: Administration, warn: Warn
) -> SendResult:
    with administered():
        try:
            with administration.ledger.attempt(Acts.SEND_TEST, ", ".join(options.recipients)) as record:
                result = _delivered(options, warn)
                if result.error is not None:
                    raise _NotSent(result)
                administration.ledger.write(record(list(_on_record(letter, server))))
                return result
        except _NotSent as failed:
            return failed.result


def _delivered(options: SendOptions, warn: Warn) -> SendResult:
    """A server that asks nobody to sign in gets the mail all the same, as from .NET."""
    from posthouse.probe.send import send

    result = send(options)
    if options.user and result.error is not None and " offers no AUTH " in result.error:
        warn("The server lets nobody sign in: as by Windows, the mail is sent without.")
        return send(replace(options, user="", password=""))
    return result


def _on_record(letter: Letter, server: Server) -> Iterator[AuditChange]:
    certificate = server.certificate.properties["Thumbprint"] if server.certificate else ""
    given = {
        "SmtpServer": f"{server.host}:{server.port}",
        "From": letter.sender.address,
        "UseSsl": server.is_secure,
        "UserName": server.user,
        "Certificate": certificate,
    }
    return (AuditChange(name, after=value) for name, value in given.items() if value)


def _before(letter: Letter, server: Server) -> Iterator[str]:
    if letter.is_mutilated:
        yield "Characters that the encoding lacks are sent as question marks; add -Encoding UTF8."
    if server.password and not server.is_secure:
        yield "The password goes over an unencrypted connection; use TLS (-UseSsl, EnableSsl)."
    certificate = server.certificate
    if certificate is None:
        return
    if not server.is_secure:
        yield "The certificate in ClientCertificates isn't used without TLS; set EnableSsl to $true."
    elif certificate.identity is None:
        yield "The certificate has no private key, so it can't be sent; export the PFX with its private key."
    elif not certificate.is_for_clients:
        yield (
            "Windows would not send this certificate: its Enhanced Key Usage lacks Client Authentication. Here it is "
            "sent; have one issued that is for clients."
        )


def _after(server: Server, result: SendResult) -> Iterator[str]:
    certificate = result.server_certificate
    if certificate is not None and not certificate.is_valid:
        what = f"The server's certificate '{certificate.subject}' is not trusted: {certificate.status}."
        if result.error == UNTRUSTED:
            yield f"{what} Have one issued for '{server.host}', or put its CA into the organization's trusted_roots."
            return
        yield f"{what} Windows would send nothing; it is sent here since the server is this machine."
    offered = server.certificate if server.is_secure and result.tls else None
    if offered is not None and offered.identity is not None and not result.client_certificate_requested:
        yield (
            f"The server did not ask for a client certificate, so '{offered.text}' was not sent; check server and "
            "port: the one of a connector by certificate asks for it."
        )
    yield from (
        f"{line.text[0].upper()}{line.text[1:]}."
        for line in result.dialogue
        if line.speaker == "*" and line.text.startswith("the server does not offer DSN")
    )
    if result.explanations:
        yield from (" ".join(one.advice.split()) for one in result.explanations)
    elif result.error is not None:
        yield result.error if result.error.endswith("?") else f"{result.error}."
