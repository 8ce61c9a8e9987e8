"""How mail leaves: by SMTP, into mailboxes, and a fake that ships for tests of what stands on transports."""

from posthouse.transports.base import Transport
from posthouse.transports.connection import Timeouts
from posthouse.transports.fake import FakeTransport
from posthouse.transports.mailbox import MailboxTransport
from posthouse.transports.pool import PoolLimits
from posthouse.transports.rewriting import RewritingTransport
from posthouse.transports.shared import SharedTransport
from posthouse.transports.smtp import SmtpTransport

__all__ = [
    "FakeTransport",
    "MailboxTransport",
    "PoolLimits",
    "RewritingTransport",
    "SharedTransport",
    "SmtpTransport",
    "Timeouts",
    "Transport",
]
