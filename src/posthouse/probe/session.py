"""One connection of the test sender: the client engine on a wire."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from posthouse.mail import Envelope, Notify, Refused, Reply
from posthouse.net.certificates import CertificateError
from posthouse.net.tls import ClientContext, TlsError, TlsSession
from posthouse.net.verification import Verifier
from posthouse.probe.dialogue import Dialogue
from posthouse.probe.hosts import Host, SendError
from posthouse.probe.options import SendOptions
from posthouse.probe.server_certificate import ServerCertificate, in_short
from posthouse.probe.wire import Wire
from posthouse.smtp.client import (
    AuthDone,
    ClientEngine,
    ClientEvent,
    Closing,
    Greeting,
    HelloDone,
    ReadyForContent,
    StartTlsDone,
    TransactionDone,
)
from posthouse.smtp.events import NEED_DATA
from posthouse.smtp.replies import ProtocolError
from posthouse.smtp.transfer import Step

_PARTING_SECONDS: Final = 5.0
_PREFERRED: Final = ("LOGIN", "PLAIN")
"""Microsoft 365 takes LOGIN and refuses PLAIN. A token is used only where XOAUTH2 is asked for."""

_Event = TypeVar("_Event", bound=ClientEvent)


class Session:
    """Opened with `open`, used with `transact`, ended with `close`. What goes wrong is a `SendError`."""

    def __init__(self, options: SendOptions, dialogue: Dialogue) -> None:
        self.host: Host | None = None
        self._options = options
        self._dialogue = dialogue
        self._tls: TlsSession | None = None
        self._wire: Wire | None = None
        self._is_secret = False
        self._is_broken = False

    @property
    def place(self) -> str:
        return f"{self.host} port {self._options.port}" if self.host else self._options.target

    @property
    def is_usable(self) -> bool:
        """A further transaction may be tried."""
        return not self._engine.closing

    @property
    def is_unanswered(self) -> bool:
        """Of the last transaction the server has answered nothing: it may be tried anew on another connection."""
        return self._engine.waiting_for in (Step.RSET, Step.MAIL)

    @property
    def tls(self) -> str:
        """Version and cipher; empty in plain text."""
        return self._tls.description if self._tls else ""

    @property
    def server_certificate(self) -> ServerCertificate | None:
        return ServerCertificate.shown_in(self._tls, self.host.name) if self._tls and self.host else None

    @property
    def client_certificate_requested(self) -> bool:
        return self._tls is not None and self._tls.client_certificate_requested

    @property
    def client_certificate_sent(self) -> bool:
        return self._tls is not None and self._tls.client_certificate_sent

    @property
    def client_certificate_authorities(self) -> tuple[str, ...]:
        return self._tls.client_certificate_authorities if self._tls else ()

    async def open(self, hosts: Sequence[Host]) -> None:
        """Connect with the first host that answers, and come so far that mail can be sent."""
        with self._in_one_line():
            await self._reach(hosts)
            await self._hello()
            if self._options.tls == "starttls":
                await self._starttls()
            if self._options.user:
                await self._sign_in()

    async def transact(self, envelope: Envelope, content: bytes) -> tuple[Reply, ...]:
        """One mail. A reply for each recipient."""
        if not self._engine.extensions.dsn and _asks_for_notification(envelope):
            self._dialogue.remark(
                "the server does not offer DSN: NOTIFY, RET and ENVID are not sent, and no notification is promised"
            )
        with self._in_one_line():
            self._engine.begin(envelope, len(content))
            event = await self._event(ReadyForContent, TransactionDone)
            if isinstance(event, ReadyForContent):
                await self._send_content(content)
                event = await self._event(TransactionDone)
        assert isinstance(event, TransactionDone)
        return tuple(map(self._safe, event.replies))

    def abandon(self, reason: str) -> tuple[Reply, ...]:
        """After a `SendError`: the reply that each recipient is left with. Empty where no transaction was under way."""
        under_way = self._wire is not None and self._engine.waiting_for is not None
        replies = self._engine.abandon(Reply(451, "4.4.2", reason)) if under_way else ()
        return tuple(map(self._safe, replies))

    async def close(self) -> None:
        """QUIT is a courtesy: the mail's fate is known."""
        if self._wire is None:
            return
        try:
            if not self._is_broken and not self._engine.closing and self._engine.waiting_for is None:
                await self._quit()
        finally:
            self._wire.close()

    async def _quit(self) -> None:
        self._engine.quit()
        try:
            async with asyncio.timeout(_PARTING_SECONDS):
                await self._event(Closing)
        except (SendError, EOFError, TlsError, ProtocolError, TimeoutError):
            self._dialogue.remark("no answer to QUIT")

    async def _reach(self, hosts: Sequence[Host]) -> None:
        """The first that greets: one that is down or busy leaves it to the next (RFC 5321 5.1)."""
        for host in hosts:
            self.host = host
            try:
                with self._in_one_line():
                    await self._connect(host)
                    return
            except SendError as error:
                if host is hosts[-1]:
                    raise
                self._dialogue.remark(f"{error}; trying the next")
            await self.close()

    async def _connect(self, host: Host) -> None:
        options = self._options
        self._dialogue.remark(f"connecting to {self.place}")
        self._wire = self._tls = None
        self._is_broken = False
        try:
            self._wire = await Wire.open(host.ip, options.port, options.source, options.timeout)
        except OSError as error:
            raise SendError(f"{self.place}: {self._unreachable(error)}") from None
        self._engine = ClientEngine(options.helo or _literal(self._wire.own_ip))
        if options.tls == "implicit":
            await self._shake_hands(host)
        self._require((await self._event(Greeting)).reply)

    def _unreachable(self, error: OSError) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._options.timeout:g} s; a firewall or the provider may block this port"
        if isinstance(error, ConnectionRefusedError):
            return "refused the connection; does a server listen there?"
        if error.errno == errno.EADDRNOTAVAIL and self._options.source:
            return f"this machine has no address {self._options.source}; give one of its own as source address"
        return f"{os.strerror(error.errno) if error.errno else error}; check server, port and source address"

    async def _hello(self) -> None:
        self._engine.hello()
        self._require((await self._event(HelloDone)).reply)

    async def _starttls(self) -> None:
        assert self.host
        if not self._engine.extensions.starttls:
            raise SendError(f"{self.place} does not offer STARTTLS; send without TLS, or find its TLS port")
        self._engine.starttls()
        self._require((await self._event(StartTlsDone)).reply)
        self._engine.tls_started()
        await self._shake_hands(self.host)
        await self._hello()

    async def _shake_hands(self, host: Host) -> None:
        assert self._wire
        options = self._options
        context = ClientContext(options.identity, options.tls_profile, Verifier(options.trusted_roots))
        self._tls = TlsSession(context, host.name)
        said = await self._wire.shake_hands(self._tls)
        self._dialogue.remark(self._tls.description)
        self._dialogue.remark(f"the server's certificate: {self.server_certificate}")
        self._dialogue.remark(self._client_certificate())
        self._hear(said)

    def _client_certificate(self) -> str:
        identity = self._options.identity
        if not self.client_certificate_requested:
            unsent = ", so ours was not sent" if identity else ""
            return f"the server did not ask for a client certificate{unsent}"
        authorities = in_short(self.client_certificate_authorities, " or ")
        asked = "the server asked for a client certificate" + (f" issued by {authorities}" if authorities else "")
        if identity and self.client_certificate_sent:
            return f"{asked}; sent: '{identity.subject}'"
        return f"{asked}; none was sent"

    async def _sign_in(self) -> None:
        options, offered = self._options, self._engine.extensions.auth
        mechanism = options.mechanism or next((name for name in _PREFERRED if name in offered), "")
        if mechanism not in offered:
            raise SendError(
                f"{self.place} offers no AUTH {mechanism or ' or '.join(_PREFERRED)}"
                f" ({', '.join(sorted(offered)) or 'no mechanism'}); does it want TLS first?"
            )
        if self._tls is None:
            self._dialogue.remark("the password goes over an unencrypted connection")
        self._is_secret = True
        self._engine.auth(mechanism, options.user, options.password)
        reply = (await self._event(AuthDone)).reply
        self._is_secret = False
        self._require(reply)

    async def _send_content(self, content: bytes) -> None:
        self._dialogue.remark(f"{len(content)} bytes of content")
        self._engine.content(content)
        self._engine.content_end()
        assert self._wire
        await self._wire.write(self._engine.data_to_send())

    async def _event(self, *kinds: type[_Event]) -> _Event:
        """The next event, which must be one of these."""
        assert self._wire
        while (event := self._engine.next_event()) is NEED_DATA:
            if data := self._engine.data_to_send():
                self._dialogue.sent(data, is_secret=self._is_secret)
                await self._wire.write(data)
            self._hear(await self._wire.read())
        if isinstance(event, kinds):
            return event
        if isinstance(event, Closing):
            reply = self._safe(event.reply)
            raise SendError(f"the server ended the session: {reply}", reply)
        raise SendError(str(event))

    def _hear(self, plaintext: bytes) -> None:
        self._dialogue.received(plaintext)
        self._engine.receive(plaintext)

    def _require(self, reply: Reply) -> None:
        if not reply.is_positive:
            reply = self._safe(reply)
            raise SendError(str(reply), reply)

    def _safe(self, reply: Reply) -> Reply:
        return replace(reply, text=self._dialogue.safe(reply.text))

    @contextlib.contextmanager
    def _in_one_line(self) -> Iterator[None]:
        """Whatever ends the session becomes a `SendError`."""
        try:
            yield
        except Refused as refused:
            raise SendError(str(refused.reply), refused.reply) from None
        except (EOFError, TlsError, ProtocolError, CertificateError, TimeoutError) as problem:
            self._is_broken = True
            raise SendError(self._dialogue.safe(self._described(problem))) from None

    def _described(self, problem: Exception) -> str:
        if isinstance(problem, TimeoutError):
            step = self._engine.waiting_for
            awaited = f" while {step.value} was awaited" if step else ""
            return f"{self.place} said nothing for {self._options.timeout:g} s{awaited}; is a firewall in the way?"
        if isinstance(problem, EOFError):
            return f"{self.place} closed the connection; its log may say why"
        return str(problem)


def _asks_for_notification(envelope: Envelope) -> bool:
    return bool(envelope.ret or envelope.envid or any(one.notify is not Notify.ABSENT for one in envelope.recipients))


def _literal(ip: str) -> str:
    """An address literal (RFC 5321 4.1.3): a host name would have to be looked up, and may be wrong."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
