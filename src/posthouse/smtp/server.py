"""The server side of SMTP without I/O: bytes in, events out; replies in, bytes out (RFC 5321).

The session feeds what it reads to `receive`, takes events from `next_event` until that is NEED_DATA or PAUSED, answers
each event that pauses with `reply`, and writes `data_to_send` whenever there is something, so that the replies to a
pipelined group leave together (RFC 2920 3.2). A transaction's events, in order:

    Hello → MailFrom → RcptTo… → DataBegin → ContentChunk… → MessageEnd      at RSET or EHLO TransactionReset instead

Hello, StartTls, Credentials, MailFrom, RcptTo, DataBegin and MessageEnd pause; what is behind them waits. What is wrong
in itself never reaches the session. What is legal when is in `states`, most replies of the engine's own in `answers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Literal

from posthouse.mail import Refused, Reply
from posthouse.smtp import answers
from posthouse.smtp.buffer import ReceiveBuffer
from posthouse.smtp.chunking import Chunk
from posthouse.smtp.dot import DotScanner
from posthouse.smtp.events import (
    NEED_DATA,
    NO_EXTENSIONS,
    PAUSED,
    ContentChunk,
    Credentials,
    DataBegin,
    Extensions,
    Hello,
    MailFrom,
    MessageEnd,
    PausingEvent,
    Quit,
    RcptTo,
    ServerEvent,
    ServerLimits,
    Signal,
    StartTls,
    TransactionReset,
)
from posthouse.smtp.grammar import command_text, hello_name
from posthouse.smtp.outgoing import Outgoing
from posthouse.smtp.parameters import parse_mail, parse_rcpt
from posthouse.smtp.sasl import Exchange
from posthouse.smtp.screen import TOO_BIG, ContentScreen
from posthouse.smtp.states import State, Transaction, out_of_order

_NOT_PAUSING: Final = (Signal, ContentChunk, TransactionReset, Quit)
_SILENT: Final = frozenset({State.GREETING, State.HANDSHAKE})
_BARE: Final = frozenset({"DATA", "RSET", "QUIT", "STARTTLS"})
_UNCOUNTED: Final = frozenset({"RCPT", "BDAT"})  # they bring a message nearer; where they don't, they count themselves

_Reader = DotScanner | Chunk | Exchange | None
"""What the next octets are for: the content of DATA, that of BDAT, the steps of AUTH, or commands."""


class ServerEngine:
    """One session. `secure`: it is under TLS; from the start where TLS is implicit."""

    __slots__ = (
        "_authenticated",
        "_awaiting",
        "_buffer",
        "_extended",
        "_following",
        "_hostname",
        "_limits",
        "_offered",
        "_out",
        "_reader",
        "_repair",
        "_screen",
        "_state",
        "_transaction",
        "secure",
    )

    def __init__(
        self,
        hostname: str,
        limits: ServerLimits,
        bare_lf: Literal["refuse", "repair"] = "refuse",
        *,
        secure: bool = False,
    ) -> None:
        self.secure = secure
        self._hostname = hostname
        self._limits = limits
        self._repair = bare_lf == "repair"
        self._buffer = ReceiveBuffer()
        self._out = Outgoing(limits)
        self._begin(State.GREETING)

    def _begin(self, state: State) -> None:
        """Know nothing of the client."""
        self._state = state
        self._offered = NO_EXTENSIONS
        self._extended = False
        self._authenticated = False
        self._awaiting: PausingEvent | None = None
        self._following: ServerEvent | None = None
        self._reader: _Reader = None
        self._transaction = Transaction()

    @property
    def buffered(self) -> int:
        """Octets that wait to be read. They pile up only while the engine is paused: stop reading then."""
        return 0 if self._out.closing else len(self._buffer)

    @property
    def should_close(self) -> bool:
        """The last word is queued: send it, then close."""
        return self._out.closing

    @property
    def protocol(self) -> str:
        """For the `with` clause of Received (RFC 3848, RFC 6531 3.7.3)."""
        if not self._extended:
            return "SMTP"
        name = "UTF8SMTP" if self._transaction.smtputf8 else "ESMTP"
        return f"{name}{'S' if self.secure else ''}{'A' if self._authenticated else ''}"

    # What the session does

    def greet(self, reply: Reply) -> None:
        """Queue the banner. 220 opens the session, 421 closes it, 554 leaves the client only QUIT (RFC 5321 3.1)."""
        self._state = State.START if reply.is_positive else State.REFUSED
        self._out.queue(reply)

    def receive(self, data: bytes) -> None:
        if not self._out.closing:
            self._buffer.append(data)

    def next_event(self) -> ServerEvent | Signal:
        event, self._following = self._following, None
        while event is None:
            if self._out.closing:
                return NEED_DATA
            if self._awaiting is not None or self._state in _SILENT:
                return PAUSED
            event = self._read()
        if not isinstance(event, _NOT_PAUSING):
            self._awaiting = event
        return event

    def reply(self, reply: Reply) -> None:
        """Answer the event that paused the engine; a positive reply advances the state."""
        event, self._awaiting = self._awaiting, None
        if event is None:
            raise RuntimeError("reply() needs an event that waits for one")
        if reply.is_positive:
            self._accepted(event, reply)
        else:
            self._refused(event, reply)

    def reply_hello(self, extensions: Extensions) -> None:
        """Accept Hello: HELO with one line, EHLO with the list. Only what is offered here is accepted later."""
        event, self._awaiting = self._awaiting, None
        if not isinstance(event, Hello):
            raise RuntimeError("reply_hello() needs a Hello that waits for it")
        self._state = State.READY
        self._extended = event.extended
        self._offered = extensions if event.extended else NO_EXTENSIONS
        self._out.queue(answers.hello(self._hostname, extensions if event.extended else None))

    def tls_started(self) -> None:
        """The handshake is done: what was known from before it is forgotten (RFC 3207 4.2)."""
        self.secure = True
        self._buffer.clear()
        self._begin(State.START)

    def data_to_send(self) -> bytes:
        """Take what is queued."""
        return self._out.take()

    # What a reply leads to

    def _accepted(self, event: PausingEvent, reply: Reply) -> None:
        match event:
            case MailFrom():
                self._state = State.MAIL
                self._transaction.smtputf8 = event.smtputf8
            case RcptTo():
                self._state = State.RECIPIENTS
                self._transaction.recipients += 1
            case DataBegin():
                return self._begin_content(reply)
            case MessageEnd():
                self._end_transaction()
                self._out.message_completed()
            case StartTls():
                return self._begin_tls(reply)
            case Credentials():
                self._authenticated = True
            case Hello():
                raise RuntimeError("a Hello is accepted by reply_hello()")
        return self._out.queue(reply)

    def _begin_content(self, reply: Reply) -> None:
        self._screen = ContentScreen(self._limits.size, repair=self._repair)
        if isinstance(self._reader, Chunk):
            self._state = State.CHUNKS
        else:
            self._reader = DotScanner()
            self._out.queue(reply)

    def _begin_tls(self, reply: Reply) -> None:
        if self._buffer:
            self._out.close(answers.STARTTLS_INJECTION)
        else:
            self._out.queue(reply)
            self._state = State.HANDSHAKE

    def _refused(self, event: PausingEvent, reply: Reply) -> None:
        if isinstance(event, DataBegin) and isinstance(self._reader, Chunk):
            self._state = State.CHUNKS
            self._reader.refusal = self._transaction.refusal = reply
            return
        if isinstance(event, MessageEnd):
            self._end_transaction()
        self._out.answer(reply)

    def _end_transaction(self) -> TransactionReset:
        self._state = State.READY
        self._transaction = Transaction()
        return TransactionReset()

    # Reading. Each returns what became of the octets: an event, NEED_DATA, or None for what makes no event.

    def _read(self) -> ServerEvent | Signal | None:
        match self._reader:
            case None if not self._buffer:
                return NEED_DATA
            case DotScanner() as scanner:
                return self._read_data(scanner)
            case Chunk() as chunk:
                return self._read_chunk(chunk)
            case exchange:
                try:
                    return self._read_line(exchange)
                except Refused as refused:
                    self._reader = None
                    self._out.answer(refused.reply)
                    return None

    def _read_line(self, exchange: Exchange | None) -> ServerEvent | Signal | None:
        is_long = len(self._buffer) >= self._limits.line
        is_auth = exchange or (is_long and self._buffer.peek(5).upper() == b"AUTH ")
        line = self._buffer.next_line(self._limits.auth_line if is_auth else self._limits.line)
        if line is None:
            return NEED_DATA
        text = command_text(line)
        return self._authenticate(exchange, text) if exchange else self._command(text)

    def _read_data(self, scanner: DotScanner) -> ServerEvent | Signal | None:
        data = self._buffer.take()
        if not data:
            return NEED_DATA
        content, finished, rest = scanner.feed(data)
        piece = self._screen.admit(content)
        if not finished:
            return ContentChunk(piece) if piece else None
        self._buffer.append(rest)
        self._reader = None
        return self._end_content(piece)

    def _read_chunk(self, chunk: Chunk) -> ServerEvent | Signal | None:
        data = chunk.take(self._buffer)
        if not data and chunk.left:
            return NEED_DATA
        piece = b"" if chunk.refusal else self._screen.admit(data)
        if not chunk.left:
            self._reader = None
            return self._end_chunk(chunk, piece)
        return ContentChunk(piece) if piece else None

    def _end_chunk(self, chunk: Chunk, piece: bytes) -> ServerEvent | None:
        if chunk.refusal:
            self._out.answer(chunk.refusal)
            return self._end_transaction() if chunk.is_last and self._state is State.CHUNKS else None
        if chunk.is_last:
            return self._end_content(piece)
        self._out.queue(answers.chunk_received(chunk.octets))
        return ContentChunk(piece) if piece else None

    def _end_content(self, piece: bytes) -> ServerEvent:
        piece += self._screen.finish()
        end = MessageEnd(self._screen.size, self._screen.fault)
        if not piece:
            return end
        self._following = end
        return ContentChunk(piece)

    # Commands

    def _command(self, text: str) -> ServerEvent | None:
        verb, _, argument = text.partition(" ")
        verb, argument = verb.upper(), argument.lstrip(" ")
        if verb not in _UNCOUNTED and not self._out.count_command():
            return None
        handle = self._COMMANDS.get(verb)
        if handle is None and verb not in answers.STATELESS:
            raise Refused(answers.UNKNOWN_COMMAND)
        if verb != "BDAT" and (reply := out_of_order(self._state, verb)):
            raise Refused(reply)
        if argument and verb in _BARE:
            raise Refused(answers.syntax(verb))
        if handle is not None:
            return handle(self, argument)
        self._out.answer(answers.STATELESS[verb](argument))
        return None

    def _helo(self, argument: str) -> ServerEvent:
        return self._hello(argument, "HELO")

    def _ehlo(self, argument: str) -> ServerEvent:
        return self._hello(argument, "EHLO")

    def _hello(self, argument: str, verb: str) -> ServerEvent:
        if not argument:
            raise Refused(answers.syntax(f"{verb} hostname"))
        hello = Hello(hello_name(argument), extended=verb == "EHLO")
        if not self._state.in_transaction:
            return hello
        self._following = hello  # RFC 5321 4.1.4: as if RSET had come first
        return self._end_transaction()

    def _mail(self, argument: str) -> ServerEvent:
        event = parse_mail(argument, self._offered)
        if 0 < self._limits.size < (event.size or 0):
            raise Refused(TOO_BIG)  # RFC 1870 6.1
        return event

    def _rcpt(self, argument: str) -> ServerEvent | None:
        event = parse_rcpt(argument, self._offered, smtputf8=self._transaction.smtputf8)
        if not 0 < self._limits.recipients <= self._transaction.recipients:
            return event
        if self._out.count_command():  # no error: these are to be sent in another transaction (RFC 5321 4.5.3.1.10)
            self._out.queue(answers.TOO_MANY_RECIPIENTS)
        return None

    def _data(self, _argument: str) -> ServerEvent:
        return DataBegin()

    def _bdat(self, argument: str) -> ServerEvent | None:
        """The octets follow whatever we think of the command (RFC 3030 2): count them before judging it."""
        chunk = Chunk.parse(argument)
        if chunk is None:
            return self._out.close(answers.BAD_CHUNK)
        if not chunk.octets and not self._out.count_command():
            return None
        chunk.refusal = out_of_order(self._state, "BDAT") or self._transaction.refusal
        if not self._offered.chunking:
            chunk.refusal = answers.CHUNKING_NOT_OFFERED
        self._reader = chunk
        return DataBegin() if self._state is State.RECIPIENTS and not chunk.refusal else None

    def _rset(self, _argument: str) -> ServerEvent | None:
        self._out.queue(answers.OK)
        return self._end_transaction() if self._state.in_transaction else None

    def _quit(self, _argument: str) -> ServerEvent:
        self._out.queue(answers.farewell(self._hostname))
        return Quit()

    def _starttls(self, _argument: str) -> ServerEvent:
        if self.secure or not self._offered.starttls:
            raise Refused(answers.STARTTLS_NOT_OFFERED)
        return StartTls()

    def _auth(self, argument: str) -> ServerEvent | None:
        if self._authenticated:
            raise Refused(answers.ALREADY_AUTHENTICATED)
        if not self._offered.auth:
            raise Refused(answers.AUTH_NOT_OFFERED if self.secure else answers.ENCRYPTION_REQUIRED)
        return self._authenticate(Exchange(argument, self._offered.auth), None)

    def _authenticate(self, exchange: Exchange, line: str | None) -> ServerEvent | None:
        step = exchange.step(line)
        if isinstance(step, Credentials):
            self._reader = None
            return step
        self._reader = exchange
        self._out.challenge(step)
        return None

    _COMMANDS: ClassVar[Mapping[str, Callable[..., ServerEvent | None]]] = {
        "HELO": _helo,
        "EHLO": _ehlo,
        "MAIL": _mail,
        "RCPT": _rcpt,
        "DATA": _data,
        "BDAT": _bdat,
        "RSET": _rset,
        "QUIT": _quit,
        "STARTTLS": _starttls,
        "AUTH": _auth,
    }
