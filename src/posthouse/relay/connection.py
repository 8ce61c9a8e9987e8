"""One client's connection: bytes and TLS on the one side, the engine's events on the other.

A Protocol with callbacks and no task: an idle connection costs its objects only. What can't be answered at once (a
commit, a password check) leaves the engine paused; `answer` goes on from there.
"""

from __future__ import annotations

import asyncio
from typing import cast

from posthouse import observe
from posthouse.mail import Reply
from posthouse.net.tls import ServerContext, TlsError, TlsSession
from posthouse.relay.session import Hearing, Session
from posthouse.smtp import NEED_DATA, PAUSED, ServerEngine, ServerLimits

COMMAND_TIMEOUT = 300.0
"""Seconds without a byte from the client before we hang up (RFC 5321 4.5.3.2.7)."""
READ_AHEAD = 128 << 10
"""Bytes that may wait in a paused engine before we stop reading."""

TOO_MANY_SESSIONS = Reply(421, "4.3.2", "Too many connections, try again later")
IDLE = Reply(421, "4.4.2", "Connection timed out")
CLOSING = Reply(421, "4.3.2", "Service not available, closing transmission channel")

log = observe.logger


class Connection(asyncio.Protocol):
    """Feeds the engine, lets the session decide its events, and writes the replies of a flight in one go."""

    __slots__ = ("_admitted", "_choked", "_full", "_hearing", "_transport", "active_at", "engine", "session", "tls")

    def __init__(self, hearing: Hearing, connections: set[Connection]) -> None:
        limits = hearing.in_force().limits
        self._hearing = hearing
        self._admitted = connections
        self._choked = False
        self._full = False
        self.tls: TlsSession | None = None
        self.active_at = hearing.elapsed()
        self.engine = ServerEngine(
            hearing.hostname,
            ServerLimits(size=limits.message_size, recipients=limits.recipients),
            hearing.listener.bare_lf,
            secure=hearing.listener.tls == "implicit",
        )

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        peer = transport.get_extra_info("peername")
        self.session = Session(self._hearing, self, peer[0] if peer else "")
        if peer is None:  # it has reset the connection already, and uvloop can't tell any more who it was
            self.abort()
            return
        if not self._admit():
            return
        if self._hearing.listener.tls == "implicit" and self._hearing.tls_context is not None:
            self.tls = TlsSession(self._hearing.tls_context)
        else:
            self._greet()

    def data_received(self, data: bytes) -> None:
        self.active_at = self._hearing.elapsed()
        if self.tls is not None:
            try:
                data = self._decrypt(self.tls, data)
            except TlsError as error:
                self._give_up_tls(error)
                return
        if data:
            self.engine.receive(data)
            self._run()
        if self.tls is not None and self.tls.closed:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._admitted:
            self._admitted.discard(self)
            self._hearing.census.leave(self._hearing.worker, self.session.ip)
            observe.counters.sessions_open -= 1
        self.session.forget_transaction()

    def pause_writing(self) -> None:
        """The client doesn't read its replies: read none of its commands."""
        self._choked = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._choked = False
        self._resume_reading()

    # What the session and the listener call

    def answer(self, reply: Reply) -> None:
        """Answer what the engine has been paused for, and go on with what came meanwhile."""
        if self._transport.is_closing():
            return
        self.active_at = self._hearing.elapsed()
        self.engine.reply(reply)
        if self._full:
            self._full = False
            self._resume_reading()
        self._run()

    def start_tls(self, context: ServerContext) -> None:
        """Send what is queued in plain, then take all that comes as TLS; unless the engine refuses (injection)."""
        self._flush()
        if not self.engine.should_close:
            self.tls = TlsSession(context)

    def hang_up(self, reply: Reply) -> None:
        """Say why and close."""
        if not self._transport.is_closing():
            self._send(reply.encode())
            self._close()

    def time_out(self) -> None:
        """Hang up on a client that is silent, and cut off one that doesn't even read why."""
        if self._transport.is_closing():
            self._transport.abort()
        elif not self.session.is_committing:  # who waits for our word isn't silent
            self.hang_up(IDLE)

    def abort(self) -> None:
        """Close without a word, since none would be true."""
        self._transport.abort()

    def _admit(self) -> bool:
        """Count the session in; where a limit is reached, or the worker ends, say so and close."""
        hearing, limits = self._hearing, self._hearing.in_force().limits
        refusal = CLOSING if hearing.draining else None
        if refusal is None and not hearing.census.enter(
            hearing.worker, self.session.ip, limit=limits.sessions, limit_per_client=limits.sessions_per_client
        ):
            refusal = TOO_MANY_SESSIONS
        if refusal is not None:
            observe.counters.refused(refusal.enhanced)
            self._transport.write(refusal.encode())
            self._transport.close()
            return False
        observe.counters.sessions += 1
        observe.counters.sessions_open += 1
        self._admitted.add(self)
        return True

    def _greet(self) -> None:
        self.engine.greet(Reply(220, "", f"{self._hearing.hostname} ESMTP Posthouse"))
        self._flush()

    def _run(self) -> None:
        """Have the events decided that have come, then send all their replies in one write."""
        engine, decide = self.engine, self.session.decide
        while (event := engine.next_event()) is not NEED_DATA and event is not PAUSED:
            decide(event)
        self._flush()
        if event is PAUSED and engine.buffered > READ_AHEAD:
            self._full = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._choked and not self._full and not self._transport.is_closing():
            self._transport.resume_reading()

    def _decrypt(self, tls: TlsSession, data: bytes) -> bytes:
        fresh = not tls.handshake_done
        try:
            plaintext = tls.receive(data)
        finally:
            if pending := tls.data_to_send():
                self._transport.write(pending)
        if fresh and tls.handshake_done:
            self.session.tls_started()
            if self._hearing.listener.tls == "implicit":
                self._greet()
            else:
                self.engine.tls_started()
        return plaintext

    def _flush(self) -> None:
        if data := self.engine.data_to_send():
            self._send(data)
        if self.engine.should_close:
            self._close()

    def _send(self, data: bytes) -> None:
        if self.tls is not None:
            if not self.tls.handshake_done:
                return
            try:
                self.tls.send(data)
            except TlsError as error:
                self._give_up_tls(error)
                return
            data = self.tls.data_to_send()
        if data:
            self._transport.write(data)

    def _give_up_tls(self, error: TlsError) -> None:
        log.info("tls failed", client=self.session.ip, reason=str(error))
        self._transport.close()

    def _close(self) -> None:
        """Close once all is written, close_notify included (RFC 8446 6.1)."""
        if self.tls is not None and not self._transport.is_closing():
            self.tls.close()
            if data := self.tls.data_to_send():
                self._transport.write(data)
        self._transport.close()
