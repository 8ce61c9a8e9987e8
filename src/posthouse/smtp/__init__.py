"""The sans-IO SMTP engines: bytes in, events out. No sockets, no clock."""

from posthouse.smtp.events import (
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
    ServerEvent,
    ServerLimits,
    StartTls,
    TransactionReset,
)
from posthouse.smtp.server import ServerEngine

__all__ = [
    "NEED_DATA",
    "PAUSED",
    "ContentChunk",
    "Credentials",
    "DataBegin",
    "Extensions",
    "Hello",
    "MailFrom",
    "MessageEnd",
    "Quit",
    "RcptTo",
    "ServerEngine",
    "ServerEvent",
    "ServerLimits",
    "StartTls",
    "TransactionReset",
]
