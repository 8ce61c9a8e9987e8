"""The test sender: one mail to one server, and all that was said on the way.

A problem never raises: it is the result's `error`, beside the dialogue up to there.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from posthouse.mail import Body, Envelope, Notify, Recipient, Refused, Reply, Ret, message_id
from posthouse.mail.dsn import encode_xtext
from posthouse.mail.headers import format_date
from posthouse.net.certificates import CertificateError, Identity
from posthouse.net.tls import ClientContext, Profile, TlsError, TlsSession
from posthouse.net.verification import Verifier
from posthouse.organization.certificate import CertificateVerdict
from posthouse.probe.compose import Attachment, compose, with_crlf
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
from posthouse.smtp.replies import ProtocolError, printable

__all__ = ["Attachment", "DialogueLine", "RecipientReply", "SendOptions", "SendResult", "send", "send_async"]

_PIECE: Final = 64 * 1024
_PARTING_SECONDS: Final = 5.0
_PREFERRED: Final = ("LOGIN", "PLAIN")
"""Microsoft 365 takes LOGIN and refuses PLAIN. A token is used only where XOAUTH2 is asked for."""

_SECRET: Final = re.compile(r"^(AUTH \S+ )?(?!AUTH \S+$).+")
"""All of a line but AUTH and its mechanism."""

_Event = TypeVar("_Event", bound=ClientEvent)


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What to send, to whom, and how.

    An empty subject becomes `SMTP Relay - <date>`. `raw` is a whole message that is sent instead of a composed one.
    `source` is the local address to send from; `helo` what we call ourselves, by default that address.
    `mechanism` is LOGIN, PLAIN or XOAUTH2 (`password` is the token then); empty, the server's offer decides.
    """

    server: str
    sender: str
    recipients: tuple[str, ...]
    port: int = 25
    subject: str = ""
    body: str = "This is a test email using SMTP Relay"
    attachments: tuple[Attachment, ...] = ()
    raw: bytes | None = None
    tls: Literal["none", "starttls", "implicit"] = "none"
    tls_profile: Profile = "intermediate"
    identity: Identity | None = None
    trusted_roots: tuple[str, ...] = ()
    user: str = ""
    password: str = field(default="", repr=False)
    mechanism: str = ""
    notify: Notify = Notify.ABSENT
    ret: Ret | None = None
    envid: str | None = None
    source: str | None = None
    helo: str = ""
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class DialogueLine:
    """One line of the session, secrets hidden. `speaker` is `C`, `S`, or `*` for a remark of ours.

    `seconds` is since the start.
    """

    speaker: Literal["C", "S", "*"]
    text: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.speaker}: {self.text}"


@dataclass(frozen=True, slots=True)
class RecipientReply:
    recipient: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class SendResult:
    """What came of it. `error` says in one line why not everybody was accepted; None if everybody was.

    `tls` describes version and cipher, empty in plain text; `server_certificate` is judged, but never a reason to stop.
    """

    replies: tuple[RecipientReply, ...]
    dialogue: tuple[DialogueLine, ...]
    error: str | None
    message_id: str
    tls: str = ""
    server_certificate: CertificateVerdict | None = None
    client_certificate_requested: bool = False
    client_certificate_sent: bool = False

    @property
    def accepted(self) -> bool:
        return self.error is None


Observer = Callable[[DialogueLine], None]


class SendError(Exception):
    """The mail can't be sent. One line: why, and what to do."""


def send(options: SendOptions, observe: Observer | None = None) -> SendResult:
    """Send one mail. `observe` is told each line of the dialogue as it is said."""
    return asyncio.run(send_async(options, observe))


