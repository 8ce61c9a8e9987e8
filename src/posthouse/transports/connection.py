"""One session with a next hop: the client engine on a socket, in plain text or TLS."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, TypeVar, cast

from posthouse.mail import Content, Envelope, Reply
from posthouse.net.tls import TlsError, TlsSession
from posthouse.observe import counters
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
from posthouse.smtp.extensions import PeerExtensions
from posthouse.smtp.replies import ProtocolError
from posthouse.smtp.transfer import Step

GIVEN_WHOLE: Final = 256 * 1024
"""Content in memory up to this size goes out with its commands; more, or from a file, is streamed."""

_UNANSWERED: Final = (Step.RSET, Step.MAIL)
_Event = TypeVar("_Event", bound=ClientEvent)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for each thing, as RFC 5321 4.5.3.2 wants them; those to connect and for TLS are ours."""

    connect: float = 30
    tls: float = 60
    greeting: float = 300
    command: float = 300
    data: float = 120
    block: float = 180
    content: float = 600
    quit: float = 5


DEFAULT_TIMEOUTS: Final = Timeouts()


class SessionFailed(Exception):
    """A next hop can't be used (any more). `remote` is empty where no host has said a word."""

    def __init__(self, reply: Reply, remote: str = "") -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.remote = remote


class TlsFailed(SessionFailed):
    """TLS could not be had; plain text perhaps could."""


