"""A tenant's MX endpoint: whose mail it is follows from the connectors of a stand-in of Exchange Online.

https://learn.microsoft.com/exchange/mail-flow-best-practices/use-connectors-to-configure-mail-flow/set-up-connectors-to-route-mail
https://learn.microsoft.com/exchange/troubleshoot/connectors/office-365-notice
https://learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr/relay-access-denied-smtp
https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Self, cast

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from standins import mx_attribution
from standins.exchange import Exchange
from standins.mx_attribution import Client

NAME = "DB5EUR01FT004.mail.protection.outlook.com"
EXTENSIONS = ("SIZE 157286400", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "8BITMIME", "BINARYMIME", "CHUNKING")
_STATUSES = {10: "Expired", 9: "NotYetValid", 18: "SelfSigned", 19: "UnknownIssuer", 20: "UnknownIssuer"}
"""https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/"""
_OLD = ("TLSv1", "TLSv1.1")
_WINDOW = 64 << 10


@dataclass
class Mail:
    """What was taken, and by the connector of which Name; "" is mail of a stranger for one of the tenant's people."""

    client: Client
    sender: str
    recipients: list[str]
    content: bytes
    connector: str


class Mx(socketserver.ThreadingTCPServer):
    """On loopback. Clients' certificates must come from `authority`, with their chain; a bad one breaks no handshake.

    `mails` were taken; `refusals` counts negative replies by code and enhanced status. `elsewhere` are domains of other
    tenants, in another region. `faults` are replies to the next RCPTs.

    with Mx(authority, exchange) as mx:
        exchange.connectors.add("Relay", ConnectorType="OnPremises", SenderIPAddresses=["127.0.0.9"])
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        authority: trustme.CA,
        exchange: Exchange,
        *,
        host: str = "contoso-com.mail.protection.test",
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__(address, _Session)
        self.context = _context(authority, host)
        self.exchange = exchange
        self.elsewhere: set[str] = set()
        self.mails: list[Mail] = []
        self.refusals: Counter[str] = Counter()
        self.faults: deque[str] = deque()
        self.lock = threading.RLock()

    @property
    def port(self) -> int:
        return cast("tuple[str, int]", self.server_address)[1]

    def verdict(self, client: Client, sender: str, recipient: str) -> mx_attribution.Verdict:
        with self.lock:
            if self.faults:
                return mx_attribution.Verdict(self.faults.popleft())
        connectors = [*self.exchange.connectors.inbound.values()]
        tenant = mx_attribution.Tenant(
            connectors, set(self.exchange.domains), self.elsewhere, self.exchange.reject_direct_send
        )
        return tenant.verdict(client, sender, recipient)

    def taken(self, mail: Mail) -> str:
        with self.lock:
            self.mails.append(mail)
            return f"250 2.6.0 <{len(self.mails)}@contoso.test> [InternalId={len(self.mails)}] Queued mail for delivery"

    def mails_to(self, recipient: str) -> list[Mail]:
        return [mail for mail in self.mails if recipient in mail.recipients]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _HangUp(Exception):
    """The session is over."""


@dataclass
class _Certificate:
    """What OpenSSL found while it looked at a client's chain: its error numbers, the first one says most."""

    errors: list[int] = field(default_factory=list)


