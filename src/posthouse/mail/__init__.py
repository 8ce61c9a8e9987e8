"""The RFCs' values: addresses, envelopes, messages, replies, outcomes and DSNs.

Pure data and pure functions: nothing here does I/O or reads a clock.
"""

from posthouse.mail.address import domain_of
from posthouse.mail.content import Content, HeadReplaced, MemoryContent
from posthouse.mail.envelope import Body, Envelope, Notify, Recipient, Ret
from posthouse.mail.message import Client, Message, message_id, received_time
from posthouse.mail.outcome import Delivery, DsnDuty, Outcome, Status
from posthouse.mail.reply import Refused, Reply

__all__ = [
    "Body",
    "Client",
    "Content",
    "Delivery",
    "DsnDuty",
    "Envelope",
    "HeadReplaced",
    "MemoryContent",
    "Message",
    "Notify",
    "Outcome",
    "Recipient",
    "Refused",
    "Reply",
    "Ret",
    "Status",
    "domain_of",
    "message_id",
    "received_time",
]
