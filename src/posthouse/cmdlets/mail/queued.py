"""Our queue as Exchange's cmdlets see it: queues by next hop, and in each the messages that wait for it.

https://learn.microsoft.com/exchange/mail-flow/queues/queue-properties
https://learn.microsoft.com/exchange/mail-flow/queues/queued-message-properties
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
    grouped: defaultdict[str, list[TraceEntry]] = defaultdict(list)
    for entry in _entries(context):
        grouped[_queue_of(entry)].append(entry)
    return [_queue(name, entries) for name, entries in sorted(grouped.items())]


def messages(context: Context) -> list[Queued]:
    """The oldest first. One with recipients in several queues is there once for each, as in Exchange."""
    grouped: defaultdict[tuple[str, str], list[TraceEntry]] = defaultdict(list)
    for entry in _entries(context):
        grouped[entry.message_id, _queue_of(entry)].append(entry)
    return [_message(entries) for entries in grouped.values()]


def _entries(context: Context) -> Iterator[TraceEntry]:
    with administered():
        entries = context.service(Administration).mail.queue(QueueFilter())
    for entry in entries:
        context.charge(1)
        yield entry


def _queue_of(entry: TraceEntry) -> str:
    return entry.destination or entry.outbound_connector or _SUBMISSION


def _queue(name: str, entries: Sequence[TraceEntry]) -> Queued:
    ids = tuple(dict.fromkeys(entry.message_id for entry in entries))
    last = _last_tried(entries)
    waiting = [entry.due for entry in entries if entry.state is State.WAITING]
    properties = {
        "Identity": name,
        "NextHopDomain": name,
        "NextHopConnector": last.outbound_connector,
        "Status": _queue_status(entries),
        "MessageCount": len(ids),
        "DeferredMessageCount": len({entry.message_id for entry in entries if _is_deferred(entry)}),
        "LockedMessageCount": len({entry.message_id for entry in entries if entry.state is State.HELD}),
        "LastError": str(last.reply or ""),
        "LastRetryTime": _time(last.at),
        "NextRetryTime": _time(min(waiting, default=None)),
    }
    return Queued(QUEUE, Hashtable(properties), name, message_ids=ids)


def _message(entries: Sequence[TraceEntry]) -> Queued:
    first, last = entries[0], _last_tried(entries)
    queue = _queue_of(first)
    identity = f"{queue}\\{first.message_id}"
    recipients = [entry.forward_path for entry in entries]
    properties = {
        "Identity": identity,
        "Subject": first.subject,
        "InternetMessageId": first.header_message_id,
        "FromAddress": first.reverse_path or "<>",
        "Status": _message_status(entries),
        "Size": first.size,
        "MessageSourceName": first.connector or first.origin.value.upper(),
        "SourceIP": first.client.ip,
        "DateReceived": _time(first.received_at),
        "LastError": str(last.reply or ""),
        "RetryCount": max(entry.attempts for entry in entries),
        "NextRetryTime": _time(min(entry.due for entry in entries)),
        "Queue": queue,
        "RecipientCount": len(recipients),
        "Recipients": recipients,
    }
    return Queued(MESSAGE, Hashtable(properties), identity, message_ids=(first.message_id,))


def _queue_status(entries: Sequence[TraceEntry]) -> str:
    if all(entry.state is State.HELD for entry in entries):
        return "Suspended"
    if any(entry.leased for entry in entries):
        return "Active"
    return "Retry" if any(map(_is_deferred, entries)) else "Ready"


def _message_status(entries: Sequence[TraceEntry]) -> str:
    if any(entry.leased for entry in entries):
        return "Active"
    if all(entry.state is State.HELD for entry in entries):
        return "Suspended"
    return "Retry" if any(map(_is_deferred, entries)) else "Ready"


def _is_deferred(entry: TraceEntry) -> bool:
    return entry.state is State.WAITING and entry.attempts > 0 and not entry.leased


def _last_tried(entries: Iterable[TraceEntry]) -> TraceEntry:
    return max(entries, key=lambda entry: entry.at or 0.0)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
