"""The sans-IO SMTP engines: bytes in, events out. No sockets, no clock."""

from posthouse.smtp.client import ClientEngine
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
from posthouse.smtp.extensions import PeerExtensions
from posthouse.smtp.replies import ProtocolError
from posthouse.smtp.server import ServerEngine

__all__ = [
    "NEED_DATA",
    "PAUSED",
    "ClientEngine",
    "ContentChunk",
    "Credentials",
    "DataBegin",
    "Extensions",
    "Hello",
    "MailFrom",
    "MessageEnd",
    "PeerExtensions",
    "ProtocolError",
    "Quit",
    "RcptTo",
    "ServerEngine",
    "ServerEvent",
    "ServerLimits",
    "StartTls",
    "TransactionReset",
]
