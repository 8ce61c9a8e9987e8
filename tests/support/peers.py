"""Next hops that misbehave in named ways: a real SMTP server on a socket, with a script for what it does wrong.

    with Peer() as peer:                                      behaves, keeps what it gets
    with Peer(RCPT="550 5.1.1 unknown") as peer:              refuses every recipient
    with Peer(RCPT=["250 ok", "452 4.5.3 enough"]) as peer:   a reply for each, the last one stays
    with Peer(DATA=CLOSE) as peer:                            hangs up when it should answer DATA
    with Peer(DATA=[CLOSE, GOOD]) as peer:                    only the first time

The keys are the verbs, `CONNECT` for the greeting and `CONTENT` for what follows the content.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import socketserver
import ssl
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Self, cast


class Misdeed(enum.Enum):
    """What a peer does instead of answering."""

    CLOSE = "hangs up"
    SILENCE = "says nothing, and reads on"
    GARBAGE = "says what is no SMTP"
    HALF_LINE = "says half a line, then hangs up"
    ENDLESS_LINE = "says a line without end"
    ENDLESS_REPLY = "says a reply without end"
    STUCK = "says 354, and reads no more"
    CLOSE_NOTIFY = "ends TLS, and waits for the client to do so too"


CLOSE = Misdeed.CLOSE
SILENCE = Misdeed.SILENCE
GARBAGE = Misdeed.GARBAGE
HALF_LINE = Misdeed.HALF_LINE
ENDLESS_LINE = Misdeed.ENDLESS_LINE
ENDLESS_REPLY = Misdeed.ENDLESS_REPLY
STUCK = Misdeed.STUCK
CLOSE_NOTIFY = Misdeed.CLOSE_NOTIFY

GOOD = ""
"""In a script: what is right, as where there is none."""

Answer = str | Misdeed

EXTENSIONS = ("PIPELINING", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")

_GOOD: dict[str, str] = {
    "CONNECT": "220 peer ESMTP",
    "HELO": "250 peer",
    "STARTTLS": "220 2.0.0 go ahead",
    "MAIL": "250 2.1.0 sender ok",
    "RCPT": "250 2.1.5 recipient ok",
    "DATA": "354 go ahead",
    "CONTENT": "250 2.0.0 queued",
    "BDAT": "250 2.0.0 queued",
    "RSET": "250 2.0.0 reset",
    "QUIT": "221 2.0.0 bye",
}


@dataclass
class Received:
    """A message as it arrived; `raw` is its content as it was on the wire, dots still stuffed."""

    mail: str
    recipients: list[str]
    content: bytes = b""
    raw: bytes = b""


@dataclass
class Session:
    """A connection: its commands in order, `TLS` where a handshake was done, `CLOSE_NOTIFY` where both ended it."""

    client: str
    commands: list[str] = field(default_factory=list)
    client_certificate: dict[str, object] | None = None


class Peer(socketserver.ThreadingTCPServer):
    """An SMTP server that keeps what it gets. `messages` and `sessions` grow as things happen."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self,
        *,
        extensions: Iterable[str] = EXTENSIONS,
        tls: ssl.SSLContext | None = None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        **answers: Answer | list[Answer],
    ) -> None:
        super().__init__(address, _Dialogue)
        self.extensions = (*extensions, "STARTTLS") if tls else tuple(extensions)
        self.tls = tls
        self.messages: list[Received] = []
        self.sessions: list[Session] = []
        self.contacted = threading.Event()
        self.quit_said = threading.Event()
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._answers = {verb: _in_turn(answer) for verb, answer in answers.items()}

    @property
    def port(self) -> int:
        return cast("tuple[str, int]", self.server_address)[1]

    def answer(self, verb: str, message: Received) -> Answer:
        """What is to be said to a command: as the script has it, else as is right."""
        with self._lock:
            scripted = next(self._answers[verb]) if verb in self._answers else GOOD
        if scripted is not GOOD:
            return scripted
        if (verb == "RCPT" and not message.mail) or (verb in ("DATA", "BDAT") and not message.recipients):
            return "503 5.5.1 bad sequence of commands"
        if verb == "EHLO":
            lines = ["peer", *self.extensions]
            return "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
        return _GOOD.get(verb, "502 5.5.1 not implemented")

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()


