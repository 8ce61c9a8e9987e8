"""Our queue as Exchange's cmdlets see it: queues by next hop, and in each the messages that wait for it.

https://learn.microsoft.com/exchange/mail-flow/queues/queue-properties
https://learn.microsoft.com/exchange/mail-flow/queues/queued-message-properties
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from posthouse.admin import Administration
from posthouse.cmdlets.interface import Context
from posthouse.cmdlets.mail.administered import administered
from posthouse.cmdlets.values import Hashtable, PSObject
from posthouse.spool import QueueFilter, State, TraceEntry

QUEUE: Final = "Microsoft.Exchange.Data.QueueViewer.ExtensibleQueueInfo"
MESSAGE: Final = "Microsoft.Exchange.Data.QueueViewer.ExtensibleMessageInfo"
_SUBMISSION: Final = "Submission"
"""Where a message is before its first attempt."""


@dataclass(slots=True, eq=False)
class Queued(PSObject):
    """A queue or a message; `message_ids` are ours, to act on."""

    message_ids: tuple[str, ...] = ()


def queues(context: Context) -> list[Queued]:
    waiting: dict[str, _Waiting] = {}
    for entry in _entries(context):
        waiting.setdefault(_queue_of(entry), _Waiting(entry)).add(entry)
    return [_queue(name, those) for name, those in sorted(waiting.items())]


def messages(context: Context, message_id: str = "") -> Iterator[Queued]:
    """The oldest first, or that one. With recipients in several queues it is there for each, as in Exchange."""
    for _, entries in groupby(_entries(context, message_id), key=lambda entry: entry.message_id):
        waiting: dict[str, _Waiting] = {}
        for entry in entries:
            waiting.setdefault(_queue_of(entry), _Waiting(entry)).add(entry)
        yield from (_message(name, those) for name, those in waiting.items())


def _entries(context: Context, message_id: str = "") -> Iterator[TraceEntry]:
    """In the order of messages."""
    wanted = QueueFilter(message_ids=(message_id,) if message_id else ())
    with administered():
        entries = context.service(Administration).mail.queue(wanted)
    for entry in entries:
        context.charge(len(entry.message_id) + len(entry.forward_path))
        yield entry


def _queue_of(entry: TraceEntry) -> str:
    return entry.destination or entry.outbound_connector or _SUBMISSION


class _Waiting:
    """What is to be known of recipients that wait for the same next hop, without keeping each."""

    def __init__(self, first: TraceEntry) -> None:
        self.first = self.last_tried = first
        self.messages: dict[str, None] = {}
        self.recipients: list[str] = []
        self.by_status: Counter[str] = Counter()
        self.attempts = 0
        self.due: float | None = None

    def add(self, entry: TraceEntry) -> None:
        self.messages[entry.message_id] = None
        self.recipients.append(entry.forward_path)
        self.by_status[_status(entry)] += 1
        self.attempts = max(self.attempts, entry.attempts)
        if (entry.at or 0.0) > (self.last_tried.at or 0.0):
            self.last_tried = entry
        if entry.state is State.WAITING:
            self.due = min(entry.due, self.due or entry.due)

    @property
    def status(self) -> str:
        """That of the liveliest."""
        return next(status for status in _STATUSES if self.by_status[status])

    @property
    def last_error(self) -> str:
        return str(self.last_tried.reply or "")


_STATUSES: Final = ("Active", "Retry", "Ready", "Suspended")


def _status(entry: TraceEntry) -> str:
    if entry.state is State.HELD:
        return "Suspended"
    if entry.leased:
        return "Active"
    return "Retry" if entry.attempts else "Ready"


def _queue(name: str, waiting: _Waiting) -> Queued:
    properties = {
        "Identity": name,
        "NextHopDomain": name,
        "NextHopConnector": waiting.last_tried.outbound_connector,
        "Status": waiting.status,
        "MessageCount": len(waiting.messages),
        "LastError": waiting.last_error,
        "LastRetryTime": _time(waiting.last_tried.at),
        "NextRetryTime": _time(waiting.due),
    }
    return Queued(QUEUE, Hashtable(properties), name, message_ids=tuple(waiting.messages))


def _message(queue: str, waiting: _Waiting) -> Queued:
    first = waiting.first
    identity = f"{queue}\\{first.message_id}"
    properties = {
        "Identity": identity,
        "Subject": first.subject,
        "InternetMessageId": first.header_message_id,
        "FromAddress": first.reverse_path or "<>",
        "Status": waiting.status,
        "Size": first.size,
        "MessageSourceName": first.connector or first.origin.value.upper(),
        "SourceIP": first.client.ip,
        "DateReceived": _time(first.received_at),
        "LastError": waiting.last_error,
        "RetryCount": waiting.attempts,
        "NextRetryTime": _time(waiting.due),
        "Queue": queue,
        "RecipientCount": len(waiting.recipients),
        "Recipients": waiting.recipients,
    }
    return Queued(MESSAGE, Hashtable(properties), identity, message_ids=(first.message_id,))


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
