"""Cmdlets and .NET types that send mail and watch it."""

from posthouse.cmdlets.interface import Library
from posthouse.cmdlets.mail.credentials import CREDENTIAL_TYPES, CREDENTIALS
from posthouse.cmdlets.mail.message import MESSAGES
from posthouse.cmdlets.mail.message_trace import MESSAGE_TRACE
from posthouse.cmdlets.mail.message_trace_detail import MESSAGE_TRACE_DETAIL
from posthouse.cmdlets.mail.net_mail import NET_MAIL_TYPES
from posthouse.cmdlets.mail.queue import QUEUES
from posthouse.cmdlets.mail.send_mail_message import SEND_MAIL_MESSAGE
from posthouse.cmdlets.mail.x509 import CERTIFICATE

_SENDING = Library(
    cmdlets=(SEND_MAIL_MESSAGE, *CREDENTIALS),
    types=(*CREDENTIAL_TYPES, *NET_MAIL_TYPES, CERTIFICATE),
)
MAIL = _SENDING + MESSAGE_TRACE + MESSAGE_TRACE_DETAIL + QUEUES + MESSAGES

__all__ = ["MAIL"]
