"""One SMTP session of a client: bytes in, the engine's events decided, replies out.

A Protocol with callbacks and no task: an idle session costs its objects only. What can't be answered at once (a commit,
a password check) leaves the engine paused; the answer's callback goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from posthouse import observe
from posthouse.mail import Client, Message, Refused, Reply
from posthouse.net.tls import ServerContext, TlsError, TlsSession
from posthouse.organization import (
    Candidates,
    Organization,
    Peer,
    attribute,
    candidates,
    check_mail,
    check_rcpt,
    resolve_postmaster,
)
from posthouse.relay.budget import Budget
from posthouse.relay.census import Census
from posthouse.relay.in_force import InForce
from posthouse.relay.passwords import Passwords
from posthouse.relay.transaction import Transaction
from posthouse.settings import Listener
from posthouse.smtp import (
    NEED_DATA,
    PAUSED,
    ContentChunk,
    Credentials,
    DataBegin,
    Extensions,
    Hello,
    MailFrom,
    MessageEnd,
    Quit,
    RcptTo,
    ServerEngine,
    ServerLimits,
    StartTls,
    TransactionReset,
)
from posthouse.spool import NewMessage, Spool, StoreUnavailable, StoreUncertain

COMMAND_TIMEOUT = 300.0
"""Seconds without a byte from the client before we hang up (RFC 5321 4.5.3.2.7)."""
READ_AHEAD = 128 << 10
"""Bytes that may wait in a paused engine before we stop reading."""

TOO_MANY_SESSIONS = Reply(421, "4.3.2", "Too many connections, try again later")
IDLE = Reply(421, "4.4.2", "Connection timed out")
CLOSING = Reply(421, "4.3.2", "Service not available, closing transmission channel")
START_MAIL = Reply(354, "", "Start mail input; end with <CRLF>.<CRLF>")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
TLS_GO_AHEAD = Reply(220, "2.0.0", "SMTP server ready")
TLS_UNAVAILABLE = Reply(454, "4.7.0", "TLS not available due to a temporary reason")
STORE_UNAVAILABLE = Reply(452, "4.3.1", "Insufficient system resources")
LOGIN_OK = Reply(235, "2.7.0", "Authentication successful")
LOGIN_REFUSED = Reply(535, "5.7.3", "Authentication unsuccessful")

log = observe.logger


@dataclass(slots=True)
class Hearing:
    """What all sessions of a listener share in a worker."""

    listener: Listener
    hostname: str
    worker: int
    census: Census
    spool: Spool
    passwords: Passwords
    in_force: Callable[[], InForce]
    new_id: Callable[[], str]
    clock: Callable[[], float]
    budget: Budget
    take: Callable[[Message], None]
    tls_context: ServerContext | None = None
    sessions: set[Session] = field(default_factory=set["Session"])
    draining: bool = False


class Session(asyncio.Protocol):
    """The server's side of one connection."""

    __slots__ = (
        "__weakref__",
        "_candidates",
        "_committing",
        "_engine",
        "_fault",
        "_hearing",
        "_helo",
        "_ip",
        "_limits",
        "_login",
        "_paused",
        "_tls",
        "_transaction",
        "_transport",
        "active_at",
    )

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        limits = hearing.in_force().limits
        self._limits = limits
        self._engine = ServerEngine(
            hearing.hostname,
            ServerLimits(size=limits.message_size, recipients=limits.recipients),
            hearing.listener.bare_lf,
            secure=hearing.listener.tls == "implicit",
        )
        self._tls: TlsSession | None = None
        self._helo = ""
        self._ip = ""
        self._login: str | None = None
        self._candidates: Candidates | None = None
        self._transaction: Transaction | None = None
        self._fault: Reply | None = None
        self._paused = False
        self._committing = False
        self.active_at = 0.0

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        hearing = self._hearing
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._ip = transport.get_extra_info("peername")[0]
        self.active_at = hearing.clock()
        admitted = hearing.census.enter(
            hearing.worker,
            self._ip,
            limit=self._limits.sessions,
            limit_per_client=self._limits.sessions_per_client,
        )
        if not admitted or hearing.draining:
            self._transport.write((CLOSING if admitted else TOO_MANY_SESSIONS).encode())
            transport.close()
            if admitted:
                hearing.census.leave(hearing.worker, self._ip)
            return
        hearing.sessions.add(self)
        if hearing.listener.tls == "implicit" and hearing.tls_context is not None:
            self._tls = TlsSession(hearing.tls_context)
        else:
            self._greet()

    def data_received(self, data: bytes) -> None:
        self.active_at = self._hearing.clock()
        if self._tls is not None:
            try:
                data = self._decrypt(self._tls, data)
            except TlsError as error:
                log.info("tls failed", client=self._ip, reason=str(error))
                self._transport.close()
                return
        if data:
            self._engine.receive(data)
            self._run()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._hearing.sessions:
            self._hearing.sessions.discard(self)
            self._hearing.census.leave(self._hearing.worker, self._ip)
        self._forget_transaction()

    def pause_writing(self) -> None:
        """The client doesn't read its replies: read none of its commands."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def hang_up(self, reply: Reply) -> None:
        """Say why and close."""
        if self._transport.is_closing():
            return
        self._send(reply.encode())
        self._transport.close()

    @property
    def is_busy(self) -> bool:
        """Whether a transaction is open, so that a drain should wait for it."""
        return self._transaction is not None or self._committing

    def _decrypt(self, tls: TlsSession, data: bytes) -> bytes:
        fresh = not tls.handshake_done
        try:
            plaintext = tls.receive(data)
        finally:
            if pending := tls.data_to_send():
                self._transport.write(pending)
        if fresh and tls.handshake_done:
            self._candidates = None
            if self._hearing.listener.tls == "implicit":
                self._greet()
            else:
                self._engine.tls_started()
        return plaintext

    def _greet(self) -> None:
        self._engine.greet(Reply(220, "", f"{self._hearing.hostname} ESMTP Posthouse"))
        self._flush()

    def _send(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.send(data)
            data = self._tls.data_to_send()
        if data:
            self._transport.write(data)

    def _flush(self) -> None:
        if data := self._engine.data_to_send():
            self._send(data)
        if self._engine.should_close:
            self._transport.close()

    # The dialogue

    def _run(self) -> None:
        """Decide the events that have come, then send all their replies in one write."""
        engine = self._engine
        while (event := engine.next_event()) is not NEED_DATA and event is not PAUSED:
            _HANDLERS[type(event)](self, event)
        self._flush()
        if event is PAUSED and engine.buffered > READ_AHEAD:
            self._paused = True
            self._transport.pause_reading()

    def _answer(self, reply: Reply) -> None:
        """Answer what the engine has been paused for, and go on with what came meanwhile."""
        if self._transport.is_closing():
            return
        self.active_at = self._hearing.clock()
        self._engine.reply(reply)
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._run()

    def _on_hello(self, event: Hello) -> None:
        self._helo = event.name
        listener = self._hearing.listener
        encrypted = self._tls is not None
        organization = self._hearing.in_force().organization
        auth = ("LOGIN", "PLAIN") if organization.has_logins and (encrypted or listener.auth_without_tls) else ()
        # DSN only where a connector can match, so that a stranger can't order DSNs from us (docs/policy.md)
        self._engine.reply_hello(
            Extensions(
                starttls=listener.tls == "starttls" and self._hearing.tls_context is not None and not encrypted,
                auth=auth,
                size=self._limits.message_size,
                dsn=bool(auth) or bool(self._candidates_in(organization)),
            )
        )

    def _on_starttls(self, event: StartTls) -> None:
        context = self._hearing.tls_context
        if context is None:
            self._engine.reply(TLS_UNAVAILABLE)
            return
        self._engine.reply(TLS_GO_AHEAD)
        self._flush()
        if not self._engine.should_close:
            self._tls = TlsSession(context)

    def _on_credentials(self, event: Credentials) -> None:
        organization = self._hearing.in_force().organization
        check = self._hearing.passwords.check(event.password, organization.password_hash(event.user))
        check.add_done_callback(partial(self._on_password_checked, event.user))

    def _on_password_checked(self, user: str, check: asyncio.Future[bool]) -> None:
        if check.cancelled() or not check.result():
            log.info("login refused", client=self._ip, user=user)
            self._answer(LOGIN_REFUSED)
            return
        self._login = user
        self._candidates = None
        self._answer(LOGIN_OK)

    def _on_mail(self, event: MailFrom) -> None:
        hearing = self._hearing
        organization = hearing.in_force().organization
        attribution = attribute(organization, self._candidates_in(organization), event.reverse_path)
        message_id = hearing.new_id()
        refusal = check_mail(organization, self._peer(), attribution, event.reverse_path)
        if refusal is not None:
            self._refuse(refusal, message_id, event.reverse_path)
            return
        self._fault = None
        self._transaction = Transaction(
            message_id, event, organization, attribution, hostname=hearing.hostname, spool=hearing.spool
        )
        self._engine.reply(SENDER_OK)

    def _on_rcpt(self, event: RcptTo) -> None:
        transaction = self._open_transaction()
        organization = transaction.organization
        recipient = resolve_postmaster(organization, event.recipient)
        refusal = check_rcpt(
            organization,
            self._peer(),
            transaction.attribution,
            transaction.mail.reverse_path,
            recipient.forward_path,
        )
        if refusal is not None:
            self._refuse(refusal, transaction.id, transaction.mail.reverse_path, recipient.forward_path)
            return
        transaction.recipients.append(recipient)
        self._engine.reply(RECIPIENT_OK)

    def _on_data(self, event: DataBegin) -> None:
        self._engine.reply(START_MAIL)

    def _on_content(self, event: ContentChunk) -> None:
        if self._fault is not None:
            return
        try:
            self._open_transaction().add_content(event.data)
        except Refused as refused:
            self._fault = refused.reply
        except StoreUnavailable as error:
            log.error("store unavailable", reason=str(error))
            self._fault = STORE_UNAVAILABLE

    def _on_message_end(self, event: MessageEnd) -> None:
        transaction = self._open_transaction()
        self._transaction = None
        fault = event.fault or self._fault
        hearing = self._hearing
        if fault is None:
            try:
                new = transaction.finish(self._client(), self._tls_text(), hearing.clock(), hearing.budget)
                self._committing = True
                hearing.spool.accept(new, partial(self._on_committed, transaction, new))
                return
            except Refused as refused:
                fault = refused.reply
            except StoreUnavailable as error:
                log.error("store unavailable", reason=str(error))
                fault = STORE_UNAVAILABLE
        transaction.discard()
        self._refuse(fault, transaction.id, transaction.mail.reverse_path)

    def _on_committed(self, transaction: Transaction, new: NewMessage, error: BaseException | None) -> None:
        """The store's word. A durable message goes on its way, whether or not the client is still there."""
        self._committing = False
        if error is None:
            self._answer(Reply(250, "2.6.0", f"<{transaction.id}> Queued mail for delivery"))
            if new.leased:
                self._hearing.take(new.message)
            return
        if new.leased:
            self._hearing.budget.release(new.message.content)
        log.error("store unavailable", id=transaction.id, reason=str(error))
        if isinstance(error, StoreUncertain):  # neither 250 nor 452 would be true
            self._transport.abort()
            return
        transaction.discard()
        self._answer(STORE_UNAVAILABLE)

    def _on_reset(self, event: TransactionReset) -> None:
        self._forget_transaction()

    def _on_quit(self, event: Quit) -> None:
        self._forget_transaction()

    # What decisions need

    def _candidates_in(self, organization: Organization) -> Candidates:
        """The connectors that this client proves: found anew when what it has proved or the organization changes."""
        if self._candidates is None or self._candidates.organization is not organization:
            self._candidates = candidates(organization, self._peer())
        return self._candidates

    def _peer(self) -> Peer:
        tls = self._tls
        return Peer(self._ip, tls is not None, tls.peer_verdict if tls is not None else None, self._login)

    def _client(self) -> Client:
        verdict = self._tls.peer_verdict if self._tls is not None else None
        return Client(
            self._ip,
            self._helo,
            self._engine.protocol,
            self._tls_text(),
            str(verdict) if verdict is not None else "",
            self._login or "",
        )

    def _tls_text(self) -> str:
        return self._tls.description if self._tls is not None else ""

    def _open_transaction(self) -> Transaction:
        """The engine lets RCPT and content come only within a transaction that `_on_mail` opened."""
        assert self._transaction is not None
        return self._transaction

    def _forget_transaction(self) -> None:
        if self._transaction is not None:
            self._transaction.discard()
            self._transaction = None

    def _refuse(self, reply: Reply, message_id: str, reverse_path: str, forward_path: str = "") -> None:
        """Answer no, with the message id and our name, so that the client's log leads to this log line."""
        hostname = self._hearing.hostname
        log.info(
            "refused", id=message_id, client=self._ip, sender=reverse_path, recipient=forward_path, reply=str(reply)
        )
        self._engine.reply(Reply(reply.code, reply.enhanced, f"{reply.text} [{message_id} {hostname}]"))


_HANDLERS: dict[type, Callable[[Session, Any], None]] = {
    ContentChunk: Session._on_content,
    Credentials: Session._on_credentials,
    DataBegin: Session._on_data,
    Hello: Session._on_hello,
    MailFrom: Session._on_mail,
    MessageEnd: Session._on_message_end,
    Quit: Session._on_quit,
    RcptTo: Session._on_rcpt,
    StartTls: Session._on_starttls,
    TransactionReset: Session._on_reset,
}
