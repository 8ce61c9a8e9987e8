"""The client side of SMTP without I/O: acts and bytes in, bytes and events out.

The engine keeps the list of commands that are in flight, so that a reply finds the one it answers. A transaction is
sent in one piece where the server offers PIPELINING (RFC 2920), else command by command as the replies come:

    MAIL → RCPT… → DATA → (354) content → reply      DATA waits for 354, content never goes out uninvited
    MAIL → RCPT… → BDAT n LAST content → reply       PIPELINING and CHUNKING, content given whole: no wait at all

Each recipient ends with one reply: its own if it was refused at RCPT, else the one that the transaction ended with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from posthouse.mail import Envelope, Refused, Reply
from posthouse.smtp.authentication import Exchange
from posthouse.smtp.events import NEED_DATA, NeedData
from posthouse.smtp.extensions import PeerExtensions
from posthouse.smtp.replies import ProtocolError, ReplyParser
from posthouse.smtp.transfer import Step, Transfer, command_line, mail_command, rcpt_command, stuff


@dataclass(frozen=True, slots=True)
class Greeting:
    """The server's first word. Go on with `hello` if it is positive."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class HelloDone:
    """EHLO, or HELO after it, was answered; a negative reply is HELO's."""

    reply: Reply
    extensions: PeerExtensions


