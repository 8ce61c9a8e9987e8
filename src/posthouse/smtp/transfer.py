"""One transaction of the client: its commands, and which reply each recipient ends with."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable

from posthouse.mail import Body, Envelope, Notify, Recipient, Refused, Reply
from posthouse.smtp.extensions import PeerExtensions


class Step(enum.Enum):
    """What a reply is awaited for, as a message to the administrator names it."""

    GREETING = "the greeting"
    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "the end of data"
    QUIT = "QUIT"


class Transfer:
    """A transaction under way."""

    __slots__ = ("_answers", "_count", "_refusal", "content", "is_open", "tail", "unsent")

    def __init__(self, recipients: int, content: Iterable[bytes] | None) -> None:
        self.content = content
        self.unsent: deque[tuple[Step, bytes]] = deque()
        self.is_open = False
        self.tail = b"\r\n"
        self._count = recipients
        self._answers: list[Reply] = []
        self._refusal: Reply | None = None

    @property
    def has_recipients(self) -> bool:
        """Somebody has been accepted so far."""
        return self._refusal is None and any(answer.is_positive for answer in self._answers)

    def refuse(self, reply: Reply) -> None:
        """MAIL was refused: whatever follows, this is everybody's reply."""
        self._refusal = reply

    def answer(self, reply: Reply) -> None:
        """The next recipient's reply to RCPT. 552 is "too many recipients" in old words (RFC 5321 4.5.3.1.10)."""
        if reply.code == 552 and reply.enhanced in ("", "5.5.3"):
            reply = Reply(452, "4.5.3", reply.text)
        self._answers.append(reply)

    def replies(self, final: Reply) -> tuple[Reply, ...]:
        """One for each recipient: its own refusal, else `final`."""
        if self._refusal is not None:
            return (self._refusal,) * self._count
        known = tuple(final if answer.is_positive else answer for answer in self._answers)
        return known + (final,) * (self._count - len(known))


def mail_command(envelope: Envelope, size: int, extensions: PeerExtensions) -> bytes:
    """MAIL with the parameters that the server knows. It is known by now to offer those that the message needs."""
    words = [f"MAIL FROM:<{envelope.reverse_path}>"]
    if extensions.size is not None:
        words.append(f"SIZE={size}")
    if envelope.body is not Body.SEVEN_BIT:
        words.append(f"BODY={envelope.body}")
    if envelope.smtputf8:
        words.append("SMTPUTF8")
    if extensions.dsn and envelope.ret is not None:
        words.append(f"RET={envelope.ret}")
    if extensions.dsn and envelope.envid is not None:
        words.append(f"ENVID={envelope.envid}")
    return command_line(" ".join(words))


def rcpt_command(recipient: Recipient, extensions: PeerExtensions) -> bytes:
    """RCPT, with the DSN parameters where the server takes them over (RFC 3461 5.2.1)."""
    words = [f"RCPT TO:<{recipient.forward_path}>"]
    if extensions.dsn and recipient.notify is not Notify.ABSENT:
        words.append(f"NOTIFY={recipient.notify.parameter}")
    if extensions.dsn and recipient.orcpt is not None:
        words.append(f"ORCPT={recipient.orcpt}")
    return command_line(" ".join(words))


def command_line(line: str) -> bytes:
    """A command as bytes. One line, whatever is in its parts: no address may smuggle in a second command."""
    if "\r" in line or "\n" in line:
        raise Refused(Reply(553, "5.1.3", f"A line break in {line!r}"))
    return f"{line}\r\n".encode()


def stuff(chunk: bytes, tail: bytes) -> bytes:
    """Double each dot that begins a line (RFC 5321 4.5.2). `tail` is what went before the chunk.

    A dot behind a bare LF is doubled too, so that no server which takes LF for a line end can see an end of data.
    """
    stuffed = chunk.replace(b"\n.", b"\n..")
    return b"." + stuffed if chunk.startswith(b".") and tail.endswith(b"\n") else stuffed