async def send_async(options: SendOptions, observe: Observer | None = None) -> SendResult:
    """`send` for those who have an event loop."""
    own_id = message_id(time.time_ns() // 1_000_000, secrets.randbits(77))
    session = _Session(options, _Dialogue(observe))
    try:
        await session.run(_content(options, own_id))
        error = _refusal(session.replies)
    except (SendError, CertificateError, TlsError, ProtocolError, ValueError) as problem:
        error = str(problem)
    except Refused as refused:
        error = str(refused.reply)
    except TimeoutError:
        error = f"{session.place} said nothing for {options.timeout:g} s; is a firewall or the provider in the way?"
    except OSError as problem:
        error = f"{session.place}: {problem.strerror or problem}; check server, port and source address"
    return session.result(error, own_id)


def _content(options: SendOptions, own_id: str) -> bytes:
    if options.raw is not None:
        return with_crlf(options.raw)
    at = time.time()
    return compose(
        sender=options.sender,
        recipients=options.recipients,
        subject=options.subject or f"SMTP Relay - {format_date(at)}",
        body=options.body,
        attachments=options.attachments,
        message_id=f"{own_id}@{options.sender.rpartition('@')[2] or 'localhost'}",
        at=at,
    )


def _envelope(options: SendOptions, content: bytes) -> Envelope:
    addresses = (options.sender, *options.recipients)
    return Envelope(
        options.sender,
        tuple(Recipient(address, options.notify) for address in options.recipients),
        options.ret,
        encode_xtext(options.envid) if options.envid else None,
        smtputf8=not all(map(str.isascii, addresses)),
        body=Body.SEVEN_BIT if content.isascii() else Body.EIGHT_BIT,
    )


def _refusal(replies: tuple[RecipientReply, ...]) -> str | None:
    """The first one, with the recipient that it is for."""
    for one in replies:
        if not one.reply.is_positive:
            return f"{one.recipient}: {one.reply}"
    return None


class _Dialogue:
    """What was said so far."""

    def __init__(self, observe: Observer | None) -> None:
        self.lines: list[DialogueLine] = []
        self._observe = observe
        self._started = time.monotonic()
        self._unfinished = b""

    def remark(self, text: str) -> None:
        self._note("*", text)

    def sent(self, data: bytes, *, is_secret: bool) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            self._note("C", _SECRET.sub(r"\1[hidden]", line) if is_secret else line)

    def received(self, data: bytes) -> None:
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            self._note("S", printable(line))

    def _note(self, speaker: Literal["C", "S", "*"], text: str) -> None:
        line = DialogueLine(speaker, text, time.monotonic() - self._started)
        self.lines.append(line)
        if self._observe is not None:
            self._observe(line)


class _Session:
    """One connection to the server: the client engine over asyncio's streams, with TLS in between."""

    def __init__(self, options: SendOptions, dialogue: _Dialogue) -> None:
        self.place = f"{options.server} port {options.port}"
        self.replies: tuple[RecipientReply, ...] = ()
        self._options = options
        self._dialogue = dialogue
        self._tls: TlsSession | None = None
        self._is_secret = False

    def result(self, error: str | None, own_id: str) -> SendResult:
        tls = self._tls
        return SendResult(
            self.replies,
            tuple(self._dialogue.lines),
            error,
            own_id,
            tls=tls.description if tls and tls.handshake_done else "",
            server_certificate=tls.peer_verdict if tls else None,
            client_certificate_requested=tls is not None and tls.client_certificate_requested,
            client_certificate_sent=tls is not None and tls.client_certificate_sent,
        )

    async def run(self, content: bytes) -> None:
        options = self._options
        local = (options.source, 0) if options.source else None
        self._dialogue.remark(f"connecting to {self.place}")
        async with asyncio.timeout(options.timeout):
            self._reader, self._writer = await asyncio.open_connection(options.server, options.port, local_addr=local)
        self._engine = ClientEngine(options.helo or _literal(self._writer.get_extra_info("sockname")[0]))
        try:
            await self._converse(content)
        finally:
            await self._close()

    async def _converse(self, content: bytes) -> None:
        options = self._options
        if options.tls == "implicit":
            await self._shake_hands()
        _require((await self._event(Greeting)).reply)
        await self._hello()
        if options.tls == "starttls":
            await self._starttls()
        if options.user:
            await self._sign_in()
        await self._transact(content)
        await self._quit()

    async def _hello(self) -> None:
        self._engine.hello()
        _require((await self._event(HelloDone)).reply)

    async def _starttls(self) -> None:
        if not self._engine.extensions.starttls:
            raise SendError(f"{self.place} does not offer STARTTLS; send without TLS, or find its TLS port")
        self._engine.starttls()
        _require((await self._event(StartTlsDone)).reply)
        self._engine.tls_started()
        await self._shake_hands()
        await self._hello()

    async def _shake_hands(self) -> None:
        options = self._options
        context = ClientContext(options.identity, options.tls_profile, Verifier(options.trusted_roots))
        session = self._tls = TlsSession(context, options.server)
        session.start()
        while not session.handshake_done:
            await self._write_out(session.data_to_send())
            await self._receive()
        await self._write_out(session.data_to_send())
        self._dialogue.remark(session.description)

    async def _sign_in(self) -> None:
        options, offered = self._options, self._engine.extensions.auth
        mechanism = options.mechanism or next((name for name in _PREFERRED if name in offered), "")
        if mechanism not in offered:
            raise SendError(
                f"{self.place} offers no AUTH {mechanism or ' or '.join(_PREFERRED)}"
                f" ({', '.join(sorted(offered)) or 'no mechanism'}); does it want TLS first?"
            )
        self._is_secret = True
        self._engine.auth(mechanism, options.user, options.password)
        reply = (await self._event(AuthDone)).reply
        self._is_secret = False
        _require(reply)

    async def _transact(self, content: bytes) -> None:
        self._engine.begin(_envelope(self._options, content), len(content))
        event = await self._event(ReadyForContent, TransactionDone)
        if isinstance(event, ReadyForContent):
            await self._send_content(content)
            event = await self._event(TransactionDone)
        if isinstance(event, TransactionDone):
            answered = zip(self._options.recipients, event.replies, strict=True)
            self.replies = tuple(RecipientReply(recipient, reply) for recipient, reply in answered)

    async def _send_content(self, content: bytes) -> None:
        self._dialogue.remark(f"{len(content)} bytes of content")
        self._engine.content(content)
        self._engine.content_end()
        await self._write(self._engine.data_to_send())

    async def _quit(self) -> None:
        """A courtesy: the mail's fate is known, so nothing that goes wrong here matters."""
        if self._engine.closing:
            return
        self._engine.quit()
        try:
            async with asyncio.timeout(_PARTING_SECONDS):
                await self._event(Closing)
        except (SendError, TlsError, ProtocolError, OSError):
            self._dialogue.remark("no answer to QUIT")

    async def _close(self) -> None:
        """What is still to go out, perhaps an alert that says why, gets a moment."""
        self._writer.close()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_PARTING_SECONDS):
                await self._writer.wait_closed()

    async def _event(self, *kinds: type[_Event]) -> _Event:
        """The next event, which must be one of these."""
        while (event := self._engine.next_event()) is NEED_DATA:
            if data := self._engine.data_to_send():
                self._dialogue.sent(data, is_secret=self._is_secret)
                await self._write(data)
            plaintext = await self._receive()
            self._dialogue.received(plaintext)
            self._engine.receive(plaintext)
        if isinstance(event, kinds):
            return event
        raise SendError(f"the server ended the session: {event.reply}" if isinstance(event, Closing) else str(event))

    async def _write(self, plaintext: bytes) -> None:
        if self._tls is not None:
            self._tls.send(plaintext)
            plaintext = self._tls.data_to_send()
        await self._write_out(plaintext)

    async def _write_out(self, data: bytes) -> None:
        """Piece by piece, so that the time-out is for a piece."""
        for start in range(0, len(data), _PIECE):
            self._writer.write(data[start : start + _PIECE])
            async with asyncio.timeout(self._options.timeout):
                await self._writer.drain()

    async def _receive(self) -> bytes:
        """What came next, decrypted; nothing while a handshake goes on. What TLS wants to answer, goes out."""
        async with asyncio.timeout(self._options.timeout):
            data = await self._reader.read(_PIECE)
        if not data:
            raise SendError(f"{self.place} closed the connection; its log may say why")
        if self._tls is None:
            return data
        try:
            return self._tls.receive(data)
        finally:
            self._writer.write(self._tls.data_to_send())


def _require(reply: Reply) -> None:
    if not reply.is_positive:
        raise SendError(str(reply))


def _literal(ip: str) -> str:
    """An address literal (RFC 5321 4.1.3): a host name would have to be looked up, and may be wrong."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