@dataclass(frozen=True, slots=True)
class StartTlsDone:
    """After a positive reply shake hands, then call `tls_started` and `hello`."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class AuthDone:
    reply: Reply


@dataclass(frozen=True, slots=True)
class ReadyForContent:
    """354: send the content with `content` and `content_end`."""


@dataclass(frozen=True, slots=True)
class TransactionDone:
    """One reply for each recipient, in order."""

    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class Closing:
    """The server ends the session: a 421 that no command had asked for (RFC 5321 3.8), or the answer to QUIT."""

    reply: Reply


_INTERMEDIATE: Final = {Step.AUTH: 334, Step.DATA: 354}

ClientEvent = Greeting | HelloDone | StartTlsDone | AuthDone | ReadyForContent | TransactionDone | Closing


class ClientEngine:
    """One session with a server. `closing` says that it takes no further transaction."""

    __slots__ = (
        "_awaited",
        "_exchange",
        "_helo_name",
        "_out",
        "_parser",
        "_reset_due",
        "_transfer",
        "closing",
        "extensions",
    )

    def __init__(self, helo_name: str) -> None:
        self.extensions = PeerExtensions()
        self.closing = False
        self._helo_name = helo_name
        self._parser = ReplyParser()
        self._out: list[bytes] = []
        self._awaited: deque[Step] = deque([Step.GREETING])
        self._exchange: Exchange | None = None
        self._transfer: Transfer | None = None
        self._reset_due = False

    @property
    def waiting_for(self) -> Step | None:
        """The oldest thing that is unanswered."""
        return self._awaited[0] if self._awaited else None

    @property
    def unanswered(self) -> int:
        """How many commands are in flight."""
        return len(self._awaited)

    def data_to_send(self) -> bytes:
        """Take what is queued."""
        out, self._out = self._out, []
        return b"".join(out)

    def receive(self, data: bytes) -> None:
        self._parser.feed(data)

    def next_event(self) -> ClientEvent | NeedData:
        """What happened next, or `NEED_DATA`. Raises `ProtocolError`, which ends the session."""
        try:
            while (reply := self._parser.next_reply()) is not None:
                event = self._take(reply)
                if event is not None:
                    return event
        except ProtocolError:
            self.closing = True
            raise
        return NEED_DATA

    def hello(self) -> None:
        self._command(Step.EHLO, f"EHLO {self._helo_name}")

    def starttls(self) -> None:
        self._command(Step.STARTTLS, "STARTTLS")

    def tls_started(self) -> None:
        """Forget what was learnt in plain text (RFC 3207 4.2). What came behind the 220 can only be an injection."""
        if not self._parser.is_empty:
            self.closing = True
            raise ProtocolError("plain text behind the reply to STARTTLS")
        self.extensions = PeerExtensions()

    def auth(self, mechanism: str, user: str, secret: str) -> None:
        """Sign in with PLAIN, LOGIN or XOAUTH2 (whose secret is the access token)."""
        self._exchange = Exchange(mechanism, user, secret)
        self._command(Step.AUTH, self._exchange.command)

    def quit(self) -> None:
        self.closing = True
        self._command(Step.QUIT, "QUIT")

    def begin(self, envelope: Envelope, size: int, content: Iterable[bytes] | None = None) -> None:
        """Start a transaction. Content given here is sent as soon as possible, else `ReadyForContent` asks for it.

        Raises `Refused`, with nothing sent, where the server lacks what the message needs or an address is no address.
        """
        shortfall = self.extensions.shortfall(envelope, size)
        if shortfall is not None:
            raise Refused(shortfall)
        commands = [(Step.RSET, b"RSET\r\n")] if self._reset_due else []
        commands.append((Step.MAIL, mail_command(envelope, size, self.extensions)))
        commands += [(Step.RCPT, rcpt_command(recipient, self.extensions)) for recipient in envelope.recipients]
        transfer = self._transfer = Transfer(len(envelope.recipients), content)
        self._reset_due = True
        if not self.extensions.pipelining:
            transfer.unsent.extend((*commands, (Step.DATA, b"DATA\r\n")))
            self._send_next(transfer)
        elif content is None or not self.extensions.chunking:
            self._send_all((*commands, (Step.DATA, b"DATA\r\n")))
        else:
            self._send_all((*commands, (Step.CONTENT, b"BDAT %d LAST\r\n" % size)))
            self._out += content

    def content(self, chunk: bytes) -> None:
        """Queue a piece of the content asked for by `ReadyForContent`, dots stuffed (RFC 5321 4.5.2)."""
        if chunk and (transfer := self._transfer) is not None:
            self._out.append(stuff(chunk, transfer.tail))
            transfer.tail = chunk[-2:] if len(chunk) > 1 else transfer.tail[-1:] + chunk

    def content_end(self) -> None:
        """Queue the end of data, behind a line end if the content has none."""
        if (transfer := self._transfer) is not None:
            transfer.is_open = False
            self._out.append(b".\r\n" if transfer.tail == b"\r\n" else b"\r\n.\r\n")

    def abandon(self, reply: Reply) -> tuple[Reply, ...]:
        """The connection is gone: what each recipient of the transaction is left with, `reply` where nothing better."""
        self.closing = True
        self._awaited.clear()
        return self._finish(self._transfer, reply).replies if self._transfer is not None else ()

    def _command(self, step: Step, line: str) -> None:
        self._awaited.append(step)
        self._out.append(command_line(line))

    def _send_all(self, commands: Iterable[tuple[Step, bytes]]) -> None:
        for step, command in commands:
            self._awaited.append(step)
            self._out.append(command)

    def _send_next(self, transfer: Transfer) -> None:
        self._send_all((transfer.unsent.popleft(),))

    def _take(self, reply: Reply) -> ClientEvent | None:
        if reply.code == 421:
            self.closing = True
        if not self._awaited:
            return self._take_unasked(reply)
        step = self._awaited.popleft()
        if 300 <= reply.code < 400 and reply.code != _INTERMEDIATE.get(step):
            raise ProtocolError(f"{step.value} was answered {reply}")
        if self._transfer is None:
            return self._take_outside_transaction(step, reply)
        return self._take_in_transaction(self._transfer, step, reply)

    def _take_unasked(self, reply: Reply) -> ClientEvent:
        if reply.code != 421:
            raise ProtocolError(f"a reply that nothing asked for: {reply}")
        return Closing(reply)

    def _take_outside_transaction(self, step: Step, reply: Reply) -> ClientEvent | None:
        match step:
            case Step.GREETING:
                return Greeting(reply)
            case Step.EHLO:
                return self._take_ehlo(reply)
            case Step.HELO:
                return HelloDone(reply, self.extensions)
            case Step.STARTTLS:
                return StartTlsDone(reply)
            case Step.AUTH:
                return self._take_auth(reply)
            case _:
                return Closing(reply)

    def _take_ehlo(self, reply: Reply) -> ClientEvent | None:
        """A 5yz to EHLO means a server from before 1993 (RFC 5321 4.1.4)."""
        if reply.is_permanent:
            self._command(Step.HELO, f"HELO {self._helo_name}")
            return None
        if reply.is_positive:
            self.extensions = PeerExtensions.parse(reply.text)
        return HelloDone(reply, self.extensions)

    def _take_auth(self, reply: Reply) -> ClientEvent | None:
        if reply.code == 334 and self._exchange is not None:
            self._command(Step.AUTH, self._exchange.next_response())
            return None
        self._exchange = None
        return AuthDone(reply)

    def _take_in_transaction(self, transfer: Transfer, step: Step, reply: Reply) -> ClientEvent | None:
        if reply.code == 421:
            self._awaited.clear()
            return self._finish(transfer, reply)
        match step:
            case Step.MAIL:
                return self._take_mail(transfer, reply)
            case Step.RCPT:
                transfer.answer(reply)
                return self._go_on(transfer, reply)
            case Step.CONTENT:
                return self._take_content(transfer, reply)
            case Step.DATA:
                return self._take_data(transfer, reply)
            case _:
                return self._take_rset(transfer, reply)

    def _take_rset(self, transfer: Transfer, reply: Reply) -> ClientEvent | None:
        if not reply.is_positive:
            raise ProtocolError(f"RSET was answered {reply}")
        return self._go_on(transfer, reply)

    def _take_mail(self, transfer: Transfer, reply: Reply) -> ClientEvent | None:
        if reply.is_positive:
            return self._go_on(transfer, reply)
        transfer.refuse(reply)
        return None if self._awaited else self._finish(transfer, reply)

    def _go_on(self, transfer: Transfer, reply: Reply) -> ClientEvent | None:
        """Without PIPELINING: send what comes next, but no DATA for nobody."""
        if not transfer.unsent:
            return None
        if transfer.unsent[0][0] is Step.DATA and not transfer.has_recipients:
            return self._finish(transfer, reply)
        self._send_next(transfer)
        return None

    def _take_data(self, transfer: Transfer, reply: Reply) -> ClientEvent | None:
        if not reply.is_positive:
            return self._finish(transfer, reply)
        if reply.code != 354:
            raise ProtocolError(f"DATA was answered {reply}")
        self._awaited.append(Step.CONTENT)
        transfer.is_open = True
        if not transfer.has_recipients:
            self.content_end()  # the server takes data for nobody: send none (RFC 2920 3.1)
            return None
        if transfer.content is None:
            return ReadyForContent()
        for chunk in transfer.content:
            self.content(chunk)
        self.content_end()
        return None

    def _take_content(self, transfer: Transfer, reply: Reply) -> ClientEvent:
        if transfer.is_open:
            self.closing = True  # it would read what is left of the content as commands
            if reply.is_positive:
                raise ProtocolError(f"content was answered before its end: {reply}")
        self._reset_due = not reply.is_positive
        return self._finish(transfer, reply)

    def _finish(self, transfer: Transfer, reply: Reply) -> TransactionDone:
        self._transfer = None
        return TransactionDone(transfer.replies(reply))
