"""Exchange Online's client submission endpoint, as smtp.office365.com:587 is, with mailboxes and their limits.

https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission
https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
https://learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements
https://learn.microsoft.com/exchange/troubleshoot/email-delivery/fix-issues-with-printers-scanners-and-lob-applications-that-send-email-using-off
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import email
import email.utils
import json
import re
import socketserver
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import BinaryIO, Self, cast

import trustme

from standins import submission_replies as replies
from standins.entra import Entra

RESOURCE = "https://outlook.office365.com"
EXTENSIONS = ("SIZE 157286400", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "8BITMIME", "CHUNKING", "SMTPUTF8")


@dataclass
class Limits:
    """Of a mailbox: connections at once, messages in so many seconds, recipients a day; and recipients of a message.

    Messages beyond `messages_per_minute` are delayed, which shows nowhere; with `refuses_fast` they are refused.
    """

    connections: int = 3
    messages_per_minute: int = 30
    minute: float = 60.0
    refuses_fast: bool = False
    recipients_per_day: int = 10_000
    recipients: int = 500


@dataclass
class Mailbox:
    """`send_as` are other addresses that it may send as; `applications` those with a right to it, by client id.

    `password` "" is none. `refusal` is what every sign-in is answered with instead of what is right.
    """

    address: str
    password: str = ""
    send_as: set[str] = field(default_factory=set)
    applications: set[str] = field(default_factory=set)
    refusal: str = ""
    connections: int = 0
    most_connections: int = 0
    recipients: int = 0
    sent_at: list[float] = field(default_factory=list)

    def may_send_as(self, address: str) -> bool:
        return address.lower() in {self.address.lower(), *map(str.lower, self.send_as)}


@dataclass
class Submitted:
    """A message that was taken: the mailbox it was sent from, the envelope as in the commands, and the content."""

    mailbox: str
    sender: str
    recipients: list[str]
    content: bytes
    at: float


class Submission(socketserver.ThreadingTCPServer):
    """On loopback. `submitted` are the messages it took, `refusals` counts its negative replies, `sign_ins` the users.

    Tokens are those of `entra`. A bad one is refused by 535; where `challenges`, by a 334 with JSON before that. With
    `basic_is_over` no password is taken. Sessions end after `messages_per_session`, if that isn't 0.

    with Submission(authority, entra) as submission:
        submission.mailbox("scanner@contoso.com", applications={app.client_id})
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        authority: trustme.CA,
        entra: Entra | None = None,
        *,
        host: str = "smtp.office365.test",
        address: tuple[str, int] = ("127.0.0.1", 0),
        limits: Limits | None = None,
    ) -> None:
        super().__init__(address, _Session)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_2
        authority.issue_cert(host).configure_cert(self.tls)
        self.entra = entra
        self.limits = limits or Limits()
        self.challenges = False
        self.basic_is_over = False
        self.messages_per_session = 0
        self.mailboxes: dict[str, Mailbox] = {}
        self.submitted: list[Submitted] = []
        self.refusals: Counter[str] = Counter()
        self.sign_ins: list[str] = []
        self.lock = threading.RLock()

    @property
    def port(self) -> int:
        return cast("tuple[str, int]", self.server_address)[1]

    def mailbox(self, address: str, password: str = "", **rights: set[str]) -> Mailbox:
        made = self.mailboxes[address.lower()] = Mailbox(address, password, **rights)
        return made

    def by_password(self, user: str, password: str) -> Mailbox | str:
        """The mailbox that is signed in to, or the refusal."""
        mailbox = self.mailboxes.get(user.lower())
        if self.basic_is_over:
            return replies.BASIC_IS_OVER
        if mailbox is None or not mailbox.password or mailbox.password != password:
            return (mailbox and mailbox.refusal) or replies.WRONG_PASSWORD
        return mailbox.refusal or mailbox

    def by_token(self, user: str, token: str) -> Mailbox | str:
        """A user's own token is good for his mailbox, an application's for those that it has a right to."""
        mailbox = self.mailboxes.get(user.lower())
        grant = self.entra.grant(token, RESOURCE) if self.entra else None
        if mailbox is None or grant is None:
            return replies.UNSUCCESSFUL
        is_good = grant.user.lower() == user.lower() if grant.user else grant.client_id in mailbox.applications
        return (mailbox.refusal or mailbox) if is_good else replies.UNSUCCESSFUL

    def verdict(self, mailbox: Mailbox, sender: str, recipients: list[str], content: bytes) -> str:
        """What a whole message is answered with; a positive one has been taken."""
        now = time.time()
        _, from_ = email.utils.parseaddr(email.message_from_bytes(content)["From"] or "")
        with self.lock:
            if mailbox.connections > self.limits.connections:
                return replies.TOO_MANY_CONNECTIONS
            recent = [at for at in mailbox.sent_at if at > now - self.limits.minute]
            if len(recent) >= self.limits.messages_per_minute and self.limits.refuses_fast:
                return replies.TOO_FAST
            if mailbox.recipients + len(recipients) > self.limits.recipients_per_day:
                return replies.QUOTA_EXCEEDED
            if sender and not mailbox.may_send_as(sender):
                return replies.MAY_NOT_SEND_AS
            if not mailbox.may_send_as(from_ or sender):
                return replies.send_as_denied(mailbox.address, from_)
            mailbox.sent_at = [*recent, now]
            mailbox.recipients += len(recipients)
            self.submitted.append(Submitted(mailbox.address, sender, recipients, content, now))
            return f"250 2.0.0 OK <{len(self.submitted)}@{replies.NAME}> [Hostname={replies.NAME}]"

    def mails_to(self, recipient: str) -> list[bytes]:
        """A recipient's mailbox."""
        return [mail.content for mail in self.submitted if recipient in mail.recipients]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _HangUp(Exception):
    """The session is over."""


