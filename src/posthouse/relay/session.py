"""One SMTP session: what the client has proved, and each event of the engine decided and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from posthouse import observe
from posthouse.mail import Client, Message, Refused, Reply
from posthouse.net.tls import ServerContext, TlsSession
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
from posthouse.relay.rate_limits import RateLimits
from posthouse.relay.transaction import Transaction
from posthouse.settings import Listener
from posthouse.smtp import (
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
    ServerEvent,
    StartTls,
    TransactionReset,
)
from posthouse.spool import NewMessage, Spool, StoreUnavailable, StoreUncertain

START_MAIL = Reply(354, "", "Start mail input; end with <CRLF>.<CRLF>")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
TLS_GO_AHEAD = Reply(220, "2.0.0", "SMTP server ready")
TLS_UNAVAILABLE = Reply(454, "4.7.0", "TLS not available due to a temporary reason")
STORE_UNAVAILABLE = Reply(452, "4.3.1", "Insufficient system resources")
LOGIN_OK = Reply(235, "2.7.0", "Authentication successful")
LOGIN_REFUSED = Reply(535, "5.7.3", "Authentication unsuccessful")
TOO_FAST = Reply(450, "4.7.1", "Message submission rate for this client has exceeded the configured limit")
"""Exchange's words for its receive connectors' MessageRateLimit, which says 421 and closes."""

log = observe.logger


@dataclass(slots=True)
class Hearing:
    """What all sessions of a listener share in a worker. `clock` tells the time, `elapsed` how much of it has gone by:
    it isn't set forward or back."""

    listener: Listener
    hostname: str
    worker: int
    census: Census
    spool: Spool
    passwords: Passwords
    rate_limits: RateLimits
    in_force: Callable[[], InForce]
    new_id: Callable[[], str]
    clock: Callable[[], float]
    elapsed: Callable[[], float]
    budget: Budget
    take: Callable[[Message], None]
    tls_context: ServerContext | None = None
    draining: bool = False


class Wire(Protocol):
    """What a session needs of its connection."""

    engine: ServerEngine
    tls: TlsSession | None

    def answer(self, reply: Reply) -> None:
        """Answer what the engine has been paused for, and go on with what came meanwhile."""
        ...

    def start_tls(self, context: ServerContext) -> None:
        """Send what is queued in plain, then take all that comes as TLS."""
        ...

    def abort(self) -> None:
        """Close without a word."""
        ...