class _Session(socketserver.BaseRequestHandler):
    server: Mx

    def handle(self) -> None:
        self.stream: Any = self.request
        self.received = b""
        self.client = Client(self.client_address[0])
        self._reset()
        with contextlib.suppress(_HangUp, OSError, SSL.Error):
            self._say(f"220 {NAME} Microsoft ESMTP MAIL Service ready")
            while True:
                self._command(self._line().decode("utf-8", "replace"))

    def finish(self) -> None:
        self.request.close()

    def _command(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        acts = {
            "EHLO": self._ehlo,
            "STARTTLS": self._starttls,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "BDAT": self._bdat,
            "RSET": self._rset,
            "NOOP": lambda _: self._say("250 2.0.0 OK"),
            "QUIT": self._quit,
        }
        acts.get(verb.upper(), lambda _: self._say("500 5.3.3 Unrecognized command"))(rest)

    def _ehlo(self, _: str) -> None:
        lines = [f"{NAME} Hello [{self.client.ip}]", *EXTENSIONS, *([] if self.client.tls else ["STARTTLS"])]
        self._say("\r\n".join([*(f"250-{each}" for each in lines[:-1]), f"250 {lines[-1]}"]))

    def _starttls(self, _: str) -> None:
        self._say("220 2.0.0 SMTP server ready")
        found = _Certificate()
        tls = SSL.Connection(self.server.context, self.request)
        tls.set_app_data(found)
        tls.set_accept_state()
        tls.do_handshake()
        self.stream, self.received = tls, b""
        self.client.tls = tls.get_protocol_version_name()
        if (leaf := tls.get_peer_certificate()) is not None:
            self.client.status = _STATUSES.get(found.errors[0], "Invalid") if found.errors else "Valid"
            self.client.names, self.client.subject = _names(leaf.to_cryptography())

    def _mail(self, argument: str) -> None:
        if self.client.tls in _OLD:
            self._say(
                "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2. "
                "Visit https://aka.ms/smtp_auth_tls."
            )
            raise _HangUp
        self._reset()
        self.sender = _path(argument)
        self._say("250 2.1.0 Sender OK")

    def _rcpt(self, argument: str) -> None:
        if self.sender is None:
            self._say("503 5.5.2 Need mail command")
            return
        verdict = self.server.verdict(self.client, self.sender, _path(argument))
        if verdict.refusal:
            self._say(f"{verdict.refusal} [{NAME}]")
        else:
            self.connector = verdict.connector
            self.recipients.append(_path(argument))
            self._say("250 2.1.5 Recipient OK")

    def _data(self, _: str) -> None:
        if not self.recipients:
            self._say("503 5.5.2 Need rcpt command")
            return
        self._say("354 Start mail input; end with <CRLF>.<CRLF>")
        while (line := self._line()) != b".":
            self.content += line.removeprefix(b".") + b"\r\n"
        self._take()

    def _bdat(self, argument: str) -> None:
        size, _, last = argument.partition(" ")
        while len(self.received) < int(size):
            self._receive()
        self.content += self.received[: int(size)]
        self.received = self.received[int(size) :]
        if not self.recipients:
            self._say("503 5.5.2 Need rcpt command")
        elif last.upper() == "LAST":
            self._take()
        else:
            self._say("250 2.6.0 CHUNK received OK")

    def _take(self) -> None:
        mail = Mail(self.client, self.sender or "", self.recipients, self.content, self.connector)
        self._say(self.server.taken(mail))
        self._reset()

    def _rset(self, _: str) -> None:
        self._reset()
        self._say("250 2.0.0 Resetting")

    def _quit(self, _: str) -> None:
        self._say("221 2.0.0 Service closing transmission channel")
        raise _HangUp

    def _reset(self) -> None:
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.content = b""
        self.connector = ""

    def _line(self) -> bytes:
        while b"\r\n" not in self.received:
            self._receive()
        line, _, self.received = self.received.partition(b"\r\n")
        return line

    def _receive(self) -> None:
        piece = self.stream.recv(_WINDOW)
        if not piece:
            raise _HangUp
        self.received += piece

    def _say(self, reply: str) -> None:
        if reply[0] in "45":
            with self.server.lock:
                self.server.refusals[" ".join(reply.split()[:2])] += 1
        self.stream.sendall(f"{reply}\r\n".encode())


def _context(authority: trustme.CA, host: str) -> SSL.Context:
    """TLS 1.0 is shaken hands with, to be told off; a certificate is asked for, and a bad one breaks nothing."""
    leaf = authority.issue_cert(host)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.use_certificate(x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()))
    context.use_privatekey(cast("Any", load_pem_private_key(leaf.private_key_pem.bytes(), None)))
    with authority.cert_pem.tempfile() as root:
        context.load_verify_locations(root)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_PEER, _note)
    return context


def _note(connection: SSL.Connection, _: object, error: int, __: int, ___: int) -> bool:
    if error:
        cast("_Certificate", connection.get_app_data()).errors.append(error)
    return True


def _names(certificate: x509.Certificate) -> tuple[list[str], str]:
    """Its DNS names, and its subject."""
    subject = certificate.subject.rfc4514_string()
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)], subject
    except x509.ExtensionNotFound:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [str(name.value).lower() for name in names], subject


def _path(argument: str) -> str:
    """The address in `FROM:<a@b> SIZE=1`."""
    return argument.partition("<")[2].partition(">")[0]