class _Session(socketserver.StreamRequestHandler):
    server: Submission
    wbufsize = -1

    def handle(self) -> None:
        self.is_secure = False
        self.mailbox: Mailbox | None = None
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.content = b""
        self.messages = 0
        with contextlib.suppress(_HangUp, OSError):
            self._say(f"220 {replies.NAME} Microsoft ESMTP MAIL Service ready")
            while True:
                self._command(self._line())

    def finish(self) -> None:
        if self.mailbox is not None:
            with self.server.lock:
                self.mailbox.connections -= 1
        with contextlib.suppress(OSError):
            super().finish()
        self.connection.close()

    def _command(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        act = _VERBS.get(verb.upper())
        if act is None:
            self._say("500 5.3.3 Unrecognized command")
        else:
            act(self, rest)

    def _ehlo(self, _: str) -> None:
        extensions = [*EXTENSIONS, "AUTH LOGIN XOAUTH2" if self.is_secure else "STARTTLS"]
        lines = [f"{replies.NAME} Hello [{self.client_address[0]}]", *extensions]
        self._say("\r\n".join([*(f"250-{each}" for each in lines[:-1]), f"250 {lines[-1]}"]))

    def _rset(self, _: str) -> None:
        self._reset()
        self._say("250 2.0.0 Resetting")

    def _noop(self, _: str) -> None:
        self._say("250 2.0.0 OK")

    def _quit(self, _: str) -> None:
        self._say("221 2.0.0 Service closing transmission channel")
        raise _HangUp

    def _starttls(self, _: str) -> None:
        if self.is_secure:
            self._say("500 5.3.3 Unrecognized command")
            return
        self._say("220 2.0.0 SMTP server ready")
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = cast("BinaryIO", self.connection.makefile("rb"))
        self.wfile = cast("BinaryIO", self.connection.makefile("wb"))
        self.is_secure = True

    def _auth(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if not self.is_secure or mechanism.upper() not in ("LOGIN", "XOAUTH2"):
            self._say(replies.NO_MECHANISM)
        elif self.mailbox is not None:
            self._say("503 5.5.2 Already authenticated")
        elif mechanism.upper() == "LOGIN":
            user = _decoded(initial or self._ask("Username:"))
            self._sign_in(self.server.by_password(user, _decoded(self._ask("Password:"))))
        else:
            self._xoauth2(_decoded(initial or self._ask("")))

    def _xoauth2(self, response: str) -> None:
        found = re.fullmatch("user=(?P<user>[^\1]*)\1auth=Bearer (?P<token>[^\1]*)\1\1", response)
        outcome = self.server.by_token(found["user"], found["token"]) if found else replies.UNSUCCESSFUL
        if isinstance(outcome, str) and self.server.challenges:
            self._ask(json.dumps({"status": "401", "schemes": "bearer", "scope": f"{RESOURCE}/"}))
        self._sign_in(outcome)

    def _sign_in(self, outcome: Mailbox | str) -> None:
        if isinstance(outcome, str):
            self._say(outcome)
            return
        with self.server.lock:
            self.mailbox = outcome
            outcome.connections += 1
            outcome.most_connections = max(outcome.most_connections, outcome.connections)
            self.server.sign_ins.append(outcome.address)
        self._say("235 2.7.0 Authentication successful")

    def _mail(self, argument: str) -> None:
        if not self.is_secure:
            self._say(replies.STARTTLS_FIRST)
        elif self.mailbox is None:
            self._say(replies.NOT_SIGNED_IN)
        else:
            self._reset()
            self.sender = _path(argument)
            self._say("250 2.1.0 Sender OK")

    def _rcpt(self, argument: str) -> None:
        if self.sender is None:
            self._say("503 5.5.2 Need mail command")
        elif len(self.recipients) >= self.server.limits.recipients:
            self._say(replies.TOO_MANY_RECIPIENTS)
        else:
            self.recipients.append(_path(argument))
            self._say("250 2.1.5 Recipient OK")

    def _data(self, _: str) -> None:
        if not self.recipients:
            self._say("503 5.5.2 Need rcpt command")
            return
        self._say("354 Start mail input; end with <CRLF>.<CRLF>")
        while (line := self._bytes()) != b".\r\n":
            self.content += line.removeprefix(b".")
        self._submit()

    def _bdat(self, argument: str) -> None:
        size, _, last = argument.partition(" ")
        self.content += self.rfile.read(int(size))
        if not self.recipients:
            self._say("503 5.5.2 Need rcpt command")
        elif last.upper() == "LAST":
            self._submit()
        else:
            self._say("250 2.6.0 CHUNK received OK")

    def _submit(self) -> None:
        assert self.mailbox is not None
        assert self.sender is not None
        self._say(self.server.verdict(self.mailbox, self.sender, self.recipients, self.content))
        self._reset()
        self.messages += 1
        if self.messages == self.server.messages_per_session:
            raise _HangUp

    def _reset(self) -> None:
        self.sender, self.recipients, self.content = None, [], b""

    def _ask(self, challenge: str) -> str:
        self._say(f"334 {base64.b64encode(challenge.encode()).decode()}")
        return self._line()

    def _line(self) -> str:
        return self._bytes().decode("utf-8", "replace").rstrip("\r\n")

    def _bytes(self) -> bytes:
        self.wfile.flush()
        if not (line := self.rfile.readline()):
            raise _HangUp
        return line

    def _say(self, reply: str) -> None:
        if reply[0] in "45":
            with self.server.lock:
                self.server.refusals[" ".join(reply.split()[:2])] += 1
        self.wfile.write(f"{reply}\r\n".encode())
        self.wfile.flush()


_VERBS = {
    "EHLO": _Session._ehlo,
    "STARTTLS": _Session._starttls,
    "AUTH": _Session._auth,
    "MAIL": _Session._mail,
    "RCPT": _Session._rcpt,
    "DATA": _Session._data,
    "BDAT": _Session._bdat,
    "RSET": _Session._rset,
    "NOOP": _Session._noop,
    "QUIT": _Session._quit,
}


def _decoded(text: str) -> str:
    with contextlib.suppress(binascii.Error, UnicodeDecodeError):
        return base64.b64decode(text, validate=True).decode()
    return ""


def _path(argument: str) -> str:
    """The address in `FROM:<a@b> SIZE=1`."""
    return argument.partition("<")[2].partition(">")[0]