def _in_turn(answer: Answer | list[Answer]) -> Iterator[Answer]:
    answers = answer if isinstance(answer, list) else [answer]
    return itertools.chain(answers[:-1], itertools.repeat(answers[-1]))


class _HangUp(Exception):
    """The dialogue is over."""


class _Dialogue(socketserver.StreamRequestHandler):
    server: Peer

    def handle(self) -> None:
        self.session = Session(self.client_address[0])
        self.server.sessions.append(self.session)
        self.server.contacted.set()
        self.message = Received("", [])
        try:
            self._say("CONNECT")
            while line := self._line():
                self._command(line)
        except (_HangUp, OSError):
            pass

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.connection.close()

    def _line(self) -> str:
        return self.rfile.readline().decode("utf-8", "replace").rstrip("\r\n")

    def _command(self, line: str) -> None:
        self.session.commands.append(line)
        verb = line.split()[0].upper() if line.split() else ""
        match verb:
            case "DATA":
                if self._say("DATA").startswith("354"):
                    lines = list(self._data())
                    self.message.raw = b"".join(lines)
                    self._take(b"".join(line.removeprefix(b".") for line in lines), "CONTENT")
            case "BDAT":
                self._take(self.rfile.read(int(line.split()[1])), "BDAT")
            case "STARTTLS":
                if self._say("STARTTLS").startswith("220"):
                    self._start_tls()
            case _:
                positive = self._say(verb).startswith("2")
                self._note(verb, line, positive)

    def _note(self, verb: str, line: str, positive: bool) -> None:
        if verb == "QUIT":
            self.server.quit_said.set()
            raise _HangUp
        if verb == "MAIL" and positive:
            self.message = Received(line, [])
        if verb == "RCPT" and positive:
            self.message.recipients.append(line)

    def _data(self) -> Iterator[bytes]:
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise _HangUp
            yield line

    def _take(self, content: bytes, verb: str) -> None:
        self.message.content = content
        if self._say(verb).startswith("250") and self.message.recipients:
            self.server.messages.append(self.message)

    def _start_tls(self) -> None:
        assert self.server.tls is not None
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = cast("BinaryIO", self.connection.makefile("rb"))
        self.wfile = cast("BinaryIO", self.connection.makefile("wb", 0))
        self.session.client_certificate = self.connection.getpeercert()
        self.session.commands.append("TLS")

    def _say(self, verb: str) -> str:
        answer = self.server.answer(verb, self.message)
        if isinstance(answer, Misdeed):
            self._misbehave(answer)
            raise _HangUp
        self.wfile.write(f"{answer}\r\n".encode())
        return answer

    def _misbehave(self, misdeed: Misdeed) -> None:
        match misdeed:
            case Misdeed.SILENCE:
                self.rfile.read()
            case Misdeed.GARBAGE:
                self.wfile.write(b"\x16\x03\x01 what?\r\n")
                self.rfile.read()
            case Misdeed.HALF_LINE:
                self.wfile.write(b"250 2.0")
            case Misdeed.ENDLESS_LINE:
                self.wfile.write(b"250 " + b"x" * 100_000)
                self.rfile.read()
            case Misdeed.ENDLESS_REPLY:
                self.wfile.write(b"250-x\r\n" * 10_000)
                self.rfile.read()
            case Misdeed.STUCK:
                self.wfile.write(b"354 go ahead\r\n")
                self.server.over.wait()
            case Misdeed.CLOSE_NOTIFY:
                cast("ssl.SSLSocket", self.connection).unwrap()
                self.session.commands.append("CLOSE_NOTIFY")
            case Misdeed.CLOSE:
                pass