class Connection(asyncio.Protocol):
    """A session with one host. Its methods are called one after another, and end in `SessionFailed` when it does.

    A coroutine waits only at the boundaries of phases: greeting, EHLO, STARTTLS, a whole transaction. One timer serves
    all time-outs: it is moved by writing down a new deadline, and looks at it when it goes off.
    """

    def __init__(self, host: str, ip: str, helo_name: str, timeouts: Timeouts) -> None:
        self.name = f"{host} [{ip}]"
        self.transactions = 0
        self._timeouts = timeouts
        self._engine = ClientEngine(helo_name)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._tls: TlsSession | None = None
        self._events: deque[ClientEvent] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._paused: asyncio.Future[None] | None = None
        self._failure: SessionFailed | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._has_spoken = False
        self.lost: asyncio.Future[None] = self._loop.create_future()

    @property
    def remote(self) -> str:
        """The host's name and address once it has said something, as an outcome names it."""
        return self.name if self._has_spoken else ""

    @property
    def is_usable(self) -> bool:
        """A further transaction may be tried."""
        return self._failure is None and not self._engine.closing

    @property
    def extensions(self) -> PeerExtensions:
        return self._engine.extensions

    @property
    def is_secure(self) -> bool:
        return self._tls is not None and self._tls_is_ready

    async def greet(self) -> Reply:
        return (await self._event(Greeting)).reply

    async def hello(self) -> Reply:
        self._engine.hello()
        return (await self._event(HelloDone)).reply

    async def starttls(self, session: TlsSession) -> Reply:
        """Ask for TLS and shake hands. A negative reply leaves the session in plain text. Raises `TlsFailed`."""
        self._engine.starttls()
        try:
            reply = (await self._event(StartTlsDone)).reply
            if reply.is_positive:
                self._engine.tls_started()
                await self._shake_hands(session)
        except (ProtocolError, TlsError) as error:
            raise TlsFailed(self._reply("4.7.5", str(error)), self.remote) from None
        except SessionFailed as failure:
            raise TlsFailed(replace(failure.reply, enhanced="4.7.5"), self.remote) from None
        return reply

    async def auth(self, mechanism: str, user: str, secret: str) -> Reply:
        """Sign in; `secret` is a password, or an access token."""
        self._engine.auth(mechanism, user, secret)
        return (await self._event(AuthDone)).reply

    async def send(self, envelope: Envelope, content: Content) -> tuple[Reply, ...]:
        """One transaction: a reply for each recipient.

        Raises `Refused`, with nothing sent, when the server lacks what the message needs; `SessionFailed` when the
        session ended before the server answered anything, so that it may be tried elsewhere.
        """
        whole = content.in_memory and content.size <= GIVEN_WHOLE
        self._engine.begin(envelope, content.size, content.chunks() if whole else None)
        self.transactions += 1
        try:
            event = await self._event(ReadyForContent, TransactionDone)
            if isinstance(event, ReadyForContent):
                await self._stream(content)
                event = await self._event(TransactionDone)
        except SessionFailed as failure:
            if self._engine.waiting_for in _UNANSWERED:
                raise
            return self._engine.abandon(failure.reply)
        return cast("TransactionDone", event).replies

    def rest(self, seconds: float) -> None:
        """Nothing to do: say QUIT when that lasts too long."""
        self._arm(seconds)

    def quit(self) -> None:
        """End the session politely. `lost` tells when it is over."""
        if self.is_usable:
            self._engine.quit()
            self._flush()
            self._arm(self._timeouts.quit)
        else:
            self.abort()

    def abort(self) -> None:
        """End the session at once."""
        self._fail(SessionFailed(self._reply("4.4.2", "session given up"), self.remote))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        counters.connections += 1
        counters.connections_open += 1

    def connection_lost(self, exc: Exception | None) -> None:
        counters.connections_open -= 1
        self._fail(SessionFailed(self._reply("4.4.2", f"connection lost{self._phase()}"), self.remote))
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        unanswered = self._engine.unanswered
        try:
            if self._tls is not None:
                data = self._decrypt(self._tls, data)
            if data:
                self._has_spoken = True
                self._engine.receive(data)
                self._take_events()
            if self._tls is not None and self._tls.closed:
                self._close()
        except ProtocolError as error:
            self._fail(SessionFailed(self._reply("4.5.0", f"{error}{self._phase()}"), self.remote))
        except TlsError as error:
            self._fail(SessionFailed(self._reply("4.7.5", str(error)), self.remote))
        else:
            if self._flush() or self._engine.unanswered < unanswered:
                self._arm(self._patience())

    def pause_writing(self) -> None:
        self._paused = self._loop.create_future()

    def resume_writing(self) -> None:
        paused, self._paused = self._paused, None
        if paused is not None and not paused.done():
            paused.set_result(None)

    async def _shake_hands(self, session: TlsSession) -> None:
        self._tls = session
        session.start()
        self._write_ciphertext(session)
        while not session.handshake_done:
            await self._wait(self._timeouts.tls)

    def _decrypt(self, session: TlsSession, data: bytes) -> bytes:
        was_done = session.handshake_done
        try:
            return session.receive(data)
        finally:
            self._write_ciphertext(session)
            if session.handshake_done and not was_done:
                self._wake()

    def _take_events(self) -> None:
        while (event := self._engine.next_event()) is not NEED_DATA:
            if isinstance(event, Closing):
                self._close()
            else:
                self._events.append(event)
                self._wake()

    async def _event(self, *_kinds: type[_Event]) -> _Event:
        """The next event, of which the engine's state says that it is one of these kinds."""
        self._flush()
        while not self._events:
            await self._wait(self._patience())
        return cast("_Event", self._events.popleft())

    async def _wait(self, seconds: float) -> None:
        """Until something happens. Raises `SessionFailed`."""
        if self._failure is not None:
            raise self._failure
        self._arm(seconds)
        self._waiter = self._loop.create_future()
        await self._waiter
        if self._failure is not None and not self._events:
            raise self._failure

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self.resume_writing()

    async def _stream(self, content: Content) -> None:
        """Send the content at the pace that the server takes it, until the end or an answer before it."""
        async with aclosing(_chunks(content)) as chunks:
            async for chunk in chunks:
                if self._events or self._failure is not None:
                    return
                self._engine.content(chunk)
                self._flush()
                self._arm(self._timeouts.block)
                if self._paused is not None:
                    await self._paused
        self._engine.content_end()

    def _flush(self) -> bool:
        """Send what the engine has queued; whether there was any."""
        data = self._engine.data_to_send()
        if not data or self._transport is None or self._transport.is_closing():
            return False
        if self._tls is None:
            self._transport.write(data)
        else:
            self._encrypt(self._tls, data)
        return True

    def _encrypt(self, session: TlsSession, data: bytes) -> None:
        try:
            session.send(data)
        except TlsError as error:
            self._fail(SessionFailed(self._reply("4.7.5", str(error)), self.remote))
        else:
            self._write_ciphertext(session)

    def _write_ciphertext(self, session: TlsSession) -> None:
        data = session.data_to_send()
        if data and self._transport is not None:
            self._transport.write(data)

    def _close(self) -> None:
        """The server says no more. Close when what is queued has been written."""
        if self._tls is not None:
            self._tls.close()
            self._write_ciphertext(self._tls)
        if self._transport is not None:
            self._transport.close()

    def _fail(self, failure: SessionFailed) -> None:
        """The first failure is the cause of all others."""
        if self._failure is not None:
            return
        self._failure = failure
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    def _arm(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds
        if self._timer is not None and self._timer.when() <= self._deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        self._timer = None
        left = self._deadline - self._loop.time()
        if left > 0:
            self._arm(left)
        elif self._engine.waiting_for is None and self.is_usable and self._tls_is_ready:
            self.quit()
        else:
            self._fail(SessionFailed(self._reply("4.4.2", f"timed out{self._phase()}"), self.remote))

    @property
    def _tls_is_ready(self) -> bool:
        return self._tls is None or self._tls.handshake_done

    def _patience(self) -> float:
        match self._engine.waiting_for:
            case Step.GREETING:
                return self._timeouts.greeting
            case Step.DATA:
                return self._timeouts.data
            case Step.CONTENT:
                return self._timeouts.content
            case _:
                return self._timeouts.command

    def _phase(self) -> str:
        step = self._engine.waiting_for
        if not self._tls_is_ready:
            return " in the TLS handshake"
        return f" while waiting for the reply to {step.value}" if step is not None else ""

    def _reply(self, enhanced: str, text: str) -> Reply:
        return Reply(451, enhanced, f"{self.name}: {text}")


async def _chunks(content: Content) -> AsyncGenerator[bytes, None]:
    """The content's pieces; those that aren't in memory are read outside the loop."""
    chunks = content.chunks()
    if content.in_memory:
        for chunk in chunks:
            yield chunk
        return
    loop = asyncio.get_running_loop()
    while (chunk := await loop.run_in_executor(None, next, chunks, None)) is not None:
        yield chunk
