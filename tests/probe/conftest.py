"""A small SMTP server on a real socket, the engine that takes what it is told to take; and what doctor looks at."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from posthouse.mail import Reply
from posthouse.net.certificates import Authority, Identity
from posthouse.net.tls import ServerContext, TlsError, TlsSession
from posthouse.net.verification import Verifier
from posthouse.probe.send import Observer, SendOptions, SendResult, send_async
from posthouse.smtp.events import (
    NEED_DATA,
    PAUSED,
    ContentChunk,
    Credentials,
    DataBegin,
    Extensions,
    Hello,
    MailFrom,
    MessageEnd,
    RcptTo,
    StartTls,
)
from posthouse.smtp.server import ServerEngine, ServerLimits
from support.clinic import Clinic, open_clinic

BOB = "bob@example.net"

ANSWERS = {
    MailFrom: Reply(250, "2.1.0", "Sender OK"),
    RcptTo: Reply(250, "2.1.5", "Recipient OK"),
    DataBegin: Reply(354, "", "Start mail input; end with <CRLF>.<CRLF>"),
    MessageEnd: Reply(250, "2.6.0", "Queued mail for delivery"),
    Credentials: Reply(235, "2.7.0", "Authentication successful"),
    StartTls: Reply(220, "2.0.0", "Ready to start TLS"),
}


@dataclass
class Server:
    """What it is to do, and what it saw. `answer` may overrule the reply to an event.

    `issuers` are named to clients where it asks for a certificate.
    """

    extensions: Extensions = field(default_factory=lambda: Extensions(dsn=True))
    identity: Identity | None = None
    implicit: bool = False
    issuers: tuple[Authority, ...] = ()
    answer: Callable[[object], Reply | None] = lambda event: None
    events: list[object] = field(default_factory=list)
    content: bytes = b""
    peer: str = ""
    client_certificates: list[str] = field(default_factory=list)
    sessions: list[asyncio.Future[None]] = field(default_factory=list)

    def sent(self, *, observe: Observer | None = None, **options: Any) -> SendResult:
        """What the test sender makes of this server."""
        return asyncio.run(
            self._sent({"observe": observe, "sender": "app@contoso.com", "recipients": (BOB,)} | options)
        )

    async def _sent(self, options: dict[str, Any]) -> SendResult:
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            result = await send_async(SendOptions(server="127.0.0.1", port=port, **options))
            await asyncio.gather(*self.sessions)
            return result

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peer = writer.get_extra_info("peername")[0]
        over = asyncio.get_running_loop().create_future()
        self.sessions.append(over)
        try:
            await _Serving(self, reader, writer).run()
        except (TlsError, ConnectionError):
            pass
        finally:
            await closed(writer)
            over.set_result(None)


async def closed(writer: asyncio.StreamWriter) -> None:
    """Before the loop ends, or the transport would be left open."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


class _Serving:
    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.engine = ServerEngine("mx.example.net", ServerLimits(0, 100), secure=server.implicit)
        self.tls: TlsSession | None = None

    async def run(self) -> None:
        if self.server.implicit:
            await self.shake_hands()
        self.engine.greet(self.server.answer("greeting") or Reply(220, "", "mx.example.net ESMTP"))
        while not self.engine.should_close:
            event = self.engine.next_event()
            if event is NEED_DATA or event is PAUSED:
                self.flush()
                if not (data := await self.reader.read(65536)):
                    return
                self.engine.receive(self.tls.receive(data) if self.tls else data)
            else:
                await self.handle(event)
        self.flush()
        await self.writer.drain()

    async def handle(self, event: object) -> None:
        self.server.events.append(event)
        overruled = self.server.answer(event)
        if isinstance(event, Hello) and overruled is None:
            self.engine.reply_hello(self.server.extensions)
        elif isinstance(event, ContentChunk):
            self.server.content += event.data
        elif type(event) in ANSWERS or overruled is not None:
            self.engine.reply(overruled or ANSWERS[type(event)])
        if isinstance(event, StartTls) and overruled is None:
            self.flush()
            self.engine.tls_started()
            await self.shake_hands()

    async def shake_hands(self) -> None:
        assert self.server.identity
        context = ServerContext(self.server.identity, "intermediate", Verifier())
        for issuer in self.server.issuers:
            context.openssl.add_client_ca(issuer.certificate)
        tls = TlsSession(context)
        while not tls.handshake_done:
            if not (data := await self.reader.read(65536)):
                return
            self.engine.receive(tls.receive(data))
            self.writer.write(tls.data_to_send())
        self.tls = tls
        assert tls.peer_verdict
        self.server.client_certificates.append(tls.peer_verdict.subject)

    def flush(self) -> None:
        data = self.engine.data_to_send()
        if self.tls:
            self.tls.send(data)
            data = self.tls.data_to_send()
        self.writer.write(data)


@pytest.fixture
def make_server() -> type[Server]:
    return Server


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create("Test CA")


Answer = bytes | Callable[[bytes], bytes]


def _scripted(*answers: Answer, **options: Any) -> tuple[SendResult, list[bytes]]:
    heard: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for answer in answers:
                writer.write(answer if isinstance(answer, bytes) else answer(heard[-1]))
                heard.append(await reader.readline())
        await closed(writer)
        over.set()

    async def run() -> SendResult:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            defaults = {"server": "127.0.0.1", "port": port, "sender": "app@contoso.com", "recipients": [BOB]}
            result = await send_async(SendOptions(**defaults | options))
            await over.wait()
            return result

    return asyncio.run(run()), heard


@pytest.fixture
def scripted() -> Callable[..., tuple[SendResult, list[bytes]]]:
    """What comes of a server that gives these answers, one for each line it hears, and then hangs up; and the lines."""
    return _scripted


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    """A relay in good health before its tenant."""
    with open_clinic(tmp_path) as opened:
        yield opened