class Session:
    """What one client has proved, and the transaction that it has open."""

    __slots__ = (
        "_candidates",
        "_connection",
        "_fault",
        "_hearing",
        "_helo",
        "_login",
        "_peer",
        "_transaction",
        "ip",
        "is_committing",
    )

    def __init__(self, hearing: Hearing, connection: Wire, ip: str) -> None:
        self._hearing = hearing
        self._connection = connection
        self.ip = ip
        self._helo = ""
        self._login: str | None = None
        self._peer: Peer | None = None
        self._candidates: Candidates | None = None
        self._transaction: Transaction | None = None
        self._fault: Reply | None = None
        self.is_committing = False

    @property
    def is_busy(self) -> bool:
        """Whether a transaction is open, so that a drain should wait for it."""
        return self._transaction is not None or self.is_committing

    def decide(self, event: ServerEvent) -> None:
        """Answer an event, at once or, for what takes time, later."""
        _HANDLERS[type(event)](self, event)

    def tls_started(self) -> None:
        """What was known of the client is forgotten (RFC 3207 4.2): who it is must be found anew."""
        self._helo = ""
        self._login = None
        self._peer = self._candidates = None

    def forget_transaction(self) -> None:
        """The open transaction ends without a message."""
        if self._transaction is not None:
            self._transaction.discard()
            self._transaction = None

    def _on_hello(self, event: Hello) -> None:
        self._helo = event.name
        listener = self._hearing.listener
        encrypted = self._connection.tls is not None
        organization = self._hearing.in_force().organization
        auth = ("LOGIN", "PLAIN") if organization.has_logins and (encrypted or listener.auth_without_tls) else ()
        # DSN only where a connector can match, so that a stranger can't order DSNs from us (docs/policy.md)
        self._connection.engine.reply_hello(
            Extensions(
                starttls=listener.tls == "starttls" and self._hearing.tls_context is not None and not encrypted,
                auth=auth,
                size=self._hearing.in_force().limits.message_size,
                dsn=bool(auth) or bool(self._candidates_in(organization)),
            )
        )

    def _on_starttls(self, event: StartTls) -> None:
        context = self._hearing.tls_context
        if context is None:
            self._connection.engine.reply(TLS_UNAVAILABLE)
            return
        self._connection.engine.reply(TLS_GO_AHEAD)
        self._connection.start_tls(context)

    def _on_credentials(self, event: Credentials) -> None:
        organization = self._hearing.in_force().organization
        check = self._hearing.passwords.check(event.password, organization.password_hash(event.user))
        check.add_done_callback(partial(self._on_password_checked, event.user))

    def _on_password_checked(self, user: str, check: asyncio.Future[bool]) -> None:
        if check.cancelled() or not check.result():
            log.info("login refused", client=self.ip, user=user)
            observe.counters.refused(LOGIN_REFUSED.enhanced)
            self._connection.answer(LOGIN_REFUSED)
            return
        self._login = user
        self._peer = self._candidates = None
        self._connection.answer(LOGIN_OK)

    def _on_mail(self, event: MailFrom) -> None:
        hearing = self._hearing
        organization = hearing.in_force().organization
        attribution = attribute(self._candidates_in(organization), event.reverse_path)
        message_id = hearing.new_id()
        refusal = check_mail(organization, self._proven(), attribution, event.reverse_path)
        if refusal is not None:
            self._refuse(refusal, message_id, event.reverse_path)
            return
        self._fault = None
        self._transaction = Transaction(
            message_id, event, organization, attribution, hostname=hearing.hostname, spool=hearing.spool
        )
        connector = attribution.connector
        if connector is not None and connector.rate_limit is not None:
            self._check_rate(self._transaction, hearing.rate_limits.take(connector))
            return
        self._connection.engine.reply(SENDER_OK)

    def _check_rate(self, transaction: Transaction, may_come: bool | asyncio.Future[bool]) -> None:
        if isinstance(may_come, asyncio.Future):
            may_come.add_done_callback(partial(self._on_rate_checked, transaction))
        elif may_come:
            self._connection.engine.reply(SENDER_OK)
        else:
            self.forget_transaction()
            self._refuse(TOO_FAST, transaction.id, transaction.mail.reverse_path)

    def _on_rate_checked(self, transaction: Transaction, check: asyncio.Future[bool]) -> None:
        if self._transaction is not transaction:  # the client has gone meanwhile
            return
        if check.result():
            self._connection.answer(SENDER_OK)
        else:
            self.forget_transaction()
            self._connection.answer(self._refusal(TOO_FAST, transaction.id, transaction.mail.reverse_path))

    def _on_rcpt(self, event: RcptTo) -> None:
        transaction = self._open_transaction()
        organization = transaction.organization
        recipient = resolve_postmaster(organization, event.recipient)
        refusal = check_rcpt(
            organization,
            self._proven(),
            transaction.attribution,
            transaction.mail.reverse_path,
            recipient.forward_path,
        )
        if refusal is not None:
            self._refuse(refusal, transaction.id, transaction.mail.reverse_path, recipient.forward_path)
            return
        transaction.recipients.append(recipient)
        self._connection.engine.reply(RECIPIENT_OK)

    def _on_data(self, event: DataBegin) -> None:
        self._connection.engine.reply(START_MAIL)

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
                self.is_committing = True
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
        self.is_committing = False
        if error is None:
            observe.counters.accepted += 1
            self._connection.answer(Reply(250, "2.6.0", f"<{transaction.id}> Queued mail for delivery"))
            if new.leased:
                self._hearing.take(new.message)
            return
        if new.leased:
            self._hearing.budget.release(new.message.content, len(new.message.envelope.recipients))
        log.error("store unavailable", id=transaction.id, reason=str(error))
        if isinstance(error, StoreUncertain):  # neither 250 nor 452 would be true
            self._connection.abort()
            return
        transaction.discard()
        observe.counters.refused(STORE_UNAVAILABLE.enhanced)
        self._connection.answer(STORE_UNAVAILABLE)

    def _on_reset(self, event: TransactionReset) -> None:
        self.forget_transaction()

    def _on_quit(self, event: Quit) -> None:
        self.forget_transaction()

    # What decisions need

    def _candidates_in(self, organization: Organization) -> Candidates:
        """The connectors that this client proves: found anew when what it has proved or the organization changes."""
        if self._candidates is None or self._candidates.organization is not organization:
            self._candidates = candidates(organization, self._proven())
        return self._candidates

    def _proven(self) -> Peer:
        """What the client has proved, kept until it proves more."""
        if self._peer is None:
            tls = self._connection.tls
            verdict = tls.peer_verdict if tls is not None else None
            self._peer = Peer(self.ip, tls is not None, verdict, self._login)
        return self._peer

    def _client(self) -> Client:
        tls = self._connection.tls
        verdict = tls.peer_verdict if tls is not None else None
        return Client(
            self.ip,
            self._helo,
            self._connection.engine.protocol,
            self._tls_text(),
            verdict.subject if verdict is not None and verdict.is_valid else "",
            self._login or "",
        )

    def _tls_text(self) -> str:
        tls = self._connection.tls
        return tls.description if tls is not None else ""

    def _open_transaction(self) -> Transaction:
        """The engine lets RCPT and content come only within a transaction that `_on_mail` opened."""
        assert self._transaction is not None
        return self._transaction

    def _refuse(self, reply: Reply, message_id: str, reverse_path: str, forward_path: str = "") -> None:
        self._connection.engine.reply(self._refusal(reply, message_id, reverse_path, forward_path))

    def _refusal(self, reply: Reply, message_id: str, reverse_path: str, forward_path: str = "") -> Reply:
        """A no, with the message id and our name, so that the client's log leads to this log line."""
        hostname = self._hearing.hostname
        observe.counters.refused(reply.enhanced)
        log.info(
            "refused", id=message_id, client=self.ip, sender=reverse_path, recipient=forward_path, reply=str(reply)
        )
        return Reply(reply.code, reply.enhanced, f"{reply.text} [{message_id} {hostname}]")


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
