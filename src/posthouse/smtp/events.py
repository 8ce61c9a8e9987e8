"""What the server engine tells its session, and what the session tells it to offer and to limit."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final, Literal

from posthouse.mail import Body, Recipient, Reply, Ret


class Signal(enum.Enum):
    """What `next_event` returns when there is no event."""

    NEED_DATA = "the engine has used up what it was fed"
    PAUSED = "the engine waits for the session's answer to its last event"


NEED_DATA: Final = Signal.NEED_DATA
PAUSED: Final = Signal.PAUSED


@dataclass(frozen=True, slots=True)
class Extensions:
    """What an EHLO is offered besides PIPELINING, 8BITMIME and ENHANCEDSTATUSCODES, which always are.

    `size` 0 offers SIZE without naming a limit (RFC 1870 4). `auth` are the mechanisms.
    """

    starttls: bool = False
    auth: tuple[str, ...] = ()
    size: int = 0
    dsn: bool = False
    chunking: bool = True
    smtputf8: bool = True


NO_EXTENSIONS: Final = Extensions(chunking=False, smtputf8=False)
"""All that HELO gets."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """0 is no limit. Errors and commands are counted anew after each completed message.

    `line` is the 512 of RFC 5321 4.5.3.1.4 with room for the parameters of all extensions; `auth_line` is RFC 4954 4's.
    """

    size: int
    recipients: int
    errors: int = 20
    commands_without_mail: int = 1000
    line: int = 2048
    auth_line: int = 12288


@dataclass(frozen=True, slots=True)
class Hello:
    """`name` is what the client calls itself, safe to print. `extended`: it said EHLO."""

    name: str
    extended: bool


@dataclass(frozen=True, slots=True)
class StartTls:
    """A positive reply is followed by the handshake, unless `should_close` says that the engine refused."""


@dataclass(frozen=True, slots=True)
class Credentials:
    mechanism: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MailFrom:
    """`size` is the declared one (RFC 1870), None where there is none."""

    reverse_path: str
    size: int | None = None
    body: Body = Body.SEVEN_BIT
    smtputf8: bool = False
    ret: Ret | None = None
    envid: str | None = None


@dataclass(frozen=True, slots=True)
class RcptTo:
    recipient: Recipient


@dataclass(frozen=True, slots=True)
class DataBegin:
    """DATA, or the first BDAT. The positive reply is 354; for BDAT it isn't sent."""


@dataclass(frozen=True, slots=True)
class ContentChunk:
    """Content, unstuffed, with CRLF line ends only; pieces may end anywhere."""

    data: bytes


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """All content has come. With a `fault`, which is the reply to give, what came of it is to be thrown away."""

    size: int
    fault: Reply | None = None


@dataclass(frozen=True, slots=True)
class TransactionReset:
    """The transaction that was going on is over without a message."""


@dataclass(frozen=True, slots=True)
class Quit:
    """The client has said QUIT, and the engine 221."""


PausingEvent = Hello | StartTls | Credentials | MailFrom | RcptTo | DataBegin | MessageEnd
ServerEvent = PausingEvent | ContentChunk | TransactionReset | Quit

NeedData = Literal[Signal.NEED_DATA]
